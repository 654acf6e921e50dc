"""A fan that reads too slowly costs a bounded amount of memory, hears nothing cut in the middle, and is told why."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.http.client import ReporterClient
from common.listening import listen_on
from common.wire.frames import WELCOME
from common.wire.reader import ErrorLine, Frame, FrameReader
from stages.catalogue import STAGES, find_stage
from stages.options import Options, Slow
from stages.stage0.parts import layered
from stages.stage2_1 import SEND_TIMEOUT_MS
from stages.stage3.node_process import node_command
from stages.stage4.crowd import Crowd
from stages.stage4.door import TextDoor
from stages.stage4.plane import Plane
from stages.stage4.slow_fans import (
    BOUND,
    IDLE_S,
    SOCKET_OPTIONS,
    TIMEOUT_MS,
    TOO_SLOW,
    BoundedPlane,
    with_socket_options,
)
from stages.traffic import Drop, Traffic
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.in_process.conftest import api, connect, running, same_process
from tests.stages.refusals import refused
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from common.wire.greeting import Greeting
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect
    from tests.stages.in_process.running import Running

__all__ = ["api", "connect", "running", "same_process"]

ERROR: Final = f"ERROR: {TOO_SLOW}\r\n".encode()
SHORT_MS: Final = 500
MUCH: Final = 250
"""Events of 280 characters and 1,120 bytes: more than the kernel and the server keep together for who does not read."""
SOME: Final = 10
"""Of these, posted between two looks at whether it was too many."""


@dataclass(slots=True)
class OneMatch:
    """A host of one match, and the one fan that the plane has."""

    plane: BoundedPlane
    crowd: Crowd = field(init=False)
    sent: int = 0
    gone_while_waiting: int = 0

    def __post_init__(self) -> None:
        self.crowd = Crowd(self.plane.position)

    def greeted(self, fd: int, greeting: Greeting) -> None:
        del greeting
        self.answer(fd)

    def gone(self, fd: int) -> None:
        del fd
        self.gone_while_waiting += 1

    def way_back(self, fd: int, crowd: Crowd) -> Callable[[], None]:
        assert crowd is self.crowd
        return partial(self.answer, fd)

    def answer(self, fd: int) -> None:
        self.plane.answer(fd, f"status {self.sent}\n".encode(), self.crowd)

    def send(self, size: int) -> int:
        """Send the next event, of some `size`; return how many are told."""
        self.sent += 1
        return self.plane.send(self.crowd.all(), f"event {self.sent} {'.' * size}\n".encode())


@contextmanager
def one_fan(*, skips: bool) -> Iterator[tuple[OneMatch, Traffic, socket.socket]]:
    """Have a fan that watches, and whose socket has little room."""
    traffic = Traffic()
    plane: BoundedPlane = layered(Plane, BoundedPlane)(TextDoor(), traffic)
    plane.skips = skips
    match = OneMatch(plane)
    plane.open(match)
    here, fan = socket.socketpair()
    here.setblocking(False)
    with fan:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        fan.setblocking(False)
        plane.welcome(here.detach())
        fan.sendall(b"V:2:one\n")
        plane.turn()
        try:
            yield match, traffic, fan
        finally:
            plane.cut_off_all()
            plane.close()


def read_all(match: OneMatch, fan: socket.socket) -> bytes:
    """Return all that the fan hears until there is no more."""
    heard = b""
    with suppress(BlockingIOError):
        while data := fan.recv(1 << 20):
            heard += data
            match.plane.turn()
    return heard


def events_in(heard: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"^event (\d+) \.*$", heard, re.MULTILINE)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "send", "read"]), st.sampled_from([100, 9_000, 30_000])), max_size=60
)
TOO_MUCH = [("send", 30_000)] * 8
AND_ON = [*TOO_MUCH, ("read", 200_000), ("read", 200_000), ("send", 100), *TOO_MUCH]


@given(STEPS)
@example(TOO_MUCH)
@settings(deadline=None)
def test_who_is_closed_heard_whole_events_without_a_gap_and_then_why(steps: list[tuple[str, int]]) -> None:
    with one_fan(skips=False) as (match, traffic, fan):
        heard, told = b"", 0
        for step, size in steps:
            if step == "send":
                told += match.send(size)
            else:
                with suppress(BlockingIOError):
                    heard += fan.recv(size + 1)
                match.plane.turn()
        heard += read_all(match, fan)
        numbers = events_in(heard)
        assert numbers == [*range(1, len(numbers) + 1)]
        if traffic.drops[Drop.SLOW]:
            assert heard.endswith(b"\n" + ERROR)
            assert len(match.crowd) == 0
            fan.shutdown(socket.SHUT_WR)  # who was told why is left to close first
            match.plane.turn()
            assert match.plane.connected == 0
            assert len(numbers) <= told < match.sent
        else:
            assert len(numbers) == told == match.sent
            assert ERROR not in heard
        assert traffic.drops.total() == traffic.drops[Drop.SLOW] <= 1
        lines = heard.removeprefix(WELCOME).removesuffix(ERROR).splitlines()
        assert len(lines) == 1 + len(numbers)  # the status, and nothing in pieces


@given(STEPS)
@example(AND_ON)
@settings(deadline=None)
def test_who_is_left_out_hears_a_status_in_place_of_what_it_missed(steps: list[tuple[str, int]]) -> None:
    with one_fan(skips=True) as (match, traffic, fan):
        heard = b""
        for step, size in steps:
            if step == "send":
                match.send(size)
            else:
                with suppress(BlockingIOError):
                    heard += fan.recv(size + 1)
                match.plane.turn()
        heard += read_all(match, fan)
        match.send(0)
        heard += read_all(match, fan)
        known = statuses = 0
        for line in heard.removeprefix(WELCOME).decode().splitlines():
            kind, number = line.split()[:2]
            assert (kind == "status" and int(number) >= known) or (kind, int(number)) == ("event", known + 1)
            known = int(number)
            statuses += kind == "status"
        assert known == match.sent
        assert traffic.skips == statuses - 1
        assert (traffic.greetings, sum(traffic.response.statistics().counts)) == (1, 1)
        assert traffic.deliveries == traffic.skips  # the events are counted by who sends them
        assert not +traffic.drops


@pytest.mark.parametrize("skips", [False, True])
def test_no_more_waits_than_the_bound(skips: bool) -> None:
    with one_fan(skips=skips) as (match, traffic, fan):
        while match.send(1_000):
            pass
        assert traffic.skips + traffic.drops[Drop.SLOW] == 1
        assert len(match.crowd) == 0
        assert match.send(1_000) == 0
        in_the_kernel = len(events_in(read_all(match, fan))) - 1  # the last was kept, since a part of it was sent
        waited = (match.sent - 2 - in_the_kernel) * 1_010
        assert BOUND - 3_000 < waited <= BOUND + 1_010


def test_a_fan_that_goes_while_it_is_left_out_leaves_nothing_behind() -> None:
    with one_fan(skips=True) as (match, _, fan):
        while match.send(1_000):
            pass
        assert (match.plane.connected, match.gone_while_waiting) == (1, 0)
        fan.close()
        match.plane.turn()
        assert (match.plane.connected, match.gone_while_waiting) == (0, 1)


@contextmanager
def stalled(server: ServerProcess, game: Game) -> Iterator[socket.socket]:
    """Have one who asks to watch and does not read; its kernel takes little for it."""
    with socket.socket() as fan:
        fan.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)  # before it connects: that is its window
        fan.settimeout(DEADLINE_S)
        fan.connect(next(server.fan_addresses()))
        fan.sendall(f"VERSION:1:CONNECT:stalled:MATCH:{game.id}\n".encode())
        yield fan


@pytest.mark.parametrize("slow", Slow)
async def test_the_others_hear_all_and_the_slow_one_what_is_said_to_it(slow: Slow, tmp_path: Path) -> None:
    options = ("--workers", "0", "--slow", slow)
    with ServerProcess("4", tmp_path, *options) as server:
        async with ReporterClient(server.url, TOKEN) as api, Fan(next(server.fan_addresses())) as quick:
            game = await Game.announced(api, "slow")
            await game.start()
            with stalled(server, game) as fan:
                await quick.watch("quick", game.id)

                async def both_watch() -> bool:
                    return (await api.statistics()).handlers == 2

                await eventually(both_watch, "both watch")
                fouls: list[str] = []
                seen = await api.statistics()
                while not (
                    seen.drops["slow"] or seen.skips
                ):  # and then no more: it is cut off if it does not read soon
                    assert len(fouls) < MUCH
                    for number in range(len(fouls), len(fouls) + SOME):
                        fouls.append(f"{number:\U0001f600>280}")
                        await game.foul(fouls[-1])
                    seen = await api.statistics()
                assert (seen.drops["slow"], seen.skips) == ((1, 0) if slow is Slow.CLOSE else (0, 1))
                assert (seen.handlers, seen.greetings) == (1, 2)
                heard = await asyncio.to_thread(read_on, fan, slow)
                await quick.read_events(len(fouls))
                if slow is Slow.SKIP:
                    await eventually(both_watch, "it watches again")
                await game.goal("the winner")
                await game.stop()
                heard += await asyncio.to_thread(lambda: b"".join(iter(lambda: fan.recv(1 << 16), b"")))
            await quick.read_to_end()
            assert quick.told() == [*fouls, "the winner"]
            assert (await api.statistics()).greetings == 2
    frames = [element for element in FrameReader().feed(heard) if isinstance(element, Frame | ErrorLine)]
    before = next(place for place, one in enumerate(frames[1:], 1) if not is_foul(one))
    assert [one.details["comment"] for one in frames[1:before] if isinstance(one, Frame)] == quick.told()[: before - 1]
    assert before < len(fouls)
    after = [one.kind if isinstance(one, Frame) else one.message for one in frames[before:]]
    assert after == ([TOO_SLOW] if slow is Slow.CLOSE else ["status", "goal", "stop"])


def is_foul(one: Frame | ErrorLine) -> bool:
    return isinstance(one, Frame) and one.kind == "foul"


def read_on(fan: socket.socket, slow: Slow) -> bytes:
    """Return what a fan hears that begins to read at last: up to the second status, or the error."""
    heard = b""
    while heard.count(b": status:") < 2 if slow is Slow.SKIP else ERROR not in heard:
        data = fan.recv(1 << 16)
        assert data, heard
        heard += data
    return heard


@pytest.fixture
def stage() -> Stage:
    """Return a stage whose fans are on a plane and bounded, and a send that stalls is ended soon."""
    stage = find_stage("0", added=["fd-plane", "slow-fans"])
    options = tuple(
        (level, name, SHORT_MS if value == TIMEOUT_MS else value) for level, name, value in stage.parts.socket_options
    )
    return replace(stage, parts=replace(stage.parts, socket_options=options))


async def test_a_fan_that_stalls_below_the_bound_is_found_by_the_kernel(
    running: Running, api: ReporterClient, connect: Connect, game: Game
) -> None:
    async with connect() as quick:
        with socket.socket() as fan:
            fan.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            fan.connect(("127.0.0.1", running.addresses.fans[0]))
            fan.sendall(f"VERSION:1:CONNECT:stalled:MATCH:{game.id}\n".encode())
            await quick.watch("quick", game.id)

            async def watching(fans: int) -> bool:
                return (await api.statistics()).handlers == fans

            await eventually(partial(watching, 2), "both watch")
            for number in range(20):
                await game.foul(f"{number:x>280}")
            await eventually(partial(watching, 1), "the one who does not read is closed")
            assert {reason: count for reason, count in (await api.statistics()).drops.items() if count} == {"broken": 1}
        await quick.read_events(20)


def test_what_is_accepted_has_the_options_and_the_kernel_takes_little_for_who_does_not_read() -> None:
    with listen_on("127.0.0.1", 0, 5, SOCKET_OPTIONS) as listening, socket.socket() as fan:
        fan.connect(listening.getsockname())
        listening.setblocking(True)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_S
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == TIMEOUT_MS
            accepted.setblocking(False)
            taken = 0
            with suppress(BlockingIOError):
                while taken < 1 << 20:
                    taken += accepted.send(b"x" * 1_000)
            assert taken < 512 * 1024  # without, 4 MB on loopback


def test_the_options_stand_in_place_of_those_of_another_lesson() -> None:
    nodelay = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    timeout = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SEND_TIMEOUT_MS)
    assert with_socket_options((nodelay, timeout)) == (nodelay, *SOCKET_OPTIONS)


def test_a_stage_that_has_no_use_for_the_choice_refuses_it() -> None:
    said = "matchstream: stage 3 has no use for --slow: leave it out, or serve one with the lesson slow-fans"
    assert refused("serve", "--stage", "3", "--slow", "skip") == said


def test_a_node_is_told_the_choice_of_its_parent() -> None:
    options = Options(host="127.0.0.1", port=1, http_port=2, redis_url="redis://r", slow=Slow.SKIP)
    command = node_command(STAGES["4"], options, 1, 2)
    assert command[command.index("--slow") + 1] == "skip"
    assert "--slow" not in node_command(STAGES["3"], options, 1, 2)

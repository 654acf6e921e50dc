"""A server that stops lets its fans go one after the other; until then they hear all, and then when to come again."""

from __future__ import annotations

import asyncio
import errno
import re
import signal
import socket
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.http.client import ApiError, ApiUnreachableError, ReporterClient
from common.wire.frames import error_line, goodbye_line, seconds_until_again
from common.wire.reader import FrameReader, GoodbyeLine
from stages.stage4.door import TextDoor
from stages.stage4.drain import STEP_S, part_from_all
from stages.stage4.plane import Plane
from stages.traffic import Traffic
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import eventually
from tests.virtual_time import now_s, run_virtual

if TYPE_CHECKING:
    from pathlib import Path

GOODBYE: Final = re.compile(r"the server is stopping; connect again in (\d+) s")
FANS: Final = 10


class TimedPlane(Plane):
    """Takes note of when each fan is asked to come back."""

    def __init__(self) -> None:
        super().__init__(TextDoor(), Traffic())
        self.asked_s: list[float] = []
        self.leaving: list[socket.socket] = []
        """Who leaves when the first has been asked."""

    def ask_back(self, fd: int, after_s: int) -> bool:
        """Take note, too."""
        was_there = super().ask_back(fd, after_s)
        if was_there:
            self.asked_s.append(now_s())
        while self.leaving:
            self.leaving.pop().close()
            self.turn()
        return was_there


def drained(count: int, over_s: float, left: int = 0) -> tuple[list[float], list[bytes], int]:
    """Return when each of `count` fans was asked, what each heard, and how many are said to have been asked.

    The last `left` of them leave meanwhile.
    """
    plane = TimedPlane()
    fans: list[socket.socket] = []
    for _ in range(count):
        here, fan = socket.socketpair()
        here.setblocking(False)
        plane.welcome(here.detach())
        fan.recv(4096)
        fans.append(fan)
    plane.leaving = fans[count - left :]
    try:
        asked = run_virtual(part_from_all(plane, over_s))
        return plane.asked_s, [fan.recv(4096) for fan in fans[: count - left]], asked
    finally:
        plane.cut_off_all()
        plane.close()
        for fan in fans:
            fan.close()


@given(st.integers(0, 60), st.floats(0, 100))
@settings(deadline=None, max_examples=30)
def test_fans_go_at_a_steady_rate_and_all_within_the_time(count: int, over_s: float) -> None:
    asked_s, heard, asked = drained(count, over_s)
    assert asked == len(asked_s) == count
    for turn, at_s in enumerate(asked_s):
        assert at_s <= turn * over_s / count + STEP_S + 0.002
        assert at_s >= turn * over_s / count - 0.002
    seconds = [seconds_until_again(said.decode()) for said in heard]
    assert heard == [goodbye_line(after_s or 0) for after_s in seconds]
    assert all(1 <= (after_s or 0) <= max(2, round(over_s)) for after_s in seconds)


def test_fans_are_asked_to_come_back_at_different_times() -> None:
    _, heard, _ = drained(60, 30.0)
    assert len({*heard}) > 10


def test_who_has_gone_is_asked_nothing() -> None:
    asked_s, heard, asked = drained(20, 10.0, left=5)
    assert len(asked_s) == len(heard) == asked == 15


def test_it_ends_as_soon_as_nobody_is_left() -> None:
    asked_s, _, asked = drained(20, 1e6, left=20)
    assert (asked_s, asked) == ([0.0], 1)


def is_refused_by_the_kernel(address: tuple[str, int]) -> bool:
    with socket.socket() as late:
        return late.connect_ex(address) == errno.ECONNREFUSED


@pytest.mark.parametrize("workers", ["0", "2"])
async def test_until_it_is_let_go_a_fan_hears_every_event_and_nobody_new_is_let_in(
    workers: str, tmp_path: Path
) -> None:
    with ServerProcess("4", tmp_path, "--workers", workers, "--grace", "10s") as server:
        address = next(server.fan_addresses())
        async with ReporterClient(server.url, TOKEN) as api, AsyncExitStack() as stack:
            game = await Game.announced(api, "drain")
            await game.start()
            fans = [await stack.enter_async_context(Fan(address)) for _ in range(FANS)]
            for number, fan in enumerate(fans):
                await fan.watch(f"fan-{number}", game.id)
            server.send_signal(signal.SIGTERM)
            await fans[0].read_to_end()  # the first that came is the first that goes
            await game.foul("event 0")  # while others are still there
            posted = ["event 0"]
            await eventually(partial(is_refused_by_the_kernel, address), "nobody listens any more, in either worker")
            reading = asyncio.gather(*(fan.read_to_end() for fan in fans[1:]))
            while not reading.done():
                try:
                    await game.foul(f"event {len(posted)}")
                except (ApiError, ApiUnreachableError):
                    break
                posted.append(f"event {len(posted)}")
                await asyncio.sleep(0.1)
            await reading
            assert server.wait() == 0
    for fan in fans:
        (goodbye,) = fan.goodbyes
        assert GOODBYE.fullmatch(goodbye)
        assert isinstance(fan.heard[-1], GoodbyeLine)
        assert fan.told() == posted[: len(fan.told())]
    heard = [len(fan.told()) for fan in fans]
    assert heard[0] == 0
    assert max(heard) > 0  # whoever was not the first of its worker; at once all would hear the same
    told = re.search(r"stopping: ([0-9]+) fans were told goodbye, of whom 0 did not read", server.log())
    assert told is not None
    assert int(told[1]) >= FANS  # who came late may still have been taken for a fan, by the worker that closed last


async def test_a_second_signal_cuts_it_short(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, "--workers", "0", "--grace", "1h") as server:
        address = next(server.fan_addresses())
        async with AsyncExitStack() as stack:
            fans = [await stack.enter_async_context(Fan(address)) for _ in range(60)]  # who would go over half a minute
            for fan in fans:
                await fan.welcome()
            server.send_signal(signal.SIGTERM)
            await fans[0].read_to_end()
            assert fans[0].goodbyes
            server.send_signal(signal.SIGTERM)
            assert server.wait() == 0
            await fans[-1].read_to_loss()
            assert not any(GOODBYE.fullmatch(said) for said in fans[-1].goodbyes)  # it was not its turn
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (goodbye_line(3), 3),
        (error_line("this server is full; try again in 12 s"), 12),
        (b"GOODBYE: the server is stopping; connect again in a moment\r\n", None),
        (error_line("connect again in 99999 s"), None),
        (error_line("connect again in 5 seconds or so"), None),
    ],
)
def test_the_seconds_are_read_from_what_is_said(said: bytes, seconds: int | None) -> None:
    (heard,) = FrameReader().feed(said)
    assert seconds_until_again(getattr(heard, "message", "")) == seconds

"""A server that is told to stop says goodbye to its fans, and waits for those who are slow, but not for ever."""

from __future__ import annotations

import asyncio
import errno
import re
import signal
import socket
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from common.durations import parse_duration
from common.http.client import ReporterClient
from stages.catalogue import STAGES
from stages.options import Options
from stages.stage3.node_process import node_command
from tests.stages.every_stage import turning_points
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess, environment, run
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOODBYE: Final = "the server is stopping; connect again in a moment"
MUCH: Final = 200
"""Events of 280 characters and 1,120 bytes: more than the kernel keeps for a fan who does not read."""


def patiently(stage_name: str) -> list[str]:
    """Return what leaves lessons out, which have tests of their own, by which not all fans go at once and in the end."""
    others = [name for name in ("slow-fans", "drain") if STAGES[stage_name].has(name)]
    return [word for name in others for word in ("--without", name)]


@pytest.fixture(params=turning_points())
def stage_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(stage_name: str, tmp_path: Path) -> Iterator[ServerProcess]:
    """Serve with a grace that no test waits for to end."""
    with ServerProcess(stage_name, tmp_path, "--grace", "1h", *patiently(stage_name)) as server:
        yield server


async def started(api: ReporterClient) -> Game:
    game = await Game.announced(api, "m")
    await game.start()
    return game


async def test_every_fan_is_told_and_asked_to_come_back(server: ServerProcess) -> None:
    addresses = server.fan_addresses()
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(ReporterClient(server.url, TOKEN))
        game = await started(api)
        fans = [await stack.enter_async_context(Fan(next(addresses))) for _ in range(10)]
        *watching, half_closed, silent = fans
        await silent.welcome()
        for number, fan in enumerate([*watching, half_closed]):
            await fan.watch(f"fan-{number}", game.id)
        half_closed.say_no_more()
        await game.foul("the last")
        for fan in [*watching, half_closed]:
            await fan.read_events(1)
        server.send_signal(signal.SIGTERM)
        for fan in fans:
            await fan.read_to_end()
            assert fan.goodbyes == [GOODBYE]
            assert fan.raw.endswith(f"\r\nGOODBYE: {GOODBYE}\r\n".encode())
        assert server.wait() == 0
    assert told_and_cut_off(server) == (len(fans), 0)
    assert "Traceback" not in server.log()


async def test_a_fan_who_reads_late_misses_nothing(server: ServerProcess) -> None:
    with stalled(server) as fan:
        last = await post_much(server, fan)
        server.send_signal(signal.SIGTERM)
        await has_stopped_listening(server)
        heard = await asyncio.to_thread(lambda: b"".join(iter(lambda: fan.recv(1 << 20), b"")))
        assert server.wait() == 0
    assert heard.count(b": foul:") == MUCH
    assert heard.rpartition(last.encode())[2] == f"\n\r\nGOODBYE: {GOODBYE}\r\n".encode()
    told, cut_off = told_and_cut_off(server)
    assert told >= 1  # whoever looks whether the server listens may still have been taken for a fan
    assert cut_off == 0


async def test_a_second_signal_ends_the_wait_for_a_fan_who_does_not_read(server: ServerProcess) -> None:
    with stalled(server) as fan:
        await post_much(server, fan)
        server.send_signal(signal.SIGTERM)
        await has_stopped_listening(server)
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
    assert "Traceback" not in server.log()


async def test_a_fan_who_does_not_read_is_cut_off_when_the_grace_is_over(stage_name: str, tmp_path: Path) -> None:
    options = ("--grace", "0.1s", *patiently(stage_name))
    with ServerProcess(stage_name, tmp_path, *options) as server, stalled(server) as fan:
        await post_much(server, fan)
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert told_and_cut_off(server) == (1, 1)


def test_a_grace_that_is_no_duration_is_refused(tmp_path: Path) -> None:
    outcome = run(environment(tmp_path), "serve", "--stage", "0", "--grace", "soon")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("matchstream: 'soon' is no duration: write a number and ms, s, m or h")


def test_a_node_has_the_grace_of_its_parent() -> None:
    options = Options(host="127.0.0.1", port=1, http_port=2, redis_url="redis://r", grace_s=90.5)
    command = node_command(STAGES["3"], options, 1, 2)
    assert parse_duration(command[command.index("--grace") + 1]) == 90.5


@contextmanager
def stalled(server: ServerProcess) -> Iterator[socket.socket]:
    """Connect one who does not read; the kernel keeps little for it."""
    with socket.socket() as fan:
        fan.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)  # before it connects: that is its window
        fan.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # by which the server's kernel measures its buffer
        fan.settimeout(DEADLINE_S)
        fan.connect(next(server.fan_addresses()))
        yield fan


async def post_much(server: ServerProcess, fan: socket.socket) -> str:
    """Have it watch a match, and post MUCH; return the last comment."""
    async with ReporterClient(server.url, TOKEN) as api:
        game = await started(api)
        fan.sendall(f"VERSION:1:CONNECT:stalled:MATCH:{game.id}\n".encode())

        async def watches() -> bool:
            return (await api.statistics()).handlers > 0

        await eventually(watches, "it watches")
        for number in range(MUCH):
            last = f"{number:\U0001f600>280}"
            await game.foul(last)
    return last


async def has_stopped_listening(server: ServerProcess) -> None:
    """Return when the server has begun to stop, and nobody connects any more."""

    def is_refused() -> bool:
        with socket.socket() as late:
            return late.connect_ex(next(server.fan_addresses())) == errno.ECONNREFUSED

    await eventually(is_refused, "nobody can connect")


def told_and_cut_off(server: ServerProcess) -> tuple[int, int]:
    """Return how many fans the log says were told goodbye, and were cut off; of all nodes, if there are several."""
    found = re.findall(r"stopping: (\d+) fans were told goodbye, of whom (\d+) did not read", server.log())
    return sum(int(told) for told, _ in found), sum(int(cut_off) for _, cut_off in found)

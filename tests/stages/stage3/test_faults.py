"""A node, the writer's node or Redis is killed while a match is played: what was accepted is stored once, and told."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.stages.stage3.nodes import NodesProcess, Reporter, apis, comments, kicked_off
from tests.stages.stage3.writer import is_replaced, writer
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from common.domain.events import Event
    from common.store.connections import Connections
    from tests.redis_server import RedisServer
    from tests.stages.fan import Fan
    from tests.stages.game import Game

COUNT: Final = 3
EVENTS: Final = 15
REPORTERS: Final = 3


@pytest.fixture
def nodes(redis: RedisServer, tmp_path: Path) -> Iterator[NodesProcess]:
    with NodesProcess(tmp_path, "--nodes", str(COUNT), "--redis", redis.url) as nodes:
        yield nodes
    assert "Traceback" not in nodes.log()
    assert "ERROR" not in nodes.log()


@pytest.fixture
async def games(nodes: NodesProcess) -> AsyncIterator[list[Game]]:
    """Return a match that has started, by each node's API."""
    async with apis(*map(nodes.url_of, nodes.numbers)) as clients:
        yield await kicked_off(clients)


@asynccontextmanager
async def played(games: list[Game]) -> AsyncIterator[Reporter]:
    """Have events posted while the block runs, and some before and after; end the match then."""
    reporter = Reporter(games)
    async with asyncio.TaskGroup() as group:
        for number in range(REPORTERS):
            group.create_task(reporter.report(), name=f"reporter-{number}")
        try:
            await reporter.more(EVENTS)
            yield reporter
            await reporter.more(EVENTS)
        finally:
            reporter.stop()
    await games[0].stop()


async def watching(stack: AsyncExitStack, nodes: NodesProcess, numbers: Sequence[int], game: Game) -> list[Fan]:
    """Return two fans on each of the nodes."""
    fans = [await stack.enter_async_context(nodes.fan(number)) for number in numbers for _ in range(2)]
    for number, fan in enumerate(fans):
        await fan.watch(f"fan-{number}", game.id)
    return fans


async def returned(stack: AsyncExitStack, nodes: NodesProcess, number: int, game: Game) -> Fan:
    """Return a fan who has come back to a node, once there is one to come back to."""
    found: list[Fan] = []

    async def has_come_back() -> bool:
        with suppress(ConnectionError):
            found.append(await stack.enter_async_context(nodes.fan(number)))
            await found[-1].watch("regular", game.id)
            return True
        return False

    await eventually(has_come_back, f"node {number} serves again")
    return found[-1]


@pytest.mark.parametrize(
    "is_writer", [pytest.param(False, marks=pytest.mark.slow), True], ids=["a node", "the writer's node"]
)
async def test_a_node_is_killed(nodes: NodesProcess, games: list[Game], raw: Connections, *, is_writer: bool) -> None:
    before = await writer(raw)
    assert before is not None
    killed = nodes.number_of(before.pid) if is_writer else (nodes.number_of(before.pid) + 1) % COUNT
    pid = nodes.pid_of(killed)
    assert pid is not None
    others = [number for number in nodes.numbers if number != killed]
    async with AsyncExitStack() as stack:
        fans = await watching(stack, nodes, others, games[0])
        lost = await watching(stack, nodes, [killed], games[0])
        async with played(games) as reporter:
            psutil.Process(pid).kill()
            if is_writer:
                await is_replaced(raw, before)
            for fan in lost:
                with suppress(ConnectionError):  # it may be cut off with a reset
                    await fan.read_to_end()
            again = await returned(stack, nodes, killed, games[0])
            assert nodes.pid_of(killed) not in {None, pid}
        for fan in (*fans, again):
            await fan.read_to_end()
        history = await reporter.check(fans)
        check_parts(history, lost, again)
        now = await writer(raw)
        assert now is not None
        assert (now.epoch > before.epoch) is is_writer


def check_parts(history: Sequence[Event], lost: Sequence[Fan], again: Fan) -> None:
    """Check that the fans of a node that died heard a part of the match without gaps, and the rest when they were back.

    What lies between is in the history; the status that they got first tells how the match stood by then.
    """
    stored = comments(history)
    for fan in lost:
        assert fan.told() == stored[: len(fan.told())]
    rest = again.told()
    assert rest == stored[len(stored) - len(rest) :]
    assert again.kinds[-1] == "stop"


async def test_redis_is_killed(nodes: NodesProcess, games: list[Game], redis: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        fans = await watching(stack, nodes, nodes.numbers, games[0])
        async with played(games) as reporter:
            for _ in range(2):
                await redis.kill()
                await redis.start()
                await reporter.more(EVENTS)
        for fan in fans:
            await fan.read_to_end()
        await reporter.check(fans)


@pytest.mark.slow
async def test_a_node_is_killed_while_redis_is_away(nodes: NodesProcess, games: list[Game], redis: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        fans = await watching(stack, nodes, [1, 2], games[0])
        async with played(games) as reporter:
            await redis.kill()
            pid = nodes.pid_of(0)
            assert pid is not None
            psutil.Process(pid).kill()
            await eventually(lambda: "starting it again in" in nodes.log(), "node 0 could not serve")
            await redis.start()
            again = await returned(stack, nodes, 0, games[0])
        for fan in (*fans, again):
            await fan.read_to_end()
        history = await reporter.check(fans)
        check_parts(history, [], again)


@pytest.mark.slow
async def test_a_writer_that_is_stopped_for_a_while_writes_no_more(
    nodes: NodesProcess, games: list[Game], raw: Connections
) -> None:
    before = await writer(raw)
    assert before is not None
    frozen = nodes.number_of(before.pid)
    others = [number for number in nodes.numbers if number != frozen]
    async with AsyncExitStack() as stack:
        fans = await watching(stack, nodes, nodes.numbers, games[0])
        async with played([games[number] for number in others]) as reporter:
            psutil.Process(before.pid).send_signal(signal.SIGSTOP)
            try:
                await is_replaced(raw, before)
                await reporter.more(EVENTS)
            finally:
                psutil.Process(before.pid).send_signal(signal.SIGCONT)
            await eventually(lambda: f"{before.pid} is the writer no more" in nodes.log(), "it steps down")
        for fan in fans:
            await fan.read_to_end()
        await reporter.check(fans)

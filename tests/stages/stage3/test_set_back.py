"""Redis comes back with less than was there, and several nodes have told their fans of it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import pytest

from common.store.keys import events_key, match_key
from tests.redis_server import RedisServer
from tests.stages.stage3.nodes import NodesProcess, apis, comments, kicked_off

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from common.store.connections import Connections
    from tests.stages.fan import Fan
    from tests.stages.game import Game

COUNT: Final = 2
TOPOLOGIES: Final = ("connected", "independent")

pytestmark = pytest.mark.slow


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer(forgets=True) as redis:
        yield redis


@pytest.fixture(params=TOPOLOGIES)
def nodes(request: pytest.FixtureRequest, redis: RedisServer, tmp_path: Path) -> Iterator[NodesProcess]:
    options = ("--nodes", str(COUNT), "--redis", redis.url, "--topology", request.param)
    with NodesProcess(tmp_path, *options) as nodes:
        yield nodes
    assert "Traceback" not in nodes.log()
    assert "ERROR" not in nodes.log()


@pytest.fixture
async def games(nodes: NodesProcess) -> AsyncIterator[list[Game]]:
    """Return a match that has started, by each node's API."""
    async with apis(*map(nodes.url_of, nodes.numbers)) as clients:
        yield await kicked_off(clients)


async def watching(stack: AsyncExitStack, nodes: NodesProcess, game: Game) -> list[Fan]:
    """Return a fan on each node."""
    fans = [await stack.enter_async_context(nodes.fan(number)) for number in nodes.numbers]
    for number, fan in enumerate(fans):
        await fan.watch(f"fan-{number}", game.id)
    return fans


async def are_told(fans: Sequence[Fan]) -> None:
    for fan in fans:
        await fan.read_to_end()
        (error,) = fan.errors
        assert "was set back" in error
        assert fan.told() == ["lost-0", "lost-1"]


async def test_redis_comes_back_from_an_older_save(
    redis: RedisServer, raw: Connections, nodes: NodesProcess, games: list[Game]
) -> None:
    async with AsyncExitStack() as stack:
        await games[0].foul("saved")
        await raw.call("SAVE")
        fans = await watching(stack, nodes, games[0])
        for number, game in enumerate(games):
            await game.foul(f"lost-{number}")
        for fan in fans:
            await fan.read_events(2)
        await redis.kill()
        await redis.start()
        for number, game in enumerate(games):
            await game.insist(f"after-{number}")
        await are_told(fans)
        again = await watching(stack, nodes, games[0])
        answered = [await game.foul(f"heard-{number}") for number, game in enumerate(games)]
        await games[0].stop()
        for fan in again:
            await fan.read_to_end()
            assert fan.told() == ["heard-0", "heard-1"]
        history = await games[1].api.history(games[1].id)
    assert comments(history)[:2] == ["saved", "after-0"]
    assert list(history[-3:-1]) == answered


@pytest.mark.parametrize("saved_after", ["started", "lost-0"])
async def test_a_node_that_nobody_asks_anything_hears_of_it_by_the_next_event(
    raw: Connections, nodes: NodesProcess, games: list[Game], saved_after: str
) -> None:
    """No connection breaks; the event has a number that the node has passed already, or just the one where it is."""
    keys = (match_key(games[0].id), events_key(games[0].id))
    async with AsyncExitStack() as stack:
        fans = await watching(stack, nodes, games[0])
        saved = [await raw.call("DUMP", key) for key in keys]
        for comment in ("lost-0", "lost-1"):
            await games[0].foul(comment)
            if saved_after == comment:
                saved = [await raw.call("DUMP", key) for key in keys]
        for fan in fans:
            await fan.read_events(2)
        await raw.call_all([("RESTORE", key, 0, dump, "REPLACE") for key, dump in zip(keys, saved, strict=True)])
        await games[1].foul("after")
        await are_told(fans)

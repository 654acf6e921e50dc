"""Redis comes back with less than was there, an older save or nothing: fans hear what is so, and it goes on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from common.store.connections import Connections
from stages.catalogue import STAGES
from tests.redis_server import RedisServer
from tests.stages.game import Game
from tests.stages.serving import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from common.http.client import ReporterClient
    from stages.stage import Stage
    from tests.stages.fan import Connect

FOULS: Final = 7
"""What is posted after the start and before the save."""


@pytest.fixture(scope="module", params=["0", "2.5", "3"])
def stage(request: pytest.FixtureRequest) -> Stage:
    name: str = request.param
    return STAGES[name]


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer(forgets=True) as redis:
        yield redis


@pytest.fixture
def server(stage: Stage, redis: RedisServer, tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a server of the test's own, of one process in every stage."""
    nodes = ["--nodes", "1"] if stage.has("nodes") else []
    with ServerProcess(stage.name, tmp_path, "--redis", redis.url, *nodes) as server:
        yield server
    assert "Traceback" not in server.log()


@pytest.fixture
async def game(api: ReporterClient) -> Game:
    """Return a match with eight events; its server and its Redis end with the test."""
    game = await Game.announced(api, "m")
    await game.start()
    for number in range(FOULS):
        await game.foul(f"before-{number}")
    return game


async def save(redis: RedisServer) -> None:
    """Have Redis write down what it has now."""
    raw = Connections(redis.url, 1, 5.0, 5.0)
    await raw.call("SAVE")
    await raw.close()


async def comes_back(redis: RedisServer) -> None:
    """Have Redis killed, and start again with what it has saved."""
    await redis.kill()
    await redis.start()


async def test_events_that_redis_has_lost(redis: RedisServer, connect: Connect, game: Game) -> None:
    await save(redis)
    async with connect() as fan, connect() as new:
        await fan.watch("fan", game.id)
        for number in range(2):
            await game.foul(f"lost-{number}")
        await fan.read_events(2)
        await comes_back(redis)
        answered = [await game.insist("after-0")]
        await fan.read_to_end()
        await new.watch("new", game.id)
        answered += [await game.foul(f"after-{number}") for number in (1, 2)]
        await game.stop()
        await new.read_to_end()
    (error,) = fan.errors
    assert f"the match {game.id} was set back, or announced anew" in error
    assert fan.told() == ["lost-0", "lost-1"]
    history = await game.api.history(game.id)
    assert [event.details["comment"] for event in history[FOULS + 1 : -1]] == ["after-0", "after-1", "after-2"]
    assert new.told() == [event.details["comment"] for event in history[FOULS + 2 : -1]]

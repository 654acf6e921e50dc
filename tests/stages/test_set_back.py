"""Redis comes back with less than was there, an older save or nothing: fans hear what is so, and it goes on from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from common.domain import rules
from common.domain.posts import Foul, Stop
from common.http.client import ApiError
from common.store.connections import Connections
from common.store.keys import events_key, match_key
from common.store.redis_store import RedisStore
from stages.catalogue import STAGES
from tests.redis_server import RedisServer
from tests.stages.every_stage import one_process, turning_points
from tests.stages.game import Game
from tests.stages.serving import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from common.domain.posts import Post
    from common.http.client import ReporterClient
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect

FOULS: Final = 7
"""What is posted after the start and before the save."""


@pytest.fixture(scope="module", params=turning_points())
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
    with ServerProcess(stage.name, tmp_path, "--redis", redis.url, *one_process(stage)) as server:
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


async def test_fans_who_only_listen_are_told_when_redis_has_lost_everything(
    redis: RedisServer, connect: Connect, game: Game
) -> None:
    """Nobody posts, nobody comes: the server finds out by itself."""
    async with connect() as fan:
        await fan.watch("fan", game.id)
        await comes_back(redis)
        await fan.read_to_end()
    (error,) = fan.errors
    assert f"the match {game.id} is no longer stored" in error
    with pytest.raises(ApiError, match="404"):
        await game.foul("of a match that is gone")


class Behind:
    """A match's records, which are set back behind the server's back: no connection of it breaks."""

    def __init__(self, redis: RedisServer, game: Game) -> None:
        self.raw = Connections(redis.url, 1, 5.0, 5.0)
        self.store = RedisStore(redis.url)
        self._game = game
        self._keys = (match_key(game.id), events_key(game.id))
        self._saved: dict[str, bytes] = {}

    async def save(self) -> None:
        """Remember the match as it is now."""
        self._saved = {key: await self.raw.call("DUMP", key) for key in self._keys}

    async def restore(self) -> None:
        """Set the match back to what was saved."""
        for key, saved in self._saved.items():
            await self.raw.call("RESTORE", key, 0, saved, "REPLACE")

    async def append(self, *posts: Post) -> None:
        """Have events stored that no server knows of."""
        for post in posts:
            before = await self.store.match(self._game.id)
            assert before is not None
            match, event = rules.apply(before, post, datetime.now(UTC))
            await self.store.append(match, event, after=before.last_at)

    async def close(self) -> None:
        """Close the connections."""
        await self.raw.close()
        await self.store.close()


@pytest.fixture
async def behind(redis: RedisServer, game: Game) -> AsyncIterator[Behind]:
    behind = Behind(redis, game)
    await behind.save()
    yield behind
    await behind.close()


def foul(game: Game, comment: str) -> Post:
    return Foul(team=game.new.home, player=7, comment=comment)


@pytest.mark.parametrize("stage", [each for each in turning_points() if each.values != ("4",)], indirect=True)
@pytest.mark.parametrize("others", range(4))
async def test_a_match_that_was_set_back_behind_the_servers_back(
    connect: Connect, game: Game, behind: Behind, others: int
) -> None:
    """It has less events than the server knows of, as many or more, and in any case others."""
    async with connect() as fan, connect() as new:
        await fan.watch("fan", game.id)
        await game.foul("lost-0")
        await game.foul("lost-1")
        await fan.read_events(2)
        await behind.restore()
        await behind.append(*(foul(game, f"other-{number}") for number in range(others)))
        await new.watch("new", game.id)
        answered = [await game.foul("after-0")]
        await fan.read_to_end()
        answered.append(await game.foul("after-1"))
        await game.stop()
        await new.read_to_end()
    assert fan.told() == ["lost-0", "lost-1"]
    (error,) = fan.errors
    assert "was set back" in error
    assert not new.errors
    assert new.told() == ["after-0", "after-1"]
    assert [event.seq for event in answered] == [FOULS + others + 2, FOULS + others + 3]
    history = await game.api.history(game.id)
    assert list(history[FOULS + others + 1 : -1]) == answered


@pytest.mark.parametrize("stage", ["4"], indirect=True)
@pytest.mark.parametrize("others", range(4))
async def test_a_match_that_was_set_back_behind_the_back_of_who_knows_it_and_asks_nobody(
    connect: Connect, game: Game, behind: Behind, others: int
) -> None:
    """Who comes meanwhile is told what those know who are there, and is told with them that it was set back."""
    async with connect() as fan, connect() as new, connect() as again:
        await fan.watch("fan", game.id)
        await game.foul("lost-0")
        await game.goal("lost-1")
        await fan.read_events(2)
        await behind.restore()
        await behind.append(*(foul(game, f"other-{number}") for number in range(others)))
        await new.watch("new", game.id)
        assert new.frames[0].details["visit_score"] == 1
        answered = [await game.foul("after-0")]
        for told in (fan, new):
            await told.read_to_end()
            (error,) = told.errors
            assert "was set back" in error
        await again.watch("again", game.id)
        assert again.frames[0].details["visit_score"] == 0
        answered.append(await game.foul("after-1"))
        await game.stop()
        await again.read_to_end()
    assert (fan.told(), new.told(), again.told()) == (["lost-0", "lost-1"], [], ["after-1"])
    history = await game.api.history(game.id)
    assert list(history[FOULS + others + 1 : -1]) == answered


async def test_a_match_that_has_not_started_any_more(connect: Connect, game: Game, behind: Behind) -> None:
    async with connect() as fan:
        await fan.watch("fan", game.id)
        await behind.store.cancel(game.id)
        await game.api.create_match(game.new)
        assert (await game.start()).seq == 1
        await fan.read_to_end()
    (error,) = fan.errors
    assert "announced anew" in error
    async with connect() as new:
        await new.watch("new", game.id)
        await game.foul("heard")
        await new.read_events(1)


async def test_a_match_that_has_ended_meanwhile_and_is_live_again(connect: Connect, game: Game, behind: Behind) -> None:
    async with connect() as fan:
        await fan.watch("fan", game.id)
        await game.foul("lost")
        await fan.read_events(1)
        await behind.restore()
        await behind.append(Stop())
        with pytest.raises(ApiError, match="period ended"):
            await game.foul("after the end")
        await fan.read_to_end()
    assert len(fan.errors) == 1
    await behind.restore()
    async with connect() as new:
        await new.watch("new", game.id)
        await game.foul("heard")
        await new.read_events(1)
    assert new.told() == ["heard"]


async def test_a_match_that_is_gone_is_not_said_to_have_been_cancelled(
    connect: Connect, game: Game, behind: Behind
) -> None:
    async with connect() as fan:
        await fan.watch("fan", game.id)
        await behind.store.cancel(game.id)
        with pytest.raises(ApiError, match="404"):
            await game.foul("of a match that is gone")
        await fan.read_to_end()
    (error,) = fan.errors
    assert "is no longer stored" in error
    with pytest.raises(ApiError, match="404"):
        await game.api.cancel_match(game.id)

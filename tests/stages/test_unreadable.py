"""Records that this version cannot read: each costs what it belongs to a named refusal, and nobody else anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from common.domain.match import NewMatch, Player, Team
from common.http.client import ApiError
from common.store.connections import Connections
from common.store.keys import EVENT_FIELD, LIVE, MATCH_FIELD, events_key, match_key, team_key
from stages.catalogue import STAGES
from tests.redis_server import RedisServer
from tests.stages.every_stage import turning_points
from tests.stages.game import Game
from tests.stages.serving import ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator
    from pathlib import Path

    from common.http.client import ReporterClient
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect

BROKEN: Final = "aaa-bbb-2011-09-10"
"""It would be listed first."""


@pytest.fixture(scope="module", params=turning_points())
def stage(request: pytest.FixtureRequest) -> Stage:
    name: str = request.param
    return STAGES[name]


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer() as redis:
        yield redis


@pytest.fixture
async def raw(redis: RedisServer) -> AsyncIterator[Connections]:
    raw = Connections(redis.url, 1, 5.0, 5.0)
    yield raw
    await raw.close()


@pytest.fixture
def server(stage: Stage, redis: RedisServer, tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a server of the test's own, of one process in every stage."""
    nodes = ["--nodes", "1"] if stage.has("nodes") else []
    with ServerProcess(stage.name, tmp_path, "--redis", redis.url, *nodes) as server:
        yield server
    assert "Traceback" not in server.log()


@pytest.fixture
async def game(api: ReporterClient) -> Game:
    """Return a match that has started; its server and its Redis end with the test."""
    game = await Game.announced(api, "m")
    await game.start()
    return game


async def refused(request: Awaitable[object], name: str) -> None:
    with pytest.raises(ApiError) as caught:
        await request
    assert caught.value.status == 500
    assert f"{name} cannot be read" in caught.value.message


async def told_once(server: ServerProcess, line: str) -> None:
    """Check that the log has the line once; the later stages write it a moment after it was said."""
    await eventually(lambda: line in server.log(), "the log tells it")
    assert server.log().count(line) == 1


async def plays_on(game: Game, connect: Connect) -> None:
    """Check that another match is served as ever, also to who names none."""
    async with connect() as fan:
        await fan.watch("regular")
        await game.foul("heard")
        await fan.read_events(1)
    assert fan.told() == ["heard"]


@pytest.mark.parametrize("is_typed", [True, False], ids=["record", "type"])
async def test_a_match(connect: Connect, game: Game, server: ServerProcess, raw: Connections, is_typed: bool) -> None:
    record = b'{"id":"a","period":"third"}'
    if is_typed:
        await raw.call("HSET", match_key(BROKEN), "seq", 1, MATCH_FIELD, record)
    else:
        await raw.call("SET", match_key(BROKEN), record)
    await raw.call("ZADD", LIVE, -99999999, BROKEN, -99999998, b"\xff")
    name = f"the match {BROKEN}"
    for _ in range(2):
        assert [match.id for match in await game.api.matches()] == [game.id]
        await refused(game.api.match(BROKEN), name)
        await refused(game.api.history(BROKEN), name)
        await refused(game.api.post_event(BROKEN, {"kind": "stop"}), name)
        async with connect() as fan:
            await fan.greet("unlucky", BROKEN)
            await fan.read_to_end()
        (error,) = fan.errors
        assert "cannot be read" in error
    await told_once(server, f"{name} cannot be read: ")
    await plays_on(game, connect)
    await game.api.cancel_match(BROKEN)
    with pytest.raises(ApiError, match="404"):
        await game.api.match(BROKEN)


@pytest.mark.parametrize("record", [b"no JSON", b'{"seq":1,"kind":"goal"}', None])
async def test_the_last_event_of_a_match_that_is_watched(
    connect: Connect, game: Game, server: ServerProcess, raw: Connections, record: bytes | None
) -> None:
    """The match goes on for nobody; the fan is told, the others notice nothing."""
    other = await Game.announced(game.api, "z")
    await other.start()
    await other.foul("read before")
    async with connect() as fan:
        await fan.watch("unlucky", other.id)
        await raw.call("XDEL", events_key(other.id), "2-0")
        await raw.call("XTRIM", events_key(other.id), "MAXLEN", 0)
        fields = ["another field", "2"] if record is None else [EVENT_FIELD, record]
        await raw.call("XADD", f"copy:{{{other.id}}}", "2-0", *fields)
        await raw.call("RENAME", f"copy:{{{other.id}}}", events_key(other.id))
        name = f"event 2 of the match {other.id}"
        await refused(game.api.history(other.id), name)
        await refused(other.foul("cannot follow"), name)
        await fan.read_to_end()
    (error,) = fan.errors
    assert "cannot be read" in error
    await told_once(server, f"{name} cannot be read: ")
    await plays_on(game, connect)


async def test_a_match_that_is_watched(connect: Connect, game: Game, server: ServerProcess, raw: Connections) -> None:
    """Whoever finds that out first, all are told."""
    other = await Game.announced(game.api, "z")
    await other.start()
    async with connect() as fan:
        await fan.watch("unlucky", other.id)
        before = await raw.call("HGET", match_key(other.id), MATCH_FIELD)
        await raw.call("HSET", match_key(other.id), "seq", 2, MATCH_FIELD, before.replace(b'"first"', b'"third"'))
        await refused(other.foul("cannot follow"), f"the match {other.id}")
        await fan.read_to_end()
    (error,) = fan.errors
    assert "cannot be read" in error
    await told_once(server, f"the match {other.id} cannot be read: ")
    await plays_on(game, connect)


async def test_a_team(game: Game, server: ServerProcess, raw: Connections) -> None:
    await raw.call("SET", team_key("odd"), b'{"id":"odd"}')
    await refused(game.api.create_match(NewMatch("odd", game.new.visit, game.new.date)), "the team odd")
    await told_once(server, "the team odd cannot be read: ")
    odd = Team("odd", "Odd", (Player(1, "One"),))
    assert not await game.api.put_team(odd)

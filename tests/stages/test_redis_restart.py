"""Redis stops, or is killed, and comes back: fans stay, nothing is half-written, and service resumes by itself."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from common.http.client import ApiError, ReporterClient
from tests.redis_server import RedisServer
from tests.stages.every_stage import turning_points, two_nodes
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from common.domain.events import Event
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect, Fan

_REPORTERS = 3
_EVENTS_BETWEEN_KILLS = 15
_CROWD = 60


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer() as redis:
        yield redis


@pytest.fixture
def server(stage: Stage, redis: RedisServer, tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a server of the test's own, in place of the module's."""
    with ServerProcess(stage.name, tmp_path, "--redis", redis.url, *two_nodes(stage)) as server:
        yield server


@pytest.fixture
async def game(api: ReporterClient) -> Game:
    """Return a match that has started; its server and its Redis end with the test."""
    game = await Game.announced(api, "m")
    await game.start()
    return game


async def test_redis_stops_and_comes_back(stage: Stage, redis: RedisServer, connect: Connect, game: Game) -> None:
    knows = stage.has("encode-once")  # fans of a match that it knows are answered from memory
    async with connect() as fan:
        await fan.watch("fan", game.id)
        answered = [await game.foul("before")]
        await redis.stop()

        for request in (game.foul("lost"), game.api.match(game.id), game.api.matches(), game.api.cancel_match(game.id)):
            with pytest.raises(ApiError) as refusal:
                await request
            assert refusal.value.status == 503
            assert refusal.value.message.startswith("the server cannot reach its store now; ")
            assert "Redis" not in refusal.value.message
        for user in ("another", "fan"):
            async with connect() as new:
                await new.greet(user, None if knows else game.id)
                await new.read_to_end()
            assert new.errors == ["the server cannot reach its store now; connect again in a moment"]
        if knows:
            async with connect() as new:
                await new.watch("another", game.id)
                assert new.frames[0].details["period"] == "first"

        await redis.start()
        answered += [await game.insist(f"after-{number}") for number in range(3)]
        async with connect() as new:
            await new.watch("another", game.id)
            answered.append(await game.foul("to both"))
            await new.read_events(1)
        await fan.read_events(len(answered))
    assert new.told() == ["to both"]
    assert fan.told() == [event.details["comment"] for event in answered]
    assert list(await game.api.history(game.id))[1:] == answered


@pytest.mark.parametrize("stage", turning_points(), indirect=True)
async def test_an_outage_is_explained_in_the_log_and_not_once_a_fan(
    redis: RedisServer, connect: Connect, server: ServerProcess
) -> None:
    await redis.stop()
    for number in range(_CROWD):
        async with connect() as fan:
            await fan.greet(f"fan-{number}")
            await fan.read_to_end()
        assert "Redis" not in fan.raw.decode()
    explained = [line for line in server.log().splitlines() if f"Redis at {redis.path} cannot be reached" in line]
    assert 0 < len(explained) < _CROWD / 2


async def test_redis_is_killed_while_events_are_posted(redis: RedisServer, connect: Connect, game: Game) -> None:
    answered: list[Event] = []
    over = asyncio.Event()

    async def report(name: str) -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                answered.append(await game.foul(f"{name}-{number}"))
            except ApiError as error:
                if error.status != 503:  # then it may or may not be stored
                    raise
                await asyncio.sleep(0.01)

    async def more_events() -> None:
        enough = len(answered) + _EVENTS_BETWEEN_KILLS
        await eventually(lambda: len(answered) >= enough, f"{enough} events")

    async with AsyncExitStack() as stack:
        fans: list[Fan] = []
        for number in range(5):
            fans.append(await stack.enter_async_context(connect()))
            await fans[-1].watch(f"fan-{number}", game.id)
        async with asyncio.TaskGroup() as group:
            for number in range(_REPORTERS):
                group.create_task(report(f"reporter-{number}"), name=f"reporter-{number}")
            for _ in range(2):
                await more_events()
                await redis.kill()
                await redis.start()
            await more_events()
            over.set()
        await game.stop()
        for fan in fans:
            await fan.read_to_end()

    await check_history(game, answered, fans)


async def check_history(game: Game, answered: Sequence[Event], fans: Sequence[Fan]) -> None:
    """Check that what was answered is stored once, and that the fans heard all that is stored, in order."""
    history = list(await game.api.history(game.id))
    assert [event.seq for event in history] == list(range(1, len(history) + 1))
    assert [history[event.seq - 1] for event in answered] == list(answered)
    stored = [event.details["comment"] for event in history if event.kind == "foul"]
    assert len(stored) == len(set(stored))
    for fan in fans:
        assert fan.told() == stored
        assert fan.kinds == ["status", *(event.kind for event in history[1:])]


async def test_the_server_ends_cleanly_while_redis_is_away(
    redis: RedisServer, connect: Connect, game: Game, server: ServerProcess
) -> None:
    async with connect() as fan:
        await fan.watch("fan", game.id)
        await redis.kill()
        with pytest.raises(ApiError):
            await game.foul("lost")
        async with ReporterClient(server.url, TOKEN) as other:
            with pytest.raises(ApiError, match="Redis does not answer"):
                await other.checkin()
        server.send_signal(signal.SIGTERM)
        await fan.read_to_end()
    assert server.wait() == 0

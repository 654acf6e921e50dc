"""What `V:2` shows, and `/1/matches` lists first: of many matches the one that a fan wants to see now."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from common.domain.match import NewMatch
from common.http.client import ReporterClient
from common.store import keys
from common.store.connections import Connections
from tests.redis_server import RedisServer
from tests.stages.every_stage import with_nodes
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STAGES = pytest.mark.parametrize(("stage", "options"), with_nodes(2))
WAYS = pytest.mark.parametrize(
    ("stage", "options"), [*with_nodes(2), ("4", ("--nodes", "1", "--without", "db-readers"))]
)
"""To ask Redis for the current match: also through the one writer of a system."""


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer() as redis:
        yield redis


async def shown(server: ServerProcess) -> set[object]:
    """Return the home team of the current match, as a fan of the first and one of the last port is told it."""
    told: set[object] = set()
    for port in (server.fan_ports[0], server.fan_ports[-1]):
        async with Fan((server.host, port)) as fan:
            await fan.watch("fan")
            told.add(fan.frames[0].details["home"])
    return told


async def listed(api: ReporterClient) -> list[str]:
    return [match.home for match in await api.matches()]


@WAYS
async def test_the_newest_match_being_played_is_shown_then_the_next_then_the_last_that_ended(
    stage: str, options: tuple[str, ...], redis: RedisServer, tmp_path: Path
) -> None:
    with ServerProcess(stage, tmp_path, *options, "--redis", redis.url) as server:
        async with ReporterClient(server.url, TOKEN) as api:
            year = datetime.now(UTC).year
            games = {
                name: Game(api, NewMatch(name, f"{name}v", date(year, 5, 1)))
                for name, year in (("old", 2020), ("now", year), ("next", year + 1), ("later", year + 2))
            }
            for game in games.values():
                await game.announce()
            for name in ("now", "old"):  # the older one starts last, and is never stopped
                await games[name].start()
            assert await listed(api) == ["now", "old", "next", "later"]
            assert await shown(server) == {"now"}
            await games["now"].stop()
            assert await shown(server) == {"old"}
            await games["old"].stop()
            assert await shown(server) == {"next"}
            for name in ("later", "next"):
                await api.cancel_match(games[name].id)
            assert await listed(api) == ["now", "old"]
            assert await shown(server) == {"now"}


@STAGES
async def test_matches_of_an_older_version_are_taken_over(
    stage: str, options: tuple[str, ...], redis: RedisServer, tmp_path: Path
) -> None:
    with ServerProcess(stage, tmp_path, *options, "--redis", redis.url) as server:
        async with ReporterClient(server.url, TOKEN) as api:
            games = [Game(api, NewMatch(f"m{year}", "v", date(year, 5, 1))) for year in (2024, 2025, 2026)]
            for game in games:
                await game.announce()
            for game in games[:2]:
                await game.start()
    raw = Connections(redis.url, 1, 10.0, 10.0)
    await raw.call("DEL", *keys.INDEX)
    await raw.call("SADD", keys.OLD_MATCHES, *(game.id for game in games))
    await raw.close()
    with ServerProcess(stage, tmp_path, *options, "--redis", redis.url) as server:
        async with ReporterClient(server.url, TOKEN) as api:
            assert await listed(api) == ["m2025", "m2024", "m2026"]
            assert await shown(server) == {"m2025"}

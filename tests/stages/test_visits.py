"""Visits are counted for every name that a fan gives, and take a bounded place in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from common.http.client import ReporterClient
from common.store import keys
from common.store.connections import Connections
from common.store.embedded import EmbeddedRedis
from common.store.visits import KEPT_S, MOST
from tests.stages.every_stage import with_nodes
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STAGES = pytest.mark.parametrize(("stage", "options"), [*with_nodes(1), ("2.5", ())])
CROWD: Final = 30

_FILL: Final = """
for first = 1, ARGV[1], 1000 do
    local named = {}
    for number = first, first + 999 do named[#named + 1] = 'n' .. number; named[#named + 1] = 2 end
    redis.call('HSET', KEYS[1], unpack(named))
end
"""


@pytest.fixture
async def redis() -> AsyncIterator[EmbeddedRedis]:
    async with EmbeddedRedis() as redis:
        yield redis


@pytest.fixture
async def raw(redis: EmbeddedRedis) -> AsyncIterator[Connections]:
    """Return a connection of the test's own."""
    raw = Connections(redis.url, 1, 10.0, 20.0)
    yield raw
    await raw.close()


async def come(server: ServerProcess, *names: str) -> None:
    """Have fans of those names watch a match, one after the other."""
    async with ReporterClient(server.url, TOKEN) as api:
        game = await Game.announced(api, "m")
        for name in names:
            async with Fan((server.host, server.fan_ports[0])) as fan:
                await fan.watch(name, game.id)


@STAGES
async def test_a_name_more_is_no_key_more(
    stage: str, options: tuple[str, ...], redis: EmbeddedRedis, raw: Connections, tmp_path: Path
) -> None:
    with ServerProcess(stage, tmp_path, *options, "--redis", redis.url) as server:
        await come(server, *(f"fan-{number}" for number in range(CROWD)), "fan-0")

        async def are_counted() -> bool:
            counts = await raw.call("HVALS", keys.VISITS)
            return sorted(map(int, counts)) == [*[1] * (CROWD - 1), 2]

        await eventually(are_counted, "all visits are counted")
        assert [key for key in await raw.call("KEYS", "*") if b"fan" in key] == []
        assert 0 < await raw.call("TTL", keys.VISITS) <= KEPT_S


@pytest.mark.parametrize(("stage", "options"), with_nodes(1))
async def test_too_many_names_are_put_aside_and_the_oldest_forgotten(
    stage: str, options: tuple[str, ...], redis: EmbeddedRedis, raw: Connections, tmp_path: Path
) -> None:
    await raw.call("EVAL", _FILL, 1, keys.VISITS, MOST)
    await raw.call("HSET", keys.OLDER_VISITS, "the-oldest", 1)
    with ServerProcess(stage, tmp_path, *options, "--redis", redis.url) as server:
        await come(server, "one-too-many")

        async def are_put_aside() -> bool:
            return bool(await raw.call("EXISTS", keys.VISITS) == 0)

        await eventually(are_put_aside, "the names are put aside")
        assert await raw.call("HLEN", keys.OLDER_VISITS) == MOST + 1
        await come(server, "one-too-many", "another")

        async def are_counted() -> bool:
            return bool(await raw.call("HLEN", keys.VISITS) == 2)

        await eventually(are_counted, "those who come now are counted anew")

"""Redis comes back from a save that was made when requests of the writer's queue had not been carried out yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from common.otp import SHUTDOWN
from stages.stage3 import keys
from tests.common.store.test_redis_store import MATCH, event, play
from tests.redis_server import RedisServer
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from common.store.connections import Connections
    from tests.stages.stage3.system import System

LONG_S: Final = 600.0
"""Longer than any test: nothing is given up, or refused as too late."""


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer(forgets=True) as redis:
        yield redis


async def queued(raw: Connections, count: int) -> None:
    """Return when so many requests are in the queue."""

    async def are_queued() -> bool:
        return bool(await raw.call("XLEN", keys.REQUESTS) == count)

    await eventually(are_queued, f"{count} requests are in the queue")


async def test_requests_that_come_back_with_an_older_save_are_carried_out_once(
    system: System, redis: RedisServer, raw: Connections
) -> None:
    """What they did before has gone, and so it is done again: after it, all is as if it had been done one time."""
    store = system.store(await system.node(timeout_s=LONG_S), timeout_s=LONG_S)
    announcing = await system.writer("one")
    await store.create_match(MATCH)
    announcing.process.exit(SHUTDOWN)
    await announcing.process.wait()
    asked = [asyncio.create_task(play(store, seq, seq), name=f"event {seq}") for seq in (1, 2, 3)]
    visit = asyncio.create_task(store.visit("ana"), name="visit")
    await queued(raw, len(asked) + 1)
    await raw.call("SAVE")
    writer = await system.writer("two")
    await asyncio.gather(*asked)
    assert await visit == 1
    await play(store, 4, 4)
    assert await store.visit("ana") == 2
    await eventually(lambda: writer.statistics().executed == 6, "the writer knows of its last answer")
    epoch = writer.statistics().epoch
    await redis.kill()
    await redis.start()
    await queued(raw, 0)
    assert await store.history(MATCH.id) == [event(seq) for seq in (1, 2, 3)]
    assert await store.visit("ana") == 2
    await play(store, 4, 4)
    assert await store.history(MATCH.id) == [event(seq) for seq in (1, 2, 3, 4)]
    await eventually(lambda: writer.statistics().executed == 12, "all was carried out a second time, and no third")
    assert writer.statistics().epoch > epoch

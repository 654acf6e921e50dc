from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from common.store.connections import Connections
from tests.redis_server import RedisServer
from tests.stages.stage3.system import System
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer() as server:
        yield server


@pytest.fixture
async def raw(redis: RedisServer) -> AsyncIterator[Connections]:
    """Return a connection of the test's own."""
    raw = Connections(redis.url, 1, 10.0, 20.0)
    yield raw
    await raw.close()


@pytest.fixture
async def system(redis: RedisServer) -> AsyncIterator[System]:
    """Return what starts nodes; at the end stop them, and check that nothing is left and nothing went unnoticed."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
    before: set[asyncio.Task[Any] | None] = {*asyncio.all_tasks()}
    system = System(redis.url)
    yield system
    await system.stop()
    before.add(asyncio.current_task())
    await eventually(lambda: asyncio.all_tasks() <= before, "no task is left")
    assert unhandled == []

from collections.abc import AsyncIterator

import pytest

from common.store.redis_store import RedisStore
from tests.redis_server import RedisServer


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer() as server:
        yield server


@pytest.fixture
async def store(redis: RedisServer) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis.url)
    yield store
    await store.close()

"""The writer's rounds on virtual time: it renews its lease before that runs out, and says when Redis is away."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import pytest

from common.otp import SHUTDOWN, Node
from common.store.errors import StoreUnavailableError
from stages.stage3.db_writer import CAMPAIGN_S, DbWriter
from stages.stage3.lease import TTL_S
from tests.stages.waiting import eventually
from tests.virtual_time import run_virtual

ROUND_TRIP_S: Final = 0.01
EPOCH: Final = 7


class Redis:
    """Keeps a lease by virtual time, as Redis's scripts do; nobody has requests for the writer."""

    tag = ""

    def __init__(self) -> None:
        self.is_away = False
        self.pause_s = 0.0
        self.acquired = self.renewed = self.executed = self.executed_too_late = 0
        self._holder: object = None
        self._until_s = 0.0

    async def call(self, *command: Any) -> Any:
        """Carry out a command of a candidate."""
        await self._pass(ROUND_TRIP_S)
        match command:
            case ("EVAL", _, 2, _, _, holder, ttl_ms, _):
                self.renewed += 1
                return self._hold(holder, ttl_ms)
            case ("EVAL", _, 2, _, _, holder, ttl_ms):
                return self._acquire(holder, ttl_ms)
            case ("EVAL", _, 3, *_):
                self.executed += 1
                self.executed_too_late += not self._is_held()
                return 0
            case ("XREAD", _, _, _, block_ms, *_):
                await self._pass(block_ms / 1000 + self.pause_s)
        return None

    async def close(self) -> None:
        """Let the connection go."""

    async def _pass(self, seconds: float) -> None:
        """Let time pass; when Redis goes away meanwhile, the connection breaks."""
        for _ in range(round(seconds / ROUND_TRIP_S)):
            await asyncio.sleep(ROUND_TRIP_S)
            if self.is_away:
                raise StoreUnavailableError("Redis is away")

    def _acquire(self, holder: object, ttl_ms: int) -> int | None:
        if self._is_held() and self._holder != holder:
            return None
        self.acquired += 1
        self._hold(holder, ttl_ms)
        return EPOCH

    def _hold(self, holder: object, ttl_ms: int) -> int:
        if self._is_held() and self._holder != holder:
            return 0
        self._holder, self._until_s = holder, asyncio.get_running_loop().time() + ttl_ms / 1000
        return 1

    def _is_held(self) -> bool:
        return asyncio.get_running_loop().time() < self._until_s


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    """Return the Redis that every candidate has."""
    redis = Redis()
    monkeypatch.setattr("stages.stage3.db_writer.Connections", lambda *_: redis)
    return redis


async def candidates(count: int) -> list[DbWriter]:
    """Start candidates, the later ones when the first is the writer."""
    writers = [DbWriter("", f"node-{number}") for number in range(count)]
    for writer in writers:
        await Node().start(writer)
        await asyncio.sleep(CAMPAIGN_S / 2)
    return writers


async def end(writers: list[DbWriter]) -> None:
    for writer in writers:
        writer.process.exit(SHUTDOWN)
        await writer.process.wait()


def test_a_healthy_writer_keeps_its_lease_while_others_campaign(redis: Redis) -> None:
    async def main() -> None:
        one, *others = writers = await candidates(3)
        for _ in range(1000):
            await asyncio.sleep(TTL_S / 50)
            assert one.statistics().is_writer
            assert not any(other.statistics().is_writer for other in others)
        assert redis.acquired == 1
        assert one.statistics().replaced == 0
        await end(writers)

    run_virtual(main())


def test_every_outage_is_told_once(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        (writer,) = writers = await candidates(1)
        for _ in range(2):
            redis.is_away = True
            await asyncio.sleep(2 * TTL_S)
            redis.is_away = False
            await asyncio.sleep(2 * TTL_S)
            assert writer.statistics().is_writer
        assert writer.statistics().failures > 2
        await end(writers)

    with caplog.at_level(logging.WARNING, "stages.stage3"):
        run_virtual(main())
    assert [record.message for record in caplog.records] == ["Redis is away; trying again until it is back"] * 2


def test_after_an_outage_the_writer_looks_first_whether_the_lease_is_still_its_own(redis: Redis) -> None:
    async def main() -> None:
        writers = await candidates(1)
        await eventually(lambda: redis.renewed > 0, "the lease has just been renewed")
        redis.is_away = True
        await eventually(lambda: writers[0].statistics().failures > 0, "the outage is noticed")
        redis.is_away = False
        renewed, executed = redis.renewed, redis.executed
        await eventually(lambda: redis.renewed > renewed, "the lease is renewed")
        assert redis.executed == executed
        await end(writers)

    run_virtual(main())


def test_a_writer_that_had_to_wait_for_longer_than_its_lease_renews_it_first(redis: Redis) -> None:
    async def main() -> None:
        writers = await candidates(1)
        redis.pause_s = 2 * TTL_S
        await eventually(lambda: redis.renewed == 5, "it had to wait several times")
        redis.pause_s = 0.0
        executed = redis.executed
        await eventually(lambda: redis.executed > executed, "it is at work again")
        assert redis.executed_too_late == 0
        await end(writers)

    run_virtual(main())

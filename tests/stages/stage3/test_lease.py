"""The lease: one holder at a time, a higher epoch with each, and time judged to the holder's disadvantage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from stages.stage3 import keys
from stages.stage3.lease import Lease
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    import pytest

    from common.store.connections import Connections


async def test_of_all_candidates_one_gets_the_lease(raw: Connections) -> None:
    candidates = [Lease(raw, f"node-{number}") for number in range(5)]
    epochs = await asyncio.gather(*(candidate.acquire() for candidate in candidates))
    assert sorted(epochs, key=str) == [1, None, None, None, None]
    assert sum(candidate.left_s > 0 for candidate in candidates) == 1
    assert 0 < await raw.call("PTTL", keys.LEASE) <= 2000


async def test_a_released_lease_is_free_at_once_and_its_next_epoch_is_higher(raw: Connections) -> None:
    one, two = Lease(raw, "one"), Lease(raw, "two")
    assert await one.acquire() == 1
    await two.release()  # of what it does not hold
    assert await two.acquire() is None
    await one.release()
    assert one.left_s == 0
    assert await two.acquire() == 2


async def test_a_lease_that_is_not_renewed_runs_out(raw: Connections) -> None:
    one, two = Lease(raw, "one", ttl_s=0.05), Lease(raw, "two")
    assert await one.acquire() == 1

    async def taken_over() -> bool:
        return await two.acquire() == 2

    await eventually(taken_over, "the lease runs out")
    assert one.left_s == 0
    assert not await one.renew(1)
    assert one.left_s == 0
    assert await two.renew(2)


async def test_a_renewed_lease_lasts_longer(raw: Connections) -> None:
    one = Lease(raw, "one", ttl_s=60)
    assert await one.acquire() == 1
    await raw.call("PEXPIRE", keys.LEASE, 1000)
    assert await one.renew(1)
    assert await raw.call("PTTL", keys.LEASE) > 1000


async def test_a_lease_that_ran_out_can_be_renewed_while_nobody_has_taken_it(raw: Connections) -> None:
    one, two = Lease(raw, "one"), Lease(raw, "two")
    assert await one.acquire() == 1
    await raw.call("DEL", keys.LEASE)
    assert await one.renew(1)
    assert await two.acquire() is None


async def test_a_lease_of_which_redis_lost_all_is_not_taken_for_the_one_that_is_given_then(raw: Connections) -> None:
    one, two = Lease(raw, "one"), Lease(raw, "two")
    assert await one.acquire() == 1
    await raw.call("FLUSHALL")
    assert await two.acquire() == 1
    assert not await one.renew(1)


async def test_whoever_did_not_hear_that_it_has_the_lease_asks_again(raw: Connections) -> None:
    one = Lease(raw, "one")
    assert await one.acquire() == 1
    assert await one.acquire() == 2


async def test_the_time_that_the_renewal_took_is_not_counted_in(
    raw: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease(raw, "one", ttl_s=10)
    call = raw.call

    async def slow(*command: Any) -> Any:
        answer = await call(*command)
        await asyncio.sleep(0.2)
        return answer

    monkeypatch.setattr(raw, "call", slow)
    assert await lease.acquire() == 1
    assert 9 < lease.left_s <= 9.8
    assert await lease.renew(1)
    assert 9 < lease.left_s <= 9.8

"""The lease: one holder at a time, a higher epoch with each, and time judged to the holder's disadvantage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from stages.stage3 import keys
from stages.stage3.db_writer import CAMPAIGN_S
from stages.stage3.lease import TTL_S, Lease
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.store.connections import Connections

LONG_S = 600.0
"""A lease that does not run out while a test looks at it, however slow the machine is."""


def lease(raw: Connections, holder: str) -> Lease:
    return Lease(raw, holder, ttl_s=LONG_S)


async def taken(lease: Lease) -> int:
    """Return the epoch in which a candidate is the holder now."""
    epoch = await lease.acquire()
    assert epoch is not None
    return epoch


async def test_of_all_candidates_one_gets_the_lease(raw: Connections) -> None:
    candidates = [lease(raw, f"node-{number}") for number in range(5)]
    epochs = await asyncio.gather(*(candidate.acquire() for candidate in candidates))
    assert sum(epoch is not None for epoch in epochs) == 1
    assert sum(candidate.left_s > 0 for candidate in candidates) == 1
    assert 0 < await raw.call("PTTL", keys.LEASE) <= LONG_S * 1000


async def test_a_dead_writer_is_replaced_within_seconds(raw: Connections) -> None:
    """By Redis's clock its lease has run out in that time; who campaigns asks for it several times a second."""
    await taken(Lease(raw, "one"))
    left_ms = await raw.call("PTTL", keys.LEASE)
    assert left_ms != -1  # it would never run out; -2: it has already
    assert left_ms <= TTL_S * 1000
    assert TTL_S + CAMPAIGN_S < 3


async def test_a_released_lease_is_free_at_once_and_its_next_epoch_is_higher(raw: Connections) -> None:
    one, two = lease(raw, "one"), lease(raw, "two")
    epoch = await taken(one)
    await two.release()  # of what it does not hold
    assert await two.acquire() is None
    await one.release()
    assert one.left_s == 0
    assert await taken(two) > epoch


async def test_a_lease_that_is_not_renewed_runs_out(raw: Connections) -> None:
    one, two = Lease(raw, "one", ttl_s=0.05), lease(raw, "two")
    first = await taken(one)
    epochs = []

    async def taken_over() -> bool:
        epochs.append(await two.acquire())
        return epochs[-1] is not None

    await eventually(taken_over, "the lease runs out")
    assert one.left_s == 0
    assert not await one.renew(first)
    assert one.left_s == 0
    assert await two.renew(epochs[-1])


async def test_a_renewed_lease_lasts_longer(raw: Connections) -> None:
    one = lease(raw, "one")
    epoch = await taken(one)
    await raw.call("PEXPIRE", keys.LEASE, round(LONG_S * 500))
    assert await one.renew(epoch)
    assert await raw.call("PTTL", keys.LEASE) > LONG_S * 500


async def test_a_lease_that_ran_out_can_be_renewed_while_nobody_has_taken_it(raw: Connections) -> None:
    one, two = lease(raw, "one"), lease(raw, "two")
    epoch = await taken(one)
    await raw.call("DEL", keys.LEASE)
    assert await one.renew(epoch)
    assert await two.acquire() is None


@pytest.mark.parametrize("saved", ["0", None], ids=["an older save", "nothing"])
async def test_a_redis_that_was_set_back_gives_no_epoch_twice(raw: Connections, saved: str | None) -> None:
    """Whoever still acts in an epoch that Redis has forgotten is refused, also when a holder after it has none."""
    one, two = lease(raw, "one"), lease(raw, "two")
    first = await taken(one)
    await raw.call("FLUSHALL")
    if saved is not None:
        await raw.call("SET", keys.EPOCH, saved)
    assert await taken(two) > first
    await two.release()
    assert not await one.renew(first)
    assert one.left_s == 0


async def test_a_clock_that_was_set_back_gives_no_epoch_twice(raw: Connections) -> None:
    ahead = 2**52
    await raw.call("SET", keys.EPOCH, ahead)
    one = lease(raw, "one")
    first = await taken(one)
    assert first > ahead
    assert await one.renew(first)
    await one.release()
    assert await taken(one) > first


async def test_whoever_did_not_hear_that_it_has_the_lease_asks_again(raw: Connections) -> None:
    one = lease(raw, "one")
    epoch = await taken(one)
    assert await taken(one) > epoch


async def test_the_time_that_the_renewal_took_is_not_counted_in(
    raw: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lease(raw, "one")
    call = raw.call
    took_s = 0.05

    async def slow(*command: Any) -> Any:
        answer = await call(*command)
        await asyncio.sleep(took_s)
        return answer

    monkeypatch.setattr(raw, "call", slow)
    epoch = await taken(one)
    assert 0 < one.left_s <= LONG_S - took_s
    assert await one.renew(epoch)
    assert 0 < one.left_s <= LONG_S - took_s

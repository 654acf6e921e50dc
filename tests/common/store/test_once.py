"""A write is made once under its key, only on the version expected, and in time or not at all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from common.domain.errors import AskerGoneError, KeyReusedError, OutdatedError, UnknownMatchError
from common.domain.events import Event
from common.domain.match import Team
from common.store import keys
from common.store.connections import Connections
from common.store.errors import ConflictError, StoreUnavailableError, UnknownOutcomeError
from common.store.redis_store import RedisStore
from common.store.terms import PLAIN, Terms
from tests.common.store import records
from tests.redis_server import RedisServer

MATCH = records.match()
FIRST, OTHER = Terms("key", "of-this"), Terms("key", "of-that")


@pytest.fixture
async def raw(redis: RedisServer) -> AsyncIterator[Connections]:
    raw = Connections(redis.url, 1, 10.0, 20.0)
    yield raw
    await raw.close()


def event(seq: int, comment: str = "") -> Event:
    return Event(seq, datetime(2011, 9, 10, 19, 0, seq, tzinfo=UTC), "goal", {"comment": comment})


async def append(store: RedisStore, seq: int, terms: Terms = PLAIN, comment: str = "") -> Event | None:
    return await store.append(records.match(seq=seq), event(seq, comment), terms=terms)


async def version(store: RedisStore) -> str:
    found = await store.version(MATCH.id)
    assert found is not None
    return found[1]


async def test_an_event_under_a_key_that_was_used_is_the_one_of_then(store: RedisStore) -> None:
    await store.create_match(MATCH)
    assert await store.check(MATCH.id, FIRST) is None
    assert await append(store, 1, FIRST, "first") is None
    await append(store, 2)
    for seq in (1, 2, 3):
        assert await append(store, seq, FIRST, "again") == event(1, "first")
    assert await store.check(MATCH.id, FIRST) == event(1, "first")
    assert await store.history(MATCH.id) == [event(1, "first"), event(2)]
    with pytest.raises(KeyReusedError):
        await append(store, 3, OTHER)
    with pytest.raises(KeyReusedError):
        await store.check(MATCH.id, OTHER)
    assert await store.match(MATCH.id) == records.match(seq=2)


async def test_what_was_refused_keeps_no_key(store: RedisStore) -> None:
    with pytest.raises(UnknownMatchError):
        await append(store, 1, FIRST)
    await store.create_match(MATCH)
    with pytest.raises(ConflictError):
        await append(store, 2, FIRST)
    with pytest.raises(OutdatedError, match="has 0 events now"):
        await append(store, 1, Terms("key", "of-this", ("1",)))
    assert await append(store, 1, FIRST) is None


async def test_of_two_who_use_a_key_at_once_one_is_stored_and_both_get_it(
    store: RedisStore, redis: RedisServer
) -> None:
    other = RedisStore(redis.url)
    await store.create_match(MATCH)
    for seq in range(1, 21):
        terms = Terms(f"key-{seq}", "same")
        mine, theirs = await asyncio.gather(append(store, seq, terms, "a"), append(other, seq, terms, "b"))
        stored = (await store.history(MATCH.id))[-1]
        assert [mine, theirs] in ([None, stored], [stored, None])
    assert len(await store.history(MATCH.id)) == 20
    await other.close()


async def test_the_keys_of_events_go_with_their_match(store: RedisStore, raw: Connections) -> None:
    await store.create_match(MATCH)
    await append(store, 1, FIRST)
    assert await raw.call("TTL", keys.answers_key(MATCH.id)) == -1
    await store.cancel(MATCH.id)
    assert await raw.call("EXISTS", keys.answers_key(MATCH.id)) == 0
    await store.create_match(MATCH)
    assert await append(store, 1, OTHER) is None


async def test_other_writes_are_answered_as_they_were_for_a_day(store: RedisStore, raw: Connections) -> None:
    team, create, cancel = (Terms(name, "same") for name in ("team", "create", "cancel"))
    renamed = Team(id="tig", name="Club Atlético Tigre", players=records.SQUAD)
    assert await store.put_team(records.TEAM, team)
    assert not await store.put_team(renamed)
    assert await store.put_team(records.TEAM, team)  # new, as it was: nothing is put again
    assert await store.team("tig") == renamed

    assert await store.create_match(MATCH, create) == MATCH
    await append(store, 1)
    assert await store.create_match(MATCH, create) == MATCH
    assert await store.match(MATCH.id) == records.match(seq=1)

    assert not await store.was_cancelled(cancel)
    assert await store.cancel(MATCH.id, cancel)
    assert await store.was_cancelled(cancel)
    await store.create_match(MATCH)
    assert not await store.cancel(MATCH.id, cancel)  # it is another by now
    assert await store.match(MATCH.id) == MATCH

    for terms in (team, create, cancel):
        assert 0 < await raw.call("TTL", keys.answer_key(terms.key)) <= 24 * 60 * 60
        another = Terms(terms.key, "another")
        for write in (store.put_team(renamed, another), store.create_match(MATCH, another), store.cancel("x", another)):
            with pytest.raises(KeyReusedError):
                await write
        with pytest.raises(KeyReusedError):
            await store.was_cancelled(another)


async def test_a_write_is_made_on_the_version_that_was_expected_only(store: RedisStore) -> None:
    await store.create_match(MATCH)
    first = await version(store)
    await append(store, 1, Terms(expected=(first,)))
    await append(store, 2, Terms(expected=("7", "1")))
    for expected in (first, "0", "W/2", f"3-{first.partition('-')[2]}"):
        with pytest.raises(OutdatedError, match=f"match {MATCH.id} has 2 events now"):
            await append(store, 3, Terms(expected=(expected,)))
        with pytest.raises(OutdatedError):
            await store.check(MATCH.id, Terms(expected=(expected,)))
        with pytest.raises(OutdatedError):
            await store.cancel(MATCH.id, Terms(expected=(expected,)))
    assert await store.match(MATCH.id) == records.match(seq=2)
    assert await store.cancel(MATCH.id, Terms(expected=(await version(store),)))


async def test_a_match_that_was_announced_anew_has_another_version(store: RedisStore) -> None:
    versions = set()
    for _ in range(3):
        await store.create_match(MATCH)
        versions.add(await version(store))
        await store.cancel(MATCH.id)
    assert len(versions) == 3


async def test_a_match_of_an_older_version_of_the_program_is_told_by_its_events(
    store: RedisStore, raw: Connections
) -> None:
    await store.create_match(MATCH)
    await raw.call("HDEL", keys.match_key(MATCH.id), keys.MADE_FIELD)
    assert await version(store) == "0"
    assert await append(store, 1, Terms(expected=("0",))) is None


class StopsRedis(RedisStore):
    """Has its Redis stopped when the clock was read and the write is about to be sent."""

    pid: int | None = None

    async def _deadline_ms(self, terms: Terms) -> int:
        deadline_ms = await super()._deadline_ms(terms)
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)
        return deadline_ms


async def _create(store: RedisStore) -> object:
    return await store.create_match(MATCH)


async def _append(store: RedisStore) -> object:
    return await append(store, 2)


async def _cancel(store: RedisStore) -> object:
    return await store.cancel(MATCH.id)


async def _put(store: RedisStore) -> object:
    return await store.put_team(records.TEAM)


@pytest.mark.parametrize("write", [_create, _append, _cancel, _put])
async def test_what_a_redis_that_was_stopped_gets_to_too_late_is_not_done(
    store: RedisStore, redis: RedisServer, raw: Connections, write: Callable[[RedisStore], Awaitable[object]]
) -> None:
    """It is in the kernel, of a connection that was given up, and Redis carries it out when it goes on."""
    if write is not _create:
        await store.create_match(MATCH)
        await append(store, 1)
    before = await store.matches(), await store.history(MATCH.id), await store.team("tig")
    await raw.call("CONFIG", "RESETSTAT")
    hasty = StopsRedis(redis.url, command_timeout=2.0)
    hasty.pid = redis.pid
    assert hasty.pid is not None
    try:
        with pytest.raises(UnknownOutcomeError, match="did not answer within"):
            await write(hasty)
    finally:
        os.kill(hasty.pid, signal.SIGCONT)
    while b"cmdstat_eval:" not in await raw.call("INFO", "commandstats"):  # noqa: ASYNC110  # Redis tells nobody
        await asyncio.sleep(0.01)
    assert (await store.matches(), await store.history(MATCH.id), await store.team("tig")) == before
    await hasty.close()
    await write(store)  # in time
    assert (await store.matches(), await store.history(MATCH.id), await store.team("tig")) != before


async def test_a_redis_that_is_stopped_before_it_is_asked_the_time_gets_no_write(redis: RedisServer) -> None:
    store = RedisStore(redis.url, command_timeout=2.0)
    await store.create_match(MATCH)
    assert redis.pid is not None
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailableError) as caught:
            await append(store, 1)
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    assert not isinstance(caught.value, UnknownOutcomeError)
    await store.close()


async def test_whoever_has_hung_up_gets_no_write(store: RedisStore) -> None:
    gone = Terms(is_gone=lambda: True)
    for write in (store.create_match(MATCH, gone), store.put_team(records.TEAM, gone), store.cancel(MATCH.id, gone)):
        with pytest.raises(AskerGoneError):
            await write
    await store.create_match(MATCH)
    with pytest.raises(AskerGoneError):
        await append(store, 1, gone)
    assert await store.match(MATCH.id) == MATCH
    assert await store.team("tig") is None

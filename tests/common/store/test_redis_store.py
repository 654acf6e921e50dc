import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Self

import pytest
from redis.crc import key_slot

from common.domain.errors import UnknownMatchError
from common.domain.events import Event
from common.domain.match import Match, Period, Player, Team
from common.store import keys
from common.store.connections import Connections
from common.store.errors import ConflictError, StoreUnavailableError, UnreadableRecordError
from common.store.index import last_day_over, listed_at
from common.store.redis_store import RedisStore
from tests.common.store import records
from tests.redis_server import RedisServer

MATCH = records.match()


def event(seq: int, comment: str = "") -> Event:
    at = datetime(2011, 9, 10, 19, 0, seq % 60, tzinfo=UTC)
    return Event(seq=seq, at=at, kind="goal", details={"player": Player(number=7, name="Luna"), "comment": comment})


async def play(store: RedisStore, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        await store.append(records.match(seq=seq), event(seq))


@pytest.fixture
async def raw(redis: RedisServer) -> AsyncIterator[Connections]:
    """Return a connection of the test's own."""
    raw = Connections(redis.url, 1, 1.0, 10.0)
    yield raw
    await raw.close()


async def test_a_team_is_stored_and_replaced(store: RedisStore) -> None:
    renamed = Team(id="tig", name="Club Atlético Tigre", players=records.SQUAD)
    assert await store.team("tig") is None
    assert await store.put_team(records.TEAM)
    assert await store.team("tig") == records.TEAM
    assert not await store.put_team(renamed)
    assert await store.team("tig") == renamed


async def test_a_match_is_created_once(store: RedisStore) -> None:
    assert await store.match(MATCH.id) is None
    assert await store.create_match(MATCH)
    await play(store, 1, 1)
    assert not await store.create_match(MATCH)
    assert await store.match(MATCH.id) == records.match(seq=1)
    assert await store.history(MATCH.id) == [event(1)]


TODAY = datetime.now(UTC).date()
DATES = {
    "z": (Period.FIRST, date(2026, 5, 9)),
    "b": (Period.PENALTIES, date(2026, 5, 8)),
    "bb": (Period.LAST, date(2026, 5, 8)),
    "d": (Period.FIRST, date(2026, 5, 8)),
    "a": (Period.LAST, date(2020, 3, 1)),  # it was never stopped
    "y": (Period.NOT_STARTED, TODAY),
    "c": (Period.NOT_STARTED, TODAY + timedelta(days=3)),
    "v": (Period.NOT_STARTED, date(2019, 2, 2)),  # it was never started
    "w": (Period.NOT_STARTED, date(2020, 2, 2)),
    "u": (Period.NOT_STARTED, TODAY - timedelta(days=2)),  # its day is over everywhere
    "x": (Period.ENDED, date(2026, 5, 7)),
    "e": (Period.ENDED, date(2011, 9, 10)),
}
"""Matches in the order in which they are to be listed."""


@pytest.fixture
async def listed(store: RedisStore) -> list[Match]:
    """Store matches, and return them in the order in which they are to be listed."""
    matches = [records.match(match_id, period=period, day=day) for match_id, (period, day) in DATES.items()]
    for match in sorted(matches, key=lambda match: match.id):
        await store.create_match(match)
    return matches


def test_a_day_is_over_when_it_is_so_in_every_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            assert tz is UTC
            return cls(2011, 9, 12, tzinfo=tz)

    monkeypatch.setattr("common.store.index.datetime", Clock)
    assert last_day_over() == 20110910


async def test_matches_are_listed_the_newest_being_played_first(store: RedisStore, listed: list[Match]) -> None:
    assert await store.matches() == listed
    assert await store.current_match() == listed[0]


async def test_matches_are_listed_page_by_page(store: RedisStore, listed: list[Match]) -> None:
    for size in range(1, len(listed) + 2):
        pages = [await store.matches(limit=size)]
        while pages[-1]:
            pages.append(await store.matches(after=listed_at(pages[-1][-1]), limit=size))
        assert [len(page) for page in pages[:-2]] == [size] * (len(pages) - 2)
        assert [match for page in pages for match in page] == listed
    assert await store.matches(after=listed_at(listed[2])) == listed[3:]
    assert await store.matches(limit=0) == []


async def test_a_list_goes_on_behind_a_match_that_is_gone_and_over_those_that_cannot_be_read(
    store: RedisStore, raw: Connections, listed: list[Match]
) -> None:
    for gone in listed:
        await store.cancel(gone.id)
        behind = listed[listed.index(gone) + 1 :]
        assert await store.matches(after=listed_at(gone)) == behind
        assert await store.matches(after=listed_at(gone), limit=2) == behind[:2]
        place = listed_at(gone)
        await raw.call("ZADD", keys.INDEX[place.number - 1], place.score, gone.id)
        await raw.call("SET", keys.match_key(gone.id), "of another type")
        assert await store.matches(after=listed_at(gone), limit=2) == behind[:2]
    assert await store.matches(limit=2) == []


async def test_without_matches_the_list_is_empty(store: RedisStore) -> None:
    assert await store.matches() == []
    assert await store.current_match() is None


async def test_the_current_match_is_the_next_to_come_or_else_the_last_that_ended(
    store: RedisStore, listed: list[Match]
) -> None:
    for match in listed:
        assert await store.current_match() == match
        await store.cancel(match.id)
    assert await store.current_match() is None


async def test_an_event_moves_a_match_in_the_list(store: RedisStore, listed: list[Match]) -> None:
    coming = listed[6]
    for seq, period, place in ((1, Period.FIRST, 0), (2, Period.LAST, 0), (3, Period.ENDED, 9)):
        match = records.match(coming.id, seq=seq, period=period, day=coming.date)
        await store.append(match, event(seq))
        others = [other for other in listed if other.id != coming.id]
        assert await store.matches() == [*others[:place], match, *others[place:]]


async def test_an_id_whose_match_was_deleted_by_hand_is_passed_over(
    store: RedisStore, raw: Connections, listed: list[Match]
) -> None:
    for match in listed[:2]:
        await raw.call("DEL", keys.match_key(match.id))
    assert await store.current_match() == listed[2]
    assert await store.matches() == listed[2:]
    assert await store.matches(limit=2) == listed[2:4]


async def test_what_an_older_version_has_stored_is_taken_over_once(
    store: RedisStore, raw: Connections, redis: RedisServer, listed: list[Match]
) -> None:
    unreadable = {"f": b"{", "g": b"[]", "h": b"{}", "i": b"7"}
    for match_id, match in unreadable.items():
        await raw.call("HSET", keys.match_key(match_id), "seq", 0, keys.MATCH_FIELD, match)
    many = [f"m{number}" for number in range(1500)]  # their matches are gone
    await raw.call("SADD", keys.OLD_MATCHES, *(match.id for match in listed), *unreadable, *many)
    await raw.call("DEL", *keys.INDEX)
    stores = [RedisStore(redis.url) for _ in range(3)]
    await asyncio.gather(*(each.take_over() for each in stores))
    assert await raw.call("EXISTS", keys.OLD_MATCHES) == 0
    assert await store.matches(limit=len(listed)) == listed
    assert await raw.call("ZRANGE", keys.ENDED, -4, -1) == [name.encode() for name in unreadable]
    for each in stores:
        await each.take_over()  # again: there is nothing left to do
        await each.close()
    assert await store.matches(limit=len(listed)) == listed


async def test_finding_the_current_match_costs_the_same_however_many_have_ended(
    store: RedisStore, raw: Connections, listed: list[Match]
) -> None:
    async def asked() -> list[tuple[str, int]]:
        """Return how often Redis has carried out each command for one question."""
        await raw.call("CONFIG", "RESETSTAT")
        assert await store.current_match() == listed[0]
        stats = (await raw.call("INFO", "commandstats")).decode().splitlines()
        calls = (re.match(r"cmdstat_(\w+):calls=(\d+)", line) for line in stats)
        return sorted((found[1], int(found[2])) for found in calls if found)

    few = await asked()
    for number in range(300):
        await store.create_match(records.match(f"n{number}", period=Period.ENDED))
    assert await asked() == few
    assert dict(few)["eval"] == 1


async def test_an_event_is_stored_with_its_match(store: RedisStore) -> None:
    await store.create_match(MATCH)
    await play(store, 1, 12)
    assert await store.match(MATCH.id) == records.match(seq=12)
    assert await store.history(MATCH.id) == [event(seq) for seq in range(1, 13)]
    assert await store.history(MATCH.id, after_seq=9) == [event(seq) for seq in (10, 11, 12)]
    assert await store.history(MATCH.id, after_seq=12) == []


async def test_an_event_for_an_unknown_match_is_refused_and_leaves_nothing(store: RedisStore) -> None:
    with pytest.raises(UnknownMatchError, match=MATCH.id):
        await play(store, 1, 1)
    assert await store.history(MATCH.id) == []
    assert await store.match(MATCH.id) is None


@pytest.mark.parametrize("seq", [1, 2, 4, 10])
async def test_an_event_out_of_turn_conflicts_and_leaves_nothing(store: RedisStore, seq: int) -> None:
    await store.create_match(MATCH)
    await play(store, 1, 2)
    with pytest.raises(ConflictError, match=f"has 2 events, so event {seq} cannot follow"):
        await play(store, seq, seq)
    assert await store.match(MATCH.id) == records.match(seq=2)
    assert await store.history(MATCH.id) == [event(1), event(2)]


async def test_a_match_and_an_event_that_do_not_belong_together_are_refused(store: RedisStore) -> None:
    with pytest.raises(ValueError, match="after 3 events was to be stored with event 4"):
        await store.append(records.match(seq=3), event(4))


async def test_of_writers_who_race_exactly_one_wins_each_turn(redis: RedisServer, store: RedisStore) -> None:
    await store.create_match(MATCH)
    writers = [RedisStore(redis.url), RedisStore(redis.url), RedisStore(redis.url)]
    winners = []
    for seq in range(1, 21):
        attempts = [writer.append(records.match(seq=seq), event(seq, f"{i}")) for i, writer in enumerate(writers)]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if outcome is not None] == [ConflictError, ConflictError]
        winners.append(str(outcomes.index(None)))
    assert [stored.details["comment"] for stored in await store.history(MATCH.id)] == winners
    for writer in writers:
        await writer.close()


async def test_a_refused_event_leaves_the_match_as_it_was(store: RedisStore, redis: RedisServer) -> None:
    await store.create_match(MATCH)
    raw = Connections(redis.url, 1, 1.0, 1.0)
    await raw.call("SET", keys.events_key(MATCH.id), "not a stream")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        await play(store, 1, 1)
    await raw.call("DEL", keys.events_key(MATCH.id))
    await raw.close()
    assert await store.match(MATCH.id) == MATCH
    await play(store, 1, 1)


async def test_cancelling_deletes_a_match_and_its_events(store: RedisStore) -> None:
    await store.create_match(MATCH)
    await play(store, 1, 3)
    assert await store.cancel(MATCH.id)
    assert await store.match(MATCH.id) is None
    assert await store.history(MATCH.id) == []
    assert await store.matches() == []
    assert not await store.cancel(MATCH.id)


async def test_a_cancelled_match_can_be_played_anew(store: RedisStore) -> None:
    await store.create_match(MATCH)
    await play(store, 1, 3)
    await store.cancel(MATCH.id)
    assert await store.create_match(MATCH)
    await play(store, 1, 1)
    assert await store.history(MATCH.id) == [event(1)]


async def test_a_match_that_is_there_is_listed_however_creating_and_cancelling_race(redis: RedisServer) -> None:
    stores = [RedisStore(redis.url) for _ in range(4)]
    for _ in range(50):
        await asyncio.gather(*(s.create_match(MATCH) if i % 2 else s.cancel(MATCH.id) for i, s in enumerate(stores)))
        there = await stores[0].match(MATCH.id)
        assert await stores[0].matches() == ([] if there is None else [there])
    for store in stores:
        await store.close()


async def test_visits_are_counted_by_user(store: RedisStore) -> None:
    assert [await store.visit("ana"), await store.visit("ana"), await store.visit("bea")] == [1, 2, 1]
    assert await store.visit("ñandú {x} 7") == 1


async def test_no_visit_is_lost_or_doubled_when_many_come_at_once(redis: RedisServer) -> None:
    store = RedisStore(redis.url, connections=5)
    counts = await asyncio.gather(*(store.visit("ana") for _ in range(200)))
    assert sorted(counts) == list(range(1, 201))
    assert store.statistics().opened == 5
    await store.close()


async def test_what_was_acknowledged_outlives_a_crash_and_service_resumes(
    redis: RedisServer, store: RedisStore
) -> None:
    await store.create_match(MATCH)
    await play(store, 1, 5)
    await store.visit("ana")
    await redis.kill()
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            await play(store, 6, 6)
    await redis.start()
    await play(store, 6, 7)
    assert await store.history(MATCH.id) == [event(seq) for seq in range(1, 8)]
    assert await store.match(MATCH.id) == records.match(seq=7)
    assert await store.matches() == [records.match(seq=7)]
    assert await store.visit("ana") == 2


async def test_a_redis_that_was_away_between_two_calls_is_not_noticed(redis: RedisServer, store: RedisStore) -> None:
    await store.create_match(MATCH)
    await redis.stop()
    await redis.start()
    await play(store, 1, 1)
    assert store.statistics().failures == 0


async def test_over_tcp_with_a_password() -> None:
    async with RedisServer(tcp=True, password="s3cret&/") as redis:  # noqa: S106 - of this test alone
        store = RedisStore(redis.url)
        await store.ping()
        assert await store.create_match(MATCH)
        await store.close()


async def test_a_record_that_cannot_be_read_is_named(store: RedisStore, redis: RedisServer) -> None:
    raw = Connections(redis.url, 1, 1.0, 1.0)
    await raw.call("HSET", keys.match_key(MATCH.id), keys.MATCH_FIELD, "{}")
    await raw.close()
    with pytest.raises(UnreadableRecordError, match=f"the match {MATCH.id} cannot be read.* or cancel the match"):
        await store.match(MATCH.id)


@pytest.mark.parametrize("match_id", [MATCH.id, "x"])
def test_a_match_and_its_events_share_a_slot_of_a_cluster(match_id: str) -> None:
    slots = {key_slot(key.encode()) for key in (keys.match_key(match_id), keys.events_key(match_id))}
    assert slots == {key_slot(match_id.encode())}


def test_arbitrary_matches_differ_in_slot() -> None:
    assert len({key_slot(keys.match_key(f"match-{i}").encode()) for i in range(50)}) > 40


async def test_a_match_read_again_is_the_one_stored_last(redis: RedisServer, store: RedisStore) -> None:
    other = RedisStore(redis.url)
    await store.create_match(MATCH)
    seen: list[Match | None] = [await store.match(MATCH.id)]
    for seq in (1, 2):
        await other.append(records.match(seq=seq), event(seq))
        seen.append(await store.match(MATCH.id))
    assert seen == [records.match(seq=seq) for seq in (0, 1, 2)]
    await other.close()

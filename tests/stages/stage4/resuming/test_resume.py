"""What fans hear who are cut off and come back: in all what happened, each event once and in order."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from common.domain import rules
from common.domain.posts import Foul
from common.store.redis_store import RedisStore
from common.wire.frames import epoch_of
from stages.catalogue import find_stage
from tests.stages.game import Game
from tests.stages.stage4.resuming.numbered import Numbered, Served, check, post, serving, small_windows

if TYPE_CHECKING:
    from common.domain.events import Event

OTHER_COURSE = "the match was set back, or announced anew: what you heard last is no part of it any more"


async def test_a_numbered_stream_says_at_each_moment_where_it_is(served: Served, game: Game) -> None:
    await post(game, "before")
    async with served.fan() as fan:
        await fan.begin(game.id)
        history = await game.api.history(game.id)
        assert fan.place == (2, epoch_of(history[1].at))
        assert list(fan.frames[0].details)[:1] == ["home"]
        await post(game, "after")
        await game.stop()
        await fan.read_to_end()
    assert fan.kinds == ["status", "foul", "stop"]
    check(fan.frames[1:], (await game.api.history(game.id))[2:])


async def test_who_names_no_match_gets_the_current_one(served: Served, game: Game) -> None:
    async with served.fan() as fan, served.fan() as again:
        await fan.begin("")
        await post(game, "missed")
        await again.resume("", fan.place)
        await again.read_until(lambda: bool(again.frames))
    assert fan.kinds[0] == "status"
    assert again.told() == ["missed"]


async def test_who_comes_back_is_sent_what_it_missed(served: Served, game: Game) -> None:
    async with served.fan() as stays:
        await stays.begin(game.id)
        async with served.fan() as goes:
            await goes.begin(game.id)
            await post(game, "heard")
            await goes.read_events(1)
        await post(game, "missed-0", "missed-1")
        async with served.fan() as again:
            await again.resume(game.id, goes.place)
            assert again.resumed == ["2 events after 2"]
            await post(game, "live")
            await game.stop()
            for fan in (again, stays):
                await fan.read_to_end()
    assert again.kinds == ["foul", "foul", "foul", "stop"]
    check([*goes.frames[1:], *again.frames], (await game.api.history(game.id))[1:])
    check(stays.frames[1:], (await game.api.history(game.id))[1:])


async def test_who_missed_nothing_hears_only_what_comes(served: Served, game: Game) -> None:
    async with served.fan() as fan, served.fan() as again:
        await fan.begin(game.id)
        await again.resume(game.id, fan.place)
        assert again.resumed == ["0 events after 1"]
        await post(game, "next")
        await again.read_until(lambda: bool(again.frames))
    assert again.told() == ["next"]
    assert again.place[0] == 2


async def test_what_is_gone_from_the_window_is_told_by_a_status_that_says_so(
    served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 4)
    async with served.fan() as fan, served.fan() as late, served.fan() as in_time:
        await fan.begin(game.id)
        await post(game, *(f"foul-{number}" for number in range(6)))
        await fan.read_events(6)
        await late.resume(game.id, fan.frames[1].place or (0, 0))
        await in_time.resume(game.id, fan.frames[2].place or (0, 0))
        await post(game, "next")
        for one in (late, in_time):
            await one.read_until(lambda one=one: one.told()[-1:] == ["next"])  # type: ignore[misc]
    assert late.kinds == ["status", "foul"]
    assert late.frames[0].missed == "events 3 to 7"
    assert late.frames[0].place == fan.frames[6].place
    assert late.resumed == []
    assert in_time.told() == ["foul-2", "foul-3", "foul-4", "foul-5", "next"]


async def test_a_course_that_is_none_any_more_is_said_to_be(served: Served, game: Game) -> None:
    """It has gone less far than the fan, as far, and further."""
    async with served.fan() as fan:
        await fan.begin(game.id)
        await post(game, "old-0", "old-1")
        await fan.read_events(2)
        await game.api.cancel_match(game.id)
        await fan.read_to_end()
    assert len(fan.errors) == 1
    await game.announce()
    await game.start()
    async with AsyncExitStack() as stack:
        for number in range(4):
            again = await stack.enter_async_context(served.fan())
            await again.resume(game.id, fan.place)
            assert again.frames[0].missed == OTHER_COURSE
            assert again.place[0] == number + 1
            await post(game, f"new-{number}")
            await again.read_events(1)
            assert again.told() == [f"new-{number}"]


async def test_a_course_is_not_known_by_its_numbers_alone(served: Served, game: Game) -> None:
    async with served.fan() as fan, served.fan() as other, served.fan() as trusting:
        await fan.begin(game.id)
        await post(game, "one", "two")
        await fan.read_events(2)
        number, epoch = fan.frames[1].place or (0, 0)
        await other.resume(game.id, (number, epoch + 1))
        await trusting.resume(game.id, (number, 0))
        await trusting.read_until(lambda: bool(trusting.frames))
    assert (other.kinds, other.frames[0].missed) == (["status"], OTHER_COURSE)
    assert trusting.told() == ["two"]


@pytest.mark.parametrize("place", [(2, 5), (10**18 - 1, 10**18 - 1), (2, 0)])
async def test_a_place_in_the_future_is_none(served: Served, game: Game, place: tuple[int, int]) -> None:
    async with served.fan() as fan:
        await fan.resume(game.id, place)
        await post(game, "next")
        await fan.read_events(1)
    assert fan.kinds == ["status", "foul"]
    assert fan.frames[0].missed == OTHER_COURSE
    assert fan.place[0] == 2


async def post_elsewhere(redis_url: str, game: Game) -> Event:
    """Have an event stored that the server does not know of."""
    store = RedisStore(redis_url)
    before = await store.match(game.id)
    assert before is not None
    match, event = rules.apply(before, Foul(team=game.new.home, comment="elsewhere"), datetime.now(UTC))
    await store.append(match, event, after=before.last_at)
    await store.close()
    return event


async def test_the_place_of_a_status_is_that_of_which_it_tells(served: Served, game: Game, redis_url: str) -> None:
    event = await post_elsewhere(redis_url, game)
    async with served.fan() as fan:
        await fan.begin(game.id)
        assert fan.place == (2, epoch_of(event.at))
        await post(game, "next")
        await fan.read_events(1)
    check(fan.frames[1:], (await game.api.history(game.id))[2:])


async def test_a_server_that_is_late_learns_from_a_fan_who_knows_more(
    served: Served, game: Game, redis_url: str
) -> None:
    """An event that this server has not heard of was told by another one, which has ended."""
    async with served.fan() as watching, served.fan() as knows:
        await watching.begin(game.id)
        event = await post_elsewhere(redis_url, game)
        await knows.resume(game.id, (event.seq, epoch_of(event.at)))
        assert knows.resumed == ["0 events after 2"]
        await watching.read_events(1)
        await post(game, "next")
        await knows.read_until(lambda: bool(knows.frames))
        await watching.read_events(2)
    assert knows.told() == ["next"]
    assert watching.told() == ["elsewhere", "next"]


async def test_after_the_end_there_is_still_what_was_missed(
    served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 4)
    async with served.fan() as fan:
        await fan.begin(game.id)
        await post(game, "heard-0", "heard-1")
        await fan.read_events(2)
        fan.leave()
        await post(game, "missed")
        await game.stop()
    history = await game.api.history(game.id)
    first, heard, last = fan.frames[0].place, fan.frames[1].place, (5, epoch_of(history[-1].at))
    told: list[Numbered] = []
    for place in (heard, first, last, (9, 9), (3, 1)):
        async with served.fan() as again:
            told.append(await again.resume(game.id, place or (0, 0)))
            await again.read_to_end()
    resumed, at_the_edge, has_heard_all, *others = told
    check(resumed.frames, history[2:])
    assert resumed.resumed == ["3 events after 2"]
    check(at_the_edge.frames, history[1:])
    assert (has_heard_all.kinds, has_heard_all.frames[0].missed) == (["status"], "")
    for other in others:
        assert (other.kinds, other.frames[0].missed) == (["status"], OTHER_COURSE)
        assert other.frames[0].details["period"] == "ended"
        assert other.place == last
    small_windows(monkeypatch, 2)
    async with served.fan() as late:
        await late.resume(game.id, heard or (0, 0))
        await late.read_to_end()
    assert (late.kinds, late.frames[0].missed) == (["status"], "events 3 to 5")


async def test_before_the_start_there_is_a_status(served: Served) -> None:
    game = await Game.announced(served.api, "m")
    for begins in (True, False):
        async with served.fan() as fan:
            await (fan.begin(game.id) if begins else fan.resume(game.id, (0, 0)))
            await fan.read_to_end()
        assert (fan.kinds, fan.place, fan.frames[0].missed) == (["status"], (0, 0), "")
    await game.start()
    await post(game, "first")
    async with served.fan() as fan:
        await fan.resume(game.id, (0, 0))
        await fan.read_until(lambda: len(fan.frames) == 2)
    check(fan.frames, await game.api.history(game.id))


async def test_who_wants_no_numbers_gets_none(served: Served, game: Game) -> None:
    async with served.fan() as numbered, served.fan() as plain, served.fan() as old:
        await numbered.begin(game.id)
        await plain.watch("plain", game.id)
        await old.watch("old")
        await post(game, "one", "two")
        await game.stop()
        for fan in (numbered, plain, old):
            await fan.read_to_end()
            assert fan.kinds == ["status", "foul", "foul", "stop"]
            assert fan.told() == ["one", "two"]
        drops = (await served.api.statistics()).drops
    assert plain.raw.count(b"number:") == plain.raw.count(b"epoch:") == 0
    after_the_status = plain.raw.partition(b"period: first")[2]
    assert after_the_status.count(b": foul:") == 2
    assert after_the_status == old.raw.partition(b"period: first")[2]
    assert not sum(drops.values())


async def test_an_unknown_match_and_a_place_that_is_none_are_refused(served: Served) -> None:
    for said, told in (
        (b"V:3:me:nothing:4:5\n", "there is no match nothing"),
        (b"V:3:me::4:5\n", "there is no match to watch now"),
        (b"V:3:me:m:x:5\n", "the last number is not a number"),
        (b"V:3:me\n", "expected V:2:<user> or"),
    ):
        async with served.fan() as fan:
            await fan.send(said)
            await fan.read_to_end()
        assert len(fan.errors) == 1
        assert fan.errors[0].startswith(told)


async def test_without_the_lesson_nobody_is_numbered(redis_url: str) -> None:
    async with (
        serving(find_stage("4", left_out=["resume", "event-source", "websocket"]), redis_url) as served,
        served.fan() as fan,
    ):
        await fan.send(b"V:3:me::1:2\n")
        await fan.read_to_end()
    assert fan.errors == ["expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>"]

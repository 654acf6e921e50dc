"""What may happen between two steps: an answer is lost, a match is stopped, cancelled or gone on meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from common.domain import rules
from common.domain.posts import Foul
from common.http.client import ApiError
from common.store.errors import StoreUnavailableError, UnknownOutcomeError
from common.store.redis_store import RedisStore
from stages.stage0.messages import EventManager
from stages.stage0.user import User
from tests.stages.game import Game
from tests.stages.in_process.running import are_subscribed, play_on, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.domain.events import Event
    from common.domain.match import Match
    from common.http.client import ReporterClient
    from common.otp import Process
    from common.store.terms import Terms
    from tests.stages.fan import Connect
    from tests.stages.in_process.running import Running

CROWD = 50
ASKERS = 300


def before_the_subscription(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], Awaitable[None]]) -> None:
    """Have something happen when the next fan has its status and no handler yet."""
    subscribe = User._subscribe  # noqa: SLF001  # there is no door between these two steps

    async def late(user: User, client: Process) -> None:
        monkeypatch.undo()
        await happen()
        await subscribe(user, client)

    monkeypatch.setattr(User, "_subscribe", late)


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_write_whose_answer_is_lost(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    """It is refused; if it was made all the same, the fans hear of it without another event."""
    append = RedisStore.append

    async def lose_the_answer(
        store: RedisStore, match: Match, event: Event, *, after: datetime | None, terms: Terms
    ) -> None:
        if is_stored:
            await append(store, match, event, after=after, terms=terms)
        raise UnknownOutcomeError("injected")

    async with watching(connect, game, "one", "two") as fans:
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "append", lose_the_answer)
            with pytest.raises(ApiError, match="cannot reach its store"):
                await game.foul("in doubt")
        if is_stored:
            for fan in fans:
                await fan.read_events(1)
        assert [event.details.get("comment") for event in await game.api.history(game.id)][1:] == (
            ["in doubt"] if is_stored else []
        )
        await play_on(game, fans)


async def test_a_stop_whose_answer_is_lost_ends_the_match(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RedisStore.append

    async def lose_the_answer(
        store: RedisStore, match: Match, event: Event, *, after: datetime | None, terms: Terms
    ) -> None:
        await append(store, match, event, after=after, terms=terms)
        raise UnknownOutcomeError("injected")

    async with watching(connect, game, "one") as fans:
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "append", lose_the_answer)
            with pytest.raises(ApiError, match="cannot reach its store"):
                await game.stop()
        await fans[0].read_to_end()
    assert fans[0].kinds == ["status", "stop"]


async def test_a_record_that_cannot_be_read_ends_nothing(
    running: Running, connect: Connect, game: Game, api: ReporterClient
) -> None:
    store = RedisStore(running.redis_url)
    await store._redis.call("HSET", "match:{broken}", "match", "{}")  # noqa: SLF001  # no door makes such a record
    await store.close()
    db = running.node["db"]
    async with watching(connect, game, "one") as fans:
        for request in (api.match("broken"), api.history("broken"), api.post_event("broken", {"kind": "stop"})):
            with pytest.raises(ApiError, match="500"):
                await request
        async with connect() as unlucky:
            await unlucky.greet("two", "broken")
            await unlucky.read_to_end()
        assert len(unlucky.errors) == 1
        assert db.alive
        await play_on(game, fans)


async def test_an_event_between_the_status_and_the_subscription(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def post() -> None:
        await game.foul("just now")

    async with connect() as fan:
        before_the_subscription(monkeypatch, post)
        await fan.watch("fan", game.id)
        await fan.read_events(1)
        await game.foul("next")
        await fan.read_events(2)
    assert fan.told() == ["just now", "next"]


async def test_a_match_that_ends_between_the_status_and_the_subscription(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end() -> None:
        await game.stop()

    async with connect() as fan:
        before_the_subscription(monkeypatch, end)
        await fan.watch("fan", game.id)
        await fan.read_to_end()
    assert fan.kinds == ["status", "stop"]
    assert fan.errors == []


async def test_a_user_asks_until_redis_is_back(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its match has ended, and its fans are told what came meanwhile though nobody posts anything any more."""
    monkeypatch.setattr("stages.stage0.user.RESUME_S", 0.01)
    asked = 0

    async def be_away(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise StoreUnavailableError("injected")

    async with watching(connect, game, "one", "two") as fans:
        await are_subscribed(game, fans)
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "history", be_away)
            running.match(game).process.kill()
            await eventually(lambda: asked > 2 * len(fans), "the users ask again")
            store = RedisStore(running.redis_url)
            await post_elsewhere(store, game)
            await store.close()
        for fan in fans:
            await fan.read_events(2)
            assert fan.told()[-1] == "meanwhile"


async def post_elsewhere(store: RedisStore, game: Game) -> None:
    """Have an event stored of which no process here is told."""
    match = await store.match(game.id)
    assert match is not None
    foul = Foul(team=game.new.home, player=7, comment="meanwhile")
    after, event = rules.apply(match, foul, datetime.now(UTC))
    assert await store.append(after, event, after=match.last_at) is None


@pytest.mark.parametrize("events", range(4))
async def test_a_match_that_is_announced_anew_behind_a_fans_back(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch, events: int
) -> None:
    """When the fan is to be notified of it, it is another match than the one of the status."""

    async def announce_anew() -> None:
        await game.api.cancel_match(game.id)
        await game.api.create_match(game.new)
        if events:
            await game.start()
        for _ in range(events - 1):
            await game.foul("of the second")

    await game.foul("of the first")
    async with connect() as fan:
        before_the_subscription(monkeypatch, announce_anew)
        await fan.greet("fan", game.id)
        await fan.read_to_end()
    assert fan.kinds == ["status"]
    (error,) = fan.errors
    assert "announced anew" in error


@pytest.mark.parametrize("is_one_user", [True, False])
async def test_a_crowd_that_asks_for_a_match_before_it_begins(
    running: Running, connect: Connect, game: Game, is_one_user: bool
) -> None:
    """Each of its processes has ended when it has answered; everybody is answered all the same."""
    announced = await Game.announced(game.api, "later")
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(connect()) for _ in range(CROWD)]
        await asyncio.gather(
            *(fan.watch("user" if is_one_user else f"user-{number}", announced.id) for number, fan in enumerate(fans))
        )
        for fan in fans:
            await fan.read_to_end()
            assert (fan.kinds, fan.errors) == (["status"], [])
    call = running.stage.parts.match_sup.call
    told = await asyncio.gather(*(call(running.node, announced.id, EventManager()) for _ in range(ASKERS)))
    assert told == [None] * ASKERS

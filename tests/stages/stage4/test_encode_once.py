"""Who comes to a match that is known is told where it stands, and nobody is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from common.store.errors import StoreUnavailableError
from common.store.redis_store import RedisStore
from stages.stage0.operations import CountVisits, MatchOf
from stages.stage4.encode_once import ready_status
from tests.stages.in_process.running import play_on, watching
from tests.stages.stage4.inside import audiences, seats_of
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    import pytest

    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running


async def test_newcomers_of_a_known_match_ask_the_database_nothing(
    running: Running, connect: Connect, game: Game, asked: list[object]
) -> None:
    async with watching(connect, game, "first") as (first,):
        assert MatchOf(game.id) in asked  # nobody was there who knew
        await game.goal("before")
        await first.read_events(1)
        (audience,) = audiences(running)
        asked.clear()
        handled = audience.handled
        async with watching(connect, game, *(f"fan-{number}" for number in range(20))) as fans:
            assert {type(operation) for operation in asked} <= {CountVisits}
            assert audience.handled == handled  # nor is anything said to another process
            assert {fan.frames[0].details["visit_score"] for fan in fans} == {1}
            await play_on(game, [])
            for fan in fans:
                await fan.read_to_end()
                assert fan.told() == [f"after-{number}" for number in range(3)]


async def test_who_comes_after_an_event_is_told_it_however_many_came_before(connect: Connect, game: Game) -> None:
    async with watching(connect, game, "first") as fans:
        for goals in range(1, 4):
            await game.goal(f"goal {goals}")
            await fans[0].read_events(goals)
            async with watching(connect, game, *(f"{goals}-{number}" for number in range(5))) as newcomers:
                assert {fan.frames[0].details["visit_score"] for fan in newcomers} == {goals}
        await game.stop()
        await fans[0].read_to_end()


async def test_while_redis_is_away_they_are_told_what_the_server_knows(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_away(*_: object) -> None:
        raise StoreUnavailableError("injected")

    async with watching(connect, game, "first") as fans:
        await game.goal("before")
        await fans[0].read_events(1)
        with monkeypatch.context() as patch:
            for name in ("match", "history", "current_match"):
                patch.setattr(RedisStore, name, be_away)
            async with watching(connect, game, "second") as late, connect() as lost:
                assert late[0].frames[0].details["visit_score"] == 1
                await lost.greet("lost")
                await lost.read_to_end()
                assert lost.errors == ["the server cannot reach its store now; connect again in a moment"]
        await game.stop()
        await fans[0].read_to_end()


async def test_the_bytes_are_made_once_a_second_and_anew_after_an_event(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2011, 9, 10, 20, 0, 0, 900_000, UTC)

    def clock() -> float:
        return now.timestamp()

    async with watching(connect, game, "first", "second") as fans:
        seats = seats_of(running)[game.id]
        await game.foul("known")
        await fans[1].read_events(1)
        monkeypatch.setattr("stages.stage4.encode_once.time", clock)
        first = ready_status(seats)
        assert first.startswith(b"2011-09-10 20:00:00: status:\n")
        now += timedelta(seconds=0.09)
        assert ready_status(seats) is first
        now += timedelta(seconds=0.02)
        second = ready_status(seats)
        assert second.startswith(b"2011-09-10 20:00:01: status:\n")
        await game.goal("later")
        await fans[1].read_events(2)
        await eventually(lambda: seats.is_known, "the match is known again")
        assert b"visit_score: 1\n" in ready_status(seats)
        assert b"visit_score: 0\n" in second

"""Whole matches: nothing lost, nothing twice, in order, for every fan whenever it comes and goes."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from common.domain.script import SAMPLE, load_script
from common.http.client import ApiError
from common.wire.frames import encode
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.domain.events import Event
    from common.http.client import ReporterClient
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect, Fan
    from tests.stages.game import Announce, Game

_FANS = 50
_EVENTS = 30


def heard_after_status(fan: Fan) -> bytes:
    """Return the bytes of the events that a fan was sent."""
    return re.split(rb"\tperiod: \w+\n\r\n", fan.raw, maxsplit=1)[1]


def visitors_goals(events: Sequence[Event]) -> int:
    return sum(event.kind == "goal" and event.details["team"] == "tig" for event in events)


def frames(events: Sequence[Event]) -> bytes:
    return b"".join(encode(event) for event in events)


async def test_the_sample_match(stage: Stage, connect: Connect, api: ReporterClient) -> None:
    script = load_script(SAMPLE)
    match_id = script.match.id
    for team in script.teams:
        await api.put_team(team)
    await api.create_match(script.match)
    start, *steps = script.steps
    answered = [await api.post_event(match_id, start.post)]
    fans: list[tuple[Fan, int]] = []  # with how many events had been accepted when it came
    for index, step in enumerate(steps):
        if index % 5 == 0:
            fan = await connect().__aenter__()
            await fan.watch(f"from-{index}", match_id)
            fans.append((fan, len(answered)))
        answered.append(await api.post_event(match_id, step.post))
    for fan, accepted in fans:
        await fan.read_to_end()
        fan.leave()
        heard = heard_after_status(fan)
        # A status that is ready may be a moment old; what has come since follows it.
        possible = range(accepted, 0, -1) if stage.has("encode-once") else [accepted]
        before = next(seq for seq in possible if heard == frames(answered[seq:]))
        assert fan.frames[0].details["visit_score"] == visitors_goals(answered[:before])

    ended = await api.match(match_id)
    assert (ended.home_score, ended.visit_score, ended.period) == (1, 3, "ended")
    assert list(await api.history(match_id)) == answered
    assert [event.seq for event in answered] == list(range(1, len(script.steps) + 1))
    async with connect() as late:
        await late.greet("late", match_id)
        await late.read_to_end()
    (status,) = late.frames
    assert (status.details["home_score"], status.details["visit_score"], status.details["period"]) == (1, 3, "ended")
    assert status.details["visit_players"] == ended.visit_players
    await api.cancel_match(match_id)


async def test_two_connections_of_one_user(connect: Connect, game: Game) -> None:
    async with connect() as one, connect() as two:
        await one.watch("same", game.id)
        await game.foul("first")
        await two.watch("same", game.id)
        await game.foul("second")
        await one.read_events(2)
        await two.read_until(lambda: two.told()[-1:] == ["second"])
        one.leave()
        await game.foul("third")
        await two.read_until(lambda: two.told()[-1:] == ["third"])
    assert one.told() == ["first", "second"]
    assert two.told()[-2:] == ["second", "third"]  # a status that is ready may be a moment old, and "first" follow it


async def test_one_user_who_watches_two_matches(connect: Connect, announce: Announce) -> None:
    games = [await announce("m"), await announce("m")]
    async with connect() as one, connect() as two:
        for fan, game in zip((one, two), games, strict=True):
            await game.start()
            await fan.watch("both", game.id)
        for game in games:
            await game.foul(f"of {game.id}")
        await one.read_events(1)
        await two.read_events(1)
    assert [*one.told(), *two.told()] == [f"of {game.id}" for game in games]


async def test_fans_who_come_and_go_while_events_flow(connect: Connect, game: Game) -> None:
    """Each fan hears an unbroken run of events that goes on from its status; those who stay hear it to the end."""
    answered: list[Event] = []

    async def attend(number: int) -> Fan:
        arrival, leaves = (number * 2) % _EVENTS, number % 3 == 0  # every third leaves after an event
        await eventually(lambda: len(answered) >= arrival, f"{arrival} events")
        async with connect() as fan:
            await fan.watch(f"fan-{number // 2}", game.id)  # two connections a user
            if leaves:
                await fan.read_until(lambda: len(fan.frames) > 1 or _told(fan) >= _EVENTS - 1)
            else:
                await fan.read_to_end()
        return fan

    async with asyncio.TaskGroup() as group:
        attending = [group.create_task(attend(number), name=f"fan-{number}") for number in range(_FANS)]
        for number in range(1, _EVENTS + 1):
            event = await (game.goal(f"{number}") if number < _EVENTS else game.stop())
            answered.append(event)  # the fans wait for it to grow

    assert list(await game.api.history(game.id))[1:] == answered
    for number, task in enumerate(attending):
        fan = task.result()
        heard, due = heard_after_status(fan), frames(answered[_told(fan) :])
        assert due.startswith(heard) if number % 3 == 0 else due == heard


def _told(fan: Fan) -> int:
    """Return how many of the goals, and of the stop after them, a fan's status tells."""
    (goals,), (period,) = fan.told("visit_score"), fan.told("period")
    assert isinstance(goals, int)
    return goals + (period == "ended")


async def test_several_reporters_at_once(connect: Connect, game: Game) -> None:
    async with connect() as fan:
        await fan.watch("fan", game.id)
        async with asyncio.TaskGroup() as group:
            posting = [group.create_task(game.foul(f"{number}"), name=f"post-{number}") for number in range(40)]
        answered = sorted((task.result() for task in posting), key=lambda event: event.seq)
        await fan.read_events(len(answered))
    assert [event.seq for event in answered] == list(range(2, 42))
    assert list(await game.api.history(game.id))[1:] == answered
    assert heard_after_status(fan) == frames(answered)


async def test_of_several_who_end_a_match_one_does(connect: Connect, game: Game) -> None:
    async with connect() as fan:
        await fan.watch("fan", game.id)
        ends = await asyncio.gather(*(game.stop() for _ in range(10)), return_exceptions=True)
        await fan.read_to_end()
    refusals = [end for end in ends if isinstance(end, ApiError)]
    assert [refusal.status for refusal in refusals] == [422] * 9
    assert fan.kinds == ["status", "stop"]

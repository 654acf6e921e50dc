"""What browsers hear that watch by EventSource: where the match stands, then each event once and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import msgspec
import pytest

from common.http.openapi import describe
from common.http.operations import OPERATIONS
from common.wire.frames import epoch_of
from stages.stage4.audience import Audience
from stages.stage4.event_source import RETRY_MS, EventSourceDoor
from tests.stages.game import Game
from tests.stages.stage4.browsers.browser import Browser, Stream
from tests.stages.stage4.resuming.numbered import Served, post, small_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.domain.events import Event
    from stages.stage0.messages import Notification
    from stages.stage4.window import Stand

OTHER_COURSE = "the match was set back, or announced anew: what you heard last is no part of it any more"


def stream(served: Served) -> Stream:
    return Stream(("127.0.0.1", served.browser_port))


def place_of(event: Event) -> str:
    return f"{epoch_of(event.at)}-{event.seq}"


def check(messages: Sequence[dict[str, Any]], history: Sequence[Event]) -> None:
    """Check that these messages are those events, and each has its place."""
    assert messages == [{"id": place_of(event), **msgspec.to_builtins(event)} for event in history]


async def test_the_status_comes_first_and_every_event_after_it(served: Served, game: Game) -> None:
    await post(game, "before")
    async with stream(served) as fan:
        await fan.watch(game.id)
        await fan.read_messages(1)
        history = await game.api.history(game.id)
        assert (fan.kinds, fan.messages[0]["id"]) == (["status"], place_of(history[-1]))
        assert fan.messages[0]["details"]["home"] == game.new.home
        await post(game, "after")
        await game.stop()
        await fan.read_to_end()
    assert fan.kinds == ["status", "foul", "stop"]
    check(fan.messages[1:], (await game.api.history(game.id))[2:])


@pytest.mark.parametrize("by_header", [True, False])
async def test_who_comes_back_is_sent_what_it_missed(served: Served, game: Game, by_header: bool) -> None:
    async with stream(served) as stays, served.fan() as by_text:
        await stays.watch(game.id)
        await by_text.begin(game.id)
        async with stream(served) as goes:
            await goes.watch(game.id)
            await post(game, "heard")
            await goes.read_messages(2)
        await post(game, "missed-0", "missed-1")
        place = goes.messages[-1]["id"]
        async with stream(served) as again:
            await (again.resume(game.id, place) if by_header else again.watch(game.id, query=f"?after={place}"))
            await post(game, "live")
            await game.stop()
            for fan in (again, stays):
                await fan.read_to_end()
            await by_text.read_to_end()
    assert again.comments[0] == "resumed, 2 events after 2"
    history = await game.api.history(game.id)
    check([*goes.messages[1:], *again.messages], history[1:])
    check(stays.messages[1:], history[1:])
    assert by_text.kinds == stays.kinds


async def test_the_history_has_what_a_server_does_not_know_that_has_just_started(served: Served, game: Game) -> None:
    started, *_ = await game.api.history(game.id)
    await post(game, "missed")  # nobody was there
    async with stream(served) as fan:
        await fan.resume(game.id, place_of(started))
        await fan.read_messages(1)
        await post(game, "live")
        await fan.read_messages(2)
    assert fan.told() == ["missed", "live"]


async def test_what_is_gone_from_the_window_is_told_by_a_status_that_says_so(
    served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 4)
    async with stream(served) as fan, stream(served) as late:
        await fan.watch(game.id)
        await post(game, *(f"foul-{number}" for number in range(6)))
        await fan.read_messages(7)
        await late.resume(game.id, fan.messages[1]["id"])
        await post(game, "next")
        await late.read_messages(2)
    assert late.messages[0]["missed"] == "events 3 to 7"
    assert late.messages[0]["id"] == fan.messages[6]["id"]
    assert late.told() == ["next"]


@pytest.mark.parametrize("place", ["5-2", f"{10**18 - 1}-{10**18 - 1}", "0-2", "0-99"])
async def test_a_place_that_is_yet_to_come_is_none(served: Served, game: Game, place: str) -> None:
    async with stream(served) as fan:
        await fan.resume(game.id, place)
        await fan.read_messages(1)
        await post(game, "next")
        await fan.read_messages(2)
    assert (fan.kinds, fan.messages[0]["missed"]) == (["status", "foul"], OTHER_COURSE)


async def test_what_is_sent_is_what_the_api_describes(served: Served, game: Game) -> None:
    components = msgspec.to_builtins(describe(OPERATIONS))["components"]
    schema = {**components["schemas"]["StreamedEvent"], "components": components}
    async with stream(served) as fan, stream(served) as lost:
        await fan.watch(game.id)
        await game.goal("one")
        await fan.read_messages(2)
        await lost.resume(game.id, "1-1")
        await lost.read_messages(1)
    for message in (*fan.messages, *lost.messages):
        jsonschema.validate(message, schema, jsonschema.Draft202012Validator)
    assert "missed" in lost.messages[0]


async def test_who_has_heard_the_end_is_not_to_come_back(served: Served, game: Game) -> None:
    async with stream(served) as fan:
        await fan.watch(game.id)
        await game.stop()
        await fan.read_to_end()
    async with stream(served) as again, stream(served) as missed, stream(served) as new:
        await again.ask(f"/1/match/{game.id}/stream", f"Last-Event-ID: {fan.messages[-1]['id']}\r\n")
        await again.read_to_end()
        assert (again.status, again.body) == (204, b"")
        await missed.resume(game.id, fan.messages[0]["id"])
        await missed.read_to_end()
        assert missed.messages == fan.messages[1:]
        await new.watch(game.id)
        await new.read_to_end()
        assert [(message["kind"], message["details"]["period"]) for message in new.messages] == [("status", "ended")]
    assert (await served.api.statistics()).doors["event-source"].greetings == 4


async def test_who_comes_before_the_match_hears_so_each_time(served: Served) -> None:
    game = await Game.announced(served.api, "early")
    async with stream(served) as fan, stream(served) as again, stream(served) as third:
        await fan.watch(game.id)
        await fan.read_to_end()
        await again.resume(game.id, fan.messages[0]["id"])
        await again.read_to_end()
        assert fan.messages[0]["details"]["period"] == again.messages[0]["details"]["period"] == "not_started"
        await game.start()
        await third.resume(game.id, again.messages[0]["id"])
        await third.read_messages(1)
        assert third.kinds == ["start"]


async def test_who_is_sent_away_is_told_why(served: Served, game: Game) -> None:
    async with stream(served) as fan, stream(served) as again:
        await fan.watch(game.id)
        await game.api.cancel_match(game.id)
        await fan.read_to_end()
        assert fan.last == ("refused", f"the match {game.id} was cancelled")
        await again.ask(f"/1/match/{game.id}/stream")
        await again.read_to_end()
        assert (again.status, again.problem) == (404, f"there is no match {game.id}; see /1/matches")


async def test_a_new_audience_goes_on_where_the_one_before_ended(served: Served, game: Game) -> None:
    async with stream(served) as fan:
        await fan.watch(game.id)
        await post(game, "one")
        await fan.read_messages(2)
        served.kill(Audience)
        await post(game, "two", "three")
        await game.stop()
        await fan.read_to_end()
    check(fan.messages[1:], (await game.api.history(game.id))[1:])


async def test_an_event_is_encoded_once_however_many_hear_it(
    served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = EventSourceDoor.event

    def counting(door: EventSourceDoor, sent: Notification, at: Stand) -> bytes:
        encoded.append(sent.seq)
        return encode(door, sent, at)

    monkeypatch.setattr(EventSourceDoor, "event", counting)
    async with stream(served) as one, stream(served) as two, stream(served) as again:
        for fan in (one, two):
            await fan.watch(game.id)
        await post(game, "a", "b")
        for fan in (one, two):
            await fan.read_messages(3)
        await again.resume(game.id, one.messages[1]["id"])
        await again.read_messages(1)
    assert encoded == [2, 3]


async def test_browsers_come_back_each_after_another_time(served: Served, game: Game) -> None:
    waits = set()
    for _ in range(4):
        async with stream(served) as fan:
            await fan.watch(game.id)
            await fan.read_messages(1)
            waits.add(int(fan.blocks[0]["retry"]))
    assert len(waits) > 1
    assert min(waits) >= RETRY_MS[0]
    assert max(waits) <= RETRY_MS[1]


async def test_the_connection_is_seen_alive(served: Served, game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.stage4.browsers.HEARTBEAT_S", 2)
    monkeypatch.setattr("stages.stage4.fans.LOOK_S", 0.02)
    async with stream(served) as fan, served.fan() as by_text:
        await fan.watch(game.id)
        await by_text.begin(game.id)
        await fan.read_until(lambda: fan.comments == [""] * 3)
        await game.stop()
        await by_text.read_to_end()
        await fan.read_to_end()
    assert fan.kinds == ["status", "stop"]
    assert by_text.kinds == ["status", "stop"]


async def test_the_same_is_told_whoever_asks_and_a_name_may_be_given(served: Served, game: Game) -> None:
    async with stream(served) as fan, Browser(("127.0.0.1", served.browser_port)) as absolute:
        await fan.watch(game.id, query="?user=%C3%91and%C3%BA&after=&more=x")
        await fan.read_messages(1)
        await absolute.ask(f"http://there/1/match/{game.id}/stream")
        assert absolute.status == 200

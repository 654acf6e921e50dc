"""What fans hear who watch by WebSocket: the same as an EventSource, and a close with its code at the end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, CloseCode, Frame, Opcode

from stages.stage4.websocket import MOST_SAID, OwnCode, WebSocketDoor
from stages.traffic import Drop
from tests.stages.game import Game
from tests.stages.stage4.arena import arena
from tests.stages.stage4.browsers.browser import Stream
from tests.stages.stage4.browsers.socket_fan import SocketFan
from tests.stages.stage4.resuming.numbered import Served, post

OTHER_COURSE = "the match was set back, or announced anew: what you heard last is no part of it any more"
PING = Frame(Opcode.PING, b"there?")
PONG = Frame(Opcode.PONG, b"there?")


def socket_fan(served: Served) -> SocketFan:
    return SocketFan(("127.0.0.1", served.browser_port))


async def test_it_hears_what_an_event_source_hears_and_the_end_is_a_close(served: Served, game: Game) -> None:
    async with socket_fan(served) as fan, Stream(("127.0.0.1", served.browser_port)) as stream:
        for one in (fan, stream):
            await one.watch(game.id)
            await one.read_messages(1)
        await post(game, "one", "two")
        await game.stop()
        for one in (fan, stream):
            await one.read_to_end()
    assert fan.kinds == ["status", "foul", "foul", "stop"]
    assert fan.messages[1:] == stream.messages[1:]
    assert fan.closed == (CloseCode.NORMAL_CLOSURE, "the match is over")


async def test_who_comes_back_is_sent_what_it_missed(served: Served, game: Game) -> None:
    async with socket_fan(served) as goes:
        await goes.watch(game.id)
        await post(game, "heard")
        await goes.read_messages(2)
    await post(game, "missed-0", "missed-1")
    async with socket_fan(served) as again, socket_fan(served) as behind:
        await again.watch(game.id, goes.messages[-1]["id"])
        await again.read_messages(2)
        await post(game, "live")
        await game.stop()
        await again.read_to_end()
        await behind.watch(game.id, goes.messages[-1]["id"])
        await behind.read_to_end()
    assert again.told() == behind.told() == ["missed-0", "missed-1", "live"]
    assert again.messages == behind.messages
    assert behind.opcodes[-2:] == [Opcode.TEXT, Opcode.CLOSE]


@pytest.mark.parametrize("place", ["5-2", "0-99"])
async def test_a_place_that_is_yet_to_come_is_none(served: Served, game: Game, place: str) -> None:
    async with socket_fan(served) as fan:
        await fan.watch(game.id, place)
        await fan.read_messages(1)
    assert (fan.kinds, fan.messages[0]["missed"]) == (["status"], OTHER_COURSE)


async def test_a_match_that_is_over_or_has_not_begun_is_told_with_a_close(served: Served, game: Game) -> None:
    await game.stop()
    early = await Game.announced(served.api, "early")
    for match, period, closed in (
        (game, "ended", (CloseCode.NORMAL_CLOSURE, "the match is over")),
        (early, "not_started", (CloseCode.TRY_AGAIN_LATER, "the match has not begun")),
    ):
        async with socket_fan(served) as fan, socket_fan(served) as again:
            await fan.watch(match.id)
            await fan.read_to_end()
            await again.watch(match.id, fan.messages[0]["id"])
            await again.read_to_end()
        for one in (fan, again):
            assert [message["details"]["period"] for message in one.messages] == [period]
            assert one.closed == closed


async def test_who_is_sent_away_is_told_why(served: Served, game: Game) -> None:
    async with socket_fan(served) as fan:
        await fan.watch(game.id)
        await fan.read_messages(1)
        await game.api.cancel_match(game.id)
        await fan.read_to_end()
    assert fan.closed == (OwnCode.GONE, f"the match {game.id} was cancelled")


async def test_pings_are_answered_and_messages_passed_over(served: Served, game: Game) -> None:
    async with socket_fan(served) as fan:
        await fan.watch(game.id)
        await fan.say(Frame(Opcode.TEXT, b"x" * MOST_SAID))
        ping = PING.serialize(mask=True)
        await fan.send(ping[:3])
        await post(game, "between its halves")
        await fan.read_messages(2)
        await fan.send(ping[3:])
        await fan.read_until(lambda: Opcode.PONG in fan.opcodes)
        await post(game, "heard all the same")
        await fan.read_messages(3)
    assert [frame for frame in fan.frames if frame.opcode is Opcode.PONG] == [PONG]


async def test_the_connection_is_seen_alive(served: Served, game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.stage4.browsers.HEARTBEAT_S", 2)
    monkeypatch.setattr("stages.stage4.fans.LOOK_S", 0.02)
    async with socket_fan(served) as fan:
        await fan.watch(game.id)
        await fan.read_until(lambda: fan.opcodes.count(Opcode.PING) == 3)
        await game.stop()
        await fan.read_to_end()
    assert fan.kinds == ["status", "stop"]


async def test_a_fan_that_closes_is_answered(served: Served, game: Game) -> None:
    async with socket_fan(served) as fan:
        await fan.watch(game.id)
        await fan.read_messages(1)
        await fan.say(Frame(Opcode.CLOSE, Close(CloseCode.GOING_AWAY, "bye").serialize()))
        await fan.read_to_end()
        assert fan.closed == (CloseCode.GOING_AWAY, "bye")
    assert sum((await served.api.statistics()).drops.values()) == 0


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        (Frame(Opcode.TEXT, b"not masked").serialize(mask=False), CloseCode.PROTOCOL_ERROR, "that is no frame"),
        (b"\xff" * 8, CloseCode.PROTOCOL_ERROR, "that is no frame"),
        (Frame(Opcode.CLOSE, b"x").serialize(mask=True), CloseCode.PROTOCOL_ERROR, "that is no close"),
        (
            Frame(Opcode.BINARY, b"x" * (MOST_SAID + 1)).serialize(mask=True),
            CloseCode.MESSAGE_TOO_BIG,
            f"a frame is larger than {MOST_SAID} bytes",
        ),
    ],
    ids=["not masked", "no opcode", "no close", "too large"],
)
async def test_what_a_fan_may_not_say_ends_it_alone(
    served: Served, game: Game, said: bytes, code: CloseCode, why: str
) -> None:
    async with socket_fan(served) as bad, socket_fan(served) as good:
        for fan in (bad, good):
            await fan.watch(game.id)
            await fan.read_messages(1)
        await bad.send(said)
        await bad.read_to_end()
        assert bad.closed == (code, why)
        await post(game, "to who stays")
        await good.read_messages(2)


@pytest.mark.parametrize(
    ("drop", "code"),
    [
        (Drop.SLOW, CloseCode.POLICY_VIOLATION),
        (Drop.STORE, CloseCode.TRY_AGAIN_LATER),
        (Drop.MATCH, OwnCode.GONE),
    ],
)
def test_a_close_has_a_code_and_as_much_of_the_reason_as_it_can(drop: Drop, code: int) -> None:
    said = WebSocketDoor().error("ñ" * 70, drop)
    assert said == Frame(Opcode.CLOSE, Close(code, "ñ" * 61).serialize()).serialize(mask=False)


@pytest.mark.parametrize("room", [None, 4096])
def test_who_may_be_saying_something_closes_first_and_has_heard_all(room: int | None) -> None:
    said = b"the last" * 2000
    with arena() as found:
        fan = found.seated(room)
        found.send(said)
        fan.say(PING.serialize(mask=True))  # to close on that would be a reset
        found.plane.let_close_first(fan.fd)
        while not fan.is_over:
            fan.hear()
            found.turn()
        assert fan.heard.endswith(said)
        assert found.plane.connected == 1
        fan.close()
        found.turn(2)
        assert found.nothing_is_left()


def heard(pieces: list[bytes]) -> tuple[bytes, bool]:
    """Return what a fan is answered who says this, and whether it is over."""
    door, rest, answers = WebSocketDoor(), b"", b""
    for piece in pieces:
        answer, rest, is_over = door.hear(rest + piece)
        answers += answer
        assert len(rest) <= MOST_SAID + 14  # the longest head
        if is_over:
            return answers, True
    return answers, False


def masked(frame: Frame) -> bytes:
    return frame.serialize(mask=True)


FRAMES = st.builds(
    Frame,
    st.sampled_from((Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG, Opcode.CONT)),
    st.binary(max_size=125),
)


@given(st.lists(FRAMES.map(masked) | st.binary(max_size=8), max_size=6), st.lists(st.integers(0, 1 << 20), max_size=6))
def test_what_a_fan_says_is_the_same_however_it_is_cut(said: list[bytes], places: list[int]) -> None:
    whole = b"".join(said)
    edges = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    pieces = [whole[begin:end] for begin, end in itertools.pairwise(edges) if begin < end]
    assert heard(pieces) == heard([whole])


@given(st.lists(FRAMES, max_size=6))
def test_each_ping_is_answered_once(said: list[bytes]) -> None:
    answers, is_over = heard(list(map(masked, said)))
    pings = [frame.data for frame in said if frame.opcode is Opcode.PING]
    assert (answers, is_over) == (b"".join(Frame(Opcode.PONG, ping).serialize(mask=False) for ping in pings), False)

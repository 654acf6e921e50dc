"""What a telnet client sees, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from common.domain.posts import (
    Card,
    Corner,
    Extratime,
    Foul,
    Freekick,
    Goal,
    Goalkick,
    HalftimeStart,
    HalftimeStop,
    Offside,
    Penalties,
    Penalty,
    Save,
    Shot,
    Stop,
    Substitution,
    Throwin,
)

if TYPE_CHECKING:
    from datetime import datetime

    from common.domain.match import NewMatch
    from common.domain.posts import Post
    from common.http.client import ReporterClient
    from tests.stages.fan import Connect
    from tests.stages.game import Announce, Game


def script(new: NewMatch) -> list[tuple[Post, str]]:
    """Return one post of each kind, in an order the rules allow, with what a fan is sent for it."""
    home, visit = new.home, new.visit
    return [
        (Goal(team=visit, player=10), f"goal:\n\tplayer: Ñandú (10) \n\tteam: {visit}\n"),
        (
            Goal(team=home, player=10, player_team=visit, comment="own goal"),
            f"goal:\n\tplayer: Ñandú (10) \n\tteam: {home}\n\tplayer_team: {visit}\n\tcomment: own goal\n",
        ),
        (
            Card(team=home, player=1, card="yellow"),
            f"card:\n\tplayer: Casals (1) \n\tcard: yellow\n\tteam: {home}\n",
        ),
        (Card(team=home, player=1, card="red"), f"card:\n\tplayer: Casals (1) \n\tcard: red\n\tteam: {home}\n"),
        (HalftimeStart(), "halftime_start:\n"),
        (HalftimeStop(), "halftime_stop:\n"),
        (
            Substitution(team=home, player_in=12, player_out=7),
            f"substitution:\n\tplayer_out: Luna (7) \n\tteam: {home}\n\tplayer_in: Ba (7)  (12) \n",
        ),
        (Extratime(comment="30'"), "extratime:\n\tcomment: 30'\n"),
        (Shot(team=visit, player=12), f"shot:\n\tplayer: Ba (7)  (12) \n\tteam: {visit}\n"),
        (Save(team=home), f"save:\n\tteam: {home}\n"),
        (Corner(team=home), f"corner:\n\tteam: {home}\n"),
        (Goalkick(team=home), f"goalkick:\n\tteam: {home}\n"),
        (Offside(team=home), f"offside:\n\tteam: {home}\n"),
        (Foul(team=home, comment="ñ: 1"), f"foul:\n\tteam: {home}\n\tcomment: ñ: 1\n"),
        (Penalty(team=home), f"penalty:\n\tteam: {home}\n"),
        (Freekick(team=home), f"freekick:\n\tteam: {home}\n"),
        (Throwin(team=home), f"throwin:\n\tteam: {home}\n"),
        (HalftimeStart(), "halftime_start:\n"),
        (HalftimeStop(), "halftime_stop:\n"),
        (Penalties(), "penalties:\n"),
        (Stop(), "stop:\n"),
    ]


def frame(at: datetime, said: str) -> bytes:
    return f"{at:%Y-%m-%d %H:%M:%S}: {said}\r\n".encode()


async def test_the_server_speaks_first_in_two_lines(connect: Connect) -> None:
    async with connect() as fan:
        await fan.welcome()
        first, second, rest = fan.raw.split(b"\r\n")
    assert first.startswith(b"Welcome to Match Stream.")
    assert second.startswith(b"To watch the current game use: V:2:<your-name>")
    assert rest == b""


@pytest.mark.parametrize(
    "form",
    [
        "V:2:{user}",
        "V:2:{user}:and:more",
        "VERSION:1:CONNECT:{user}:MATCH:{match}",
        "VERSION:1:CONNECT:{user}:MATCH:{match}:AND:MORE:",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\0", "\r"])
async def test_both_greetings_and_all_ends_of_line(connect: Connect, game: Game, form: str, end: str) -> None:
    async with connect() as fan:
        await fan.send(form.format(user="greeter", match=game.id).encode() + end.encode())
        await fan.read_until(lambda: fan.kinds == ["status"])
        await game.foul("heard")
        await fan.read_events(1)
    assert fan.told("home") == [game.new.home]
    assert fan.told() == ["heard"]


async def test_a_greeting_that_comes_in_pieces(connect: Connect, game: Game) -> None:
    async with connect() as fan:
        for byte in f"VERSION:1:CONNECT:Ñandú:MATCH:{game.id}\r\n".encode():
            await fan.send(bytes([byte]))
        await fan.read_until(lambda: fan.kinds == ["status"])


@pytest.mark.parametrize("end", [b"\r\n", b"\r\0", b"\r"])
async def test_putty_negotiates_before_its_user_types(connect: Connect, game: Game, end: bytes) -> None:
    negotiation = b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03"
    window = b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0"  # sent again whenever the user changes it
    async with connect() as fan:
        await fan.send(negotiation)
        await fan.welcome()
        for piece in (b"VERSION:1:CONN", window[:4], window[4:], f"ECT:putty:MATCH:{game.id}".encode(), end, window):
            await fan.send(piece)
        await fan.read_until(lambda: fan.kinds == ["status"])
        await game.foul("heard")
        await fan.read_events(1)
    assert fan.told() == ["heard"]


async def test_what_a_fan_says_after_the_greeting_is_ignored(connect: Connect, game: Game) -> None:
    async with connect() as fan:
        await fan.send(f"VERSION:1:CONNECT:talker:MATCH:{game.id}\nV:2:talker\n".encode())
        await fan.read_until(lambda: fan.kinds == ["status"])
        await fan.send(b"\xff\x00" * 10_000 + b"\n")
        await game.foul("still there")
        await fan.read_events(1)
    assert fan.told() == ["still there"]


async def test_the_bytes_of_the_status_and_of_every_event(connect: Connect, game: Game) -> None:
    home, visit = game.new.home, game.new.visit
    async with connect() as fan:
        await fan.watch("reader", game.id)
        posted = [(await game.post(post), said) for post, said in script(game.new)]
        await fan.read_to_end()

    welcome, welcome_2, said = fan.raw.split(b"\r\n", 2)
    status = frame(
        fan.frames[0].at,
        f"status:\n\thome: {home}\n\thome_players:\n\t\t Casals (1) \n\t\t Luna (7) \n\thome_score: 0\n"
        f"\tvisit: {visit}\n\tvisit_players:\n\t\t Ñandú (10) \n\t\t Ba (7)  (12) \n\tvisit_score: 0\n"
        "\tperiod: first\n",
    )
    assert said == status + b"".join(frame(event.at, text) for event, text in posted)
    assert welcome
    assert welcome_2


async def test_the_current_match_is_the_first_one_listed(
    connect: Connect, announce: Announce, api: ReporterClient
) -> None:
    await announce("a")  # first by its id, but it has not started
    later, sooner = await announce("c"), await announce("b")
    await later.start()
    await sooner.start()
    assert (await api.matches())[0].id == sooner.id
    async with connect() as fan:
        await fan.watch("current")
    assert fan.frames[0].details["home"] == sooner.new.home


async def test_no_match_to_watch(connect: Connect) -> None:
    async with connect() as fan:
        await fan.greet("early")
        await fan.read_to_end()
    assert len(fan.errors) == 1
    assert fan.frames == []


async def test_a_match_that_has_not_started_or_has_ended_is_a_status_and_the_end(
    connect: Connect, announce: Announce
) -> None:
    game = await announce("m")
    async with connect() as fan:
        await fan.greet("early", game.id)
        await fan.read_to_end()
    assert fan.told("period") == ["not_started"]
    await game.start()
    await game.stop()
    async with connect() as fan:
        await fan.greet("late", game.id)
        await fan.read_to_end()
    assert fan.told("period") == ["ended"]


async def test_stop_closes_every_fan(connect: Connect, game: Game) -> None:
    async with connect() as one, connect() as other:
        await one.watch("one", game.id)
        await other.watch("other", game.id)
        await game.stop()
        await one.read_to_end()
        await other.read_to_end()
    assert one.kinds == other.kinds == ["status", "stop"]

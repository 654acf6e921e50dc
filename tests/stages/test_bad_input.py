"""Fans who say nonsense, and fans who go away in the middle of everything: nobody else notices, nothing is left."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.wire.frames import WELCOME
from common.wire.greeting import LIMIT, GreetingError, GreetingReader
from tests.stages.at_rest import at_rest, files_besides_redis
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from common.http.client import ReporterClient
    from common.http.statistics import Statistics
    from tests.stages.fan import Connect, Fan
    from tests.stages.game import Game
    from tests.stages.serving import ServerProcess

NO_GREETINGS = {
    "no greeting": b"GET / HTTP/1.1\r\n\r\n",
    "an empty line": b"\r\n",
    "not UTF-8": b"V:2:\xfe\xff\n",
    "another version": b"V:3:me\n",
    "no user": b"V:2:\n",
    "a long user": b"V:2:" + b"u" * 65 + b"\n",
    "control characters": b"V:2:a\x1b[2Jb\n",
    "no match id": b"VERSION:1:CONNECT:me:MATCH:\n",
    "half of it": b"VERSION:1:CONNECT:me\n",
    "longer than 1 KiB": b"V:2:me:" + b"x" * LIMIT + b"\n",
    "no end of line at all": b"x" * LIMIT,
    "very long": b"x" * 4_000_000,
}


@pytest.mark.parametrize("said", NO_GREETINGS.values(), ids=NO_GREETINGS.keys())
async def test_what_is_no_greeting_gets_one_error_line(connect: Connect, said: bytes) -> None:
    async with connect() as fan:
        await asyncio.gather(fan.send(said), fan.read_to_end())
    (error,) = fan.errors
    assert "V:2:<user>" in error
    assert fan.raw == WELCOME + f"ERROR: {error}\r\n".encode()


async def test_an_unknown_match_gets_one_error_line(connect: Connect) -> None:
    async with connect() as fan:
        await fan.greet("me", "no-such-2011-09-10")
        await fan.read_to_end()
    (error,) = fan.errors
    assert "no-such-2011-09-10" in error
    assert fan.raw == WELCOME + f"ERROR: {error}\r\n".encode()


def expected(said: bytes) -> bytes:
    """Return the ERROR line for what is no greeting, as far as it is the same in every stage; else how it starts."""
    try:
        GreetingReader().feed(said)
    except GreetingError as error:
        return f"ERROR: {error}".encode()
    return b"ERROR: "


lines = st.binary(max_size=LIMIT - 1).map(lambda line: line.translate(None, b"\r\n\xff") + b"\n")
greeting_like = st.lists(
    st.sampled_from([b"V", b"2", b":", b":", b"VERSION:1", b"CONNECT", b"MATCH", b"\r", b"\xc3", b"x"])
)


@settings(max_examples=60)
@given(said=lines | greeting_like.map(lambda parts: b"".join(parts) + b"\n"))
def test_garbage(server: ServerProcess, said: bytes) -> None:
    with socket.create_connection(next(server.fan_addresses()), DEADLINE_S) as fan:
        fan.sendall(said)
        heard = b"".join(iter(lambda: fan.recv(65536), b""))
    assert heard.startswith(WELCOME + expected(said))
    assert heard.count(b"ERROR: ") == 1
    assert heard.endswith(b"\r\n")


def counts(found: Statistics) -> dict[str, Any]:
    """Return what grows with fans and must shrink with them."""
    return {
        "processes": {kind.kind: kind.alive for kind in found.kinds if kind.alive},
        "handlers": found.handlers,
        "tasks": found.tasks,
        "open": files_besides_redis(found),
    }


async def as_before(api: ReporterClient, before: dict[str, Any]) -> bool:
    """Return whether nothing is left behind; of tasks there may be fewer, since some work may have been going on."""
    now = counts(await api.statistics())
    return now["tasks"] <= before["tasks"] and {**now, "tasks": 0} == {**before, "tasks": 0}


async def before_greeting(fan: Fan, _game: Game) -> None:
    await fan.welcome()


async def at_once(_fan: Fan, _game: Game) -> None:
    """Leave without a word heard or said."""


async def after_half_a_greeting(fan: Fan, game: Game) -> None:
    await fan.send(f"VERSION:1:CONNECT:half:MATCH:{game.id}".encode())


async def right_after_the_greeting(fan: Fan, game: Game) -> None:
    await fan.greet("hasty", game.id)


async def after_the_status(fan: Fan, game: Game) -> None:
    await fan.watch("brief", game.id)


async def while_events_flow(fan: Fan, game: Game) -> None:
    await fan.watch("busy", game.id)
    await game.foul("said to a fan who leaves")


async def without_reading(fan: Fan, game: Game) -> None:
    await fan.greet("deaf", game.id)
    for number in range(20):
        await game.foul(f"{number} " + "ñ" * 270)


@pytest.mark.parametrize("by", ["FIN", "RST"])
@pytest.mark.parametrize(
    "go_so_far",
    [
        at_once,
        before_greeting,
        after_half_a_greeting,
        right_after_the_greeting,
        after_the_status,
        while_events_flow,
        without_reading,
    ],
)
async def test_a_fan_who_goes_away_is_forgotten(
    connect: Connect, api: ReporterClient, game: Game, go_so_far: Any, by: str
) -> None:
    async with connect() as witness:
        await witness.watch("witness", game.id)
        await game.foul("heard by who is subscribed")
        await witness.read_events(1)
        before = counts(await at_rest(api, fans=1))
        fans = [await connect().__aenter__() for _ in range(5)]
        for fan in fans:
            await go_so_far(fan, game)
        for fan in fans:
            fan.reset() if by == "RST" else fan.leave()

        async def is_forgotten() -> bool:
            await game.foul("shows who has gone, and who has only said all")
            return await as_before(api, before)

        await eventually(is_forgotten, f"counts as before, {before}")
        await game.foul("the end")
        await witness.read_until(lambda: witness.told()[-1:] == ["the end"])
    events = [event for event in await api.history(game.id) if event.kind == "foul"]
    assert witness.told() == [event.details["comment"] for event in events]


async def test_the_refused_leave_nothing_behind(connect: Connect, api: ReporterClient, game: Game) -> None:
    before = counts(await at_rest(api, fans=0))
    for said in NO_GREETINGS.values():
        async with connect() as fan:
            await asyncio.gather(fan.send(said), fan.read_to_end())
    async with connect() as fan:
        await fan.greet("me", f"not-{game.id}")
        await fan.read_to_end()

    await eventually(lambda: as_before(api, before), f"counts as before, {before}")


async def test_fans_who_come_as_the_match_ends_leave_nothing_behind(
    connect: Connect, api: ReporterClient, game: Game
) -> None:
    """Some may find it running, but ended when they subscribe."""
    before = counts(await at_rest(api, fans=0))
    async with AsyncExitStack() as stack:
        fans: list[Fan] = []
        for _ in range(60):
            fans.append(await stack.enter_async_context(connect()))
            await fans[-1].welcome()
        for number, fan in enumerate(fans):
            await fan.greet(f"late-{number}", game.id)
        await fans[20].read_until(lambda: fans[20].kinds == ["status"])
        await game.stop()
        for fan in fans:
            await fan.read_to_end()
            assert fan.kinds in (["status", "stop"], ["status"])
            assert fan.told("period") in (["first"], ["ended"])
    async with connect() as late:
        await late.greet("late", game.id)
        await late.read_to_end()
    assert late.told("period") == ["ended"]
    assert late.kinds == ["status"]

    async def one_match_less() -> bool:
        now = counts(await api.statistics())
        others = {kind: many for kind, many in before["processes"].items() if kind not in {"LiveMatch", "Dispatcher"}}
        return (now["processes"], now["handlers"], now["open"]) == (others, 0, before["open"])

    await eventually(one_match_less, f"counts as before, {before}, without the match and its dispatchers")

"""`matchstream watch`: how what comes is shown, and what is said when it goes wrong."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.match import Player
from common.http.client import ReporterClient
from common.terminal import harmless
from common.wire.frames import GOODBYE, WELCOME, encode, numbered, resumed_line
from common.wire.reader import Frame, Line, parse_frame
from stages.watch import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    WatchEndedError,
    WatchError,
    pause_before,
    render,
    watch_match,
)
from tests.common.domain.strategies import events
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess, environment, matchstream
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from common.domain.events import Event


@given(events())
def test_an_event_is_shown_with_all_its_details(event: Event) -> None:
    frame = parse_frame(encode(event))
    shown = render(frame).plain
    assert shown.startswith(f"{frame.at:%H:%M:%S}  {frame.kind}")
    for key, value in frame.details.items():
        players = value if isinstance(value, tuple) else (value,) if isinstance(value, Player) else None
        expected = str(value) if players is None else ", ".join(f"{one.name} ({one.number})" for one in players)
        assert f"{key} {harmless(expected) or '-'}" in shown


def test_markup_in_a_comment_is_only_text() -> None:
    frame = Frame(parse_frame(b"2011-09-10 00:00:00: foul:\n\r\n").at, "foul", {"comment": "[bold]x[/bold]"})
    assert render(frame).plain.endswith("comment [bold]x[/bold]")
    assert render(Line("[red]")).plain == "[red]"


def status(period: str, home: str = "elp", score: int = 0) -> bytes:
    return (
        f"2011-09-10 21:00:00: status:\n\thome: {home}\n\thome_score: {score}\n\tvisit: tig\n\tperiod: {period}\n\r\n"
    ).encode()


FIRST = status("first")
GOAL = b"2011-09-10 21:05:00: goal:\n\tplayer: Luna (7) \n\tteam: tig\n\r\n"
STOP = b"2011-09-10 23:00:00: stop:\n\r\n"
NO_MATCH = b"ERROR: there is no match\r\n"
RESET = b"reset"
"""In place of what is said: the connection breaks."""


@asynccontextmanager
async def serving(*said: bytes, greetings: list[bytes] | None = None) -> AsyncIterator[str]:
    """Serve, after a fan's greeting, one of `said` a connection, and close; the last one to all who come then.

    `greetings` is given what fans say.
    """
    left = list(said)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = left.pop(0) if len(left) > 1 else left[0]
        writer.write(WELCOME)
        line = await reader.readline()
        if greetings is not None:
            greetings.append(line)
        if answer == RESET:
            found: socket.socket = writer.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.watch.FIRST_PAUSE_S", 0.0)


async def watch(address: str, *, reconnect: bool = False, match_id: str | None = None) -> list[str]:
    """Watch to the end of the match, and return what was said beside."""
    notes: list[str] = []
    await watch_match(address, "me", match_id, reconnect=reconnect, note=notes.append)
    return notes


async def test_all_is_shown_until_the_match_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(FIRST + GOAL + STOP) as address:
        assert await watch(address) == ["the match is over"]
    welcome, how, told, goal, stop = capsys.readouterr().out.splitlines()
    assert welcome.startswith("Welcome to Match Stream.")
    assert how.startswith("To watch")
    assert told.split() == ["21:00:00", "status", "home", "elp", "home_score", "0", "visit", "tig", "period", "first"]
    assert goal.split() == ["21:05:00", "goal", "player", "Luna", "(7)", "team", "tig"]
    assert stop.split() == ["23:00:00", "stop"]


async def test_a_match_that_has_ended_is_a_status() -> None:
    async with serving(status("ended")) as address:
        assert await watch(address, reconnect=True) == ["the match is over"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (NO_MATCH, "the server refuses: there is no match"),
        (b"\xff\xfe\n", "this is no match-stream server"),
    ],
)
@pytest.mark.parametrize("reconnect", [False, True])
async def test_what_cannot_be_watched_is_said(said: bytes, told: str, reconnect: bool) -> None:
    async with serving(said) as address:
        with pytest.raises(WatchError, match=told):
            await watch(address, match_id="elp-tig-2011-09-10", reconnect=reconnect)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "the server went away before the match was over"),
        (FIRST, "the server went away before the match was over"),
        (FIRST + GOODBYE, "the server says goodbye: the server is stopping; connect again in a moment"),
        (GOODBYE, "the server says goodbye"),
        (FIRST + b"ERROR: the match was cancelled\r\n", "the server refuses: the match was cancelled"),
        (FIRST + GOAL[:40], "in the middle of an event"),
        (status("not_started"), "the match has not started yet"),
        (RESET, "the server at .* went away: "),
    ],
)
async def test_why_there_is_no_more_to_hear_is_said(said: bytes, told: str) -> None:
    async with serving(said) as address:
        with pytest.raises(WatchEndedError, match=told):
            await watch(address)


@pytest.mark.usefixtures("no_pause")
async def test_who_reconnects_is_told_what_is_new_until_the_match_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    lost = (FIRST + GOAL, GOODBYE, NO_MATCH, RESET, FIRST, NO_MATCH, FIRST + GOAL[:30], status("first", score=1) + STOP)
    async with serving(status("not_started"), *lost) as address:
        notes = await watch(address, reconnect=True)
    assert notes[-1] == "the match is over"
    assert len(notes) == len(lost) + 1
    assert all(note.endswith("; connecting again in 0.0 s") for note in notes[:-1])
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in shown[2:]] == ["status", "status", "goal", "status", "stop"]
    assert [line.split()[5] for line in shown[2:] if "home_score" in line] == ["0", "0", "1"]


@pytest.mark.usefixtures("no_pause")
async def test_who_reconnects_gives_up_when_the_server_goes_on_refusing() -> None:
    async with serving(FIRST, NO_MATCH) as address:
        with pytest.raises(WatchError, match="there is no match"):
            await watch(address, reconnect=True)


@pytest.mark.usefixtures("no_pause")
async def test_who_reconnects_to_another_match_is_told_so() -> None:
    async with serving(FIRST, status("first", home="riv")) as address:
        with pytest.raises(WatchEndedError, match="another match is the current one now"):
            await watch(address, reconnect=True)


NO_NUMBERS = b"ERROR: expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>\r\n"


@pytest.mark.usefixtures("no_pause")
async def test_who_reconnects_goes_on_where_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    greetings: list[bytes] = []
    first = numbered(status("not_started"), 0, 0)
    again = numbered(FIRST, 1, 11) + numbered(GOAL, 2, 22)
    lost = numbered(FIRST, 5, 55, "events 4 to 5")
    said = (first, again, NO_MATCH, resumed_line(1, 2) + numbered(GOAL, 3, 33) + GOODBYE, lost, resumed_line(0, 5))
    async with serving(*said, resumed_line(1, 5) + numbered(STOP, 6, 66), greetings=greetings) as address:
        notes = await watch(address, reconnect=True, match_id="m")
    assert greetings == [
        *(b"V:3:me:m:\n", b"V:3:me:m:\n", b"V:3:me:m:2:22\n", b"V:3:me:m:2:22\n", b"V:3:me:m:3:33\n"),
        *(b"V:3:me:m:5:55\n", b"V:3:me:m:5:55\n"),
    ]
    assert len(notes) == len(said) + 1
    shown = [line for line in capsys.readouterr().out.splitlines()[2:] if "number" not in line]
    assert [line.split()[1] for line in shown] == ["status", "status", "goal", "goal", "heard:", "status", "stop"]
    assert shown[4] == "not heard: events 4 to 5"
    assert "epoch" not in "".join(shown)


async def test_who_does_not_reconnect_asks_for_no_numbers() -> None:
    greetings: list[bytes] = []
    async with serving(FIRST + STOP, greetings=greetings) as address:
        await watch(address)
        await watch(address, match_id="m")
    assert greetings == [b"V:2:me\n", b"VERSION:1:CONNECT:me:MATCH:m\n"]


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("refusal", [NO_NUMBERS, b"ERROR: bad request\r\n"])
async def test_a_server_without_numbers_is_asked_again_at_once(refusal: bytes) -> None:
    greetings: list[bytes] = []
    async with serving(refusal, FIRST, FIRST + STOP, greetings=greetings) as address:
        assert len(await watch(address, reconnect=True)) == 2
    assert greetings == [b"V:3:me::\n", b"V:2:me\n", b"V:2:me\n"]


@pytest.mark.usefixtures("no_pause")
async def test_a_server_that_leaves_the_numbers_out_is_not_asked_for_them_again() -> None:
    greetings: list[bytes] = []
    async with serving(FIRST, FIRST + STOP, greetings=greetings) as address:
        await watch(address, reconnect=True)
    assert greetings == [b"V:3:me::\n", b"V:2:me\n"]


@pytest.mark.usefixtures("no_pause")
async def test_a_server_that_has_unlearned_numbers_is_asked_without() -> None:
    greetings: list[bytes] = []
    async with serving(numbered(FIRST, 1, 11), NO_NUMBERS, FIRST + STOP, greetings=greetings) as address:
        await watch(address, reconnect=True)
    assert greetings == [b"V:3:me::\n", b"V:3:me::1:11\n", b"V:2:me\n"]


@pytest.mark.parametrize("said", [b"GOODBYE: connect again in 0 s\r\n", b"ERROR: full; try again in 0 s\r\n"])
async def test_who_reconnects_waits_as_long_as_the_server_asks_for(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.watch.FIRST_PAUSE_S", 1e6)  # nobody waits for that
    monkeypatch.setattr("stages.watch.LONGEST_PAUSE_S", 1e6)
    async with serving(FIRST + said, STOP) as address:
        notes = await watch(address, reconnect=True)
    assert notes[0].endswith("again in 0 s; connecting again in 0.0 s")


@given(st.integers(0, 10_000))
def test_the_pause_grows_and_is_never_the_same_for_all(attempt: int) -> None:
    longest_s = min(FIRST_PAUSE_S * 2 ** min(attempt, 20), LONGEST_PAUSE_S)
    pauses = {pause_before(attempt) for _ in range(20)}
    assert len(pauses) > 1
    assert all(longest_s / 2 <= pause_s <= longest_s for pause_s in pauses)


async def command(tmp_path: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *matchstream("watch", *arguments),
        env={**environment(tmp_path), "COLUMNS": "40"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def outcome(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(DEADLINE_S):
        stdout, stderr = await process.communicate()
    return process.returncode, stdout.decode(), stderr.decode()


async def test_a_file_gets_a_line_an_event_and_nothing_that_a_terminal_would_carry_out(tmp_path: Path) -> None:
    evil = "\x1b[2J\x1b]0;name\x07 \x9b31m \u202egnp.exe\u202c \u2066\u200b"
    foul = f"2011-09-10 21:05:00: foul:\n\tcomment: {evil} {'long ' * 40}end\n\r\n".encode()
    async with serving(f"{evil}\r\n".encode() + FIRST + foul + STOP) as address:
        status_, shown, noted = await outcome(await command(tmp_path, address))
    assert (status_, noted) == (0, "matchstream: the match is over\n")
    lines = shown.split("\n")
    assert len(lines) == 7
    assert lines[4].endswith("long long end")
    for line in (lines[2], lines[4]):
        assert "\\x1b[2J\\x1b]0;name\\x07 \\x9b31m \\u202egnp.exe\\u202c \\u2066\\u200b" in line
    assert "".join(lines).isprintable()


async def test_what_a_server_refuses_with_is_shown_harmlessly(tmp_path: Path) -> None:
    async with serving("ERROR: \x1b[2J\u202e no\r\n".encode()) as address:
        assert await outcome(await command(tmp_path, address)) == (
            2,
            "\n".join([*WELCOME.decode().splitlines(), ""]),
            "matchstream: the server refuses: \\x1b[2J\\u202e no\n",
        )


async def test_a_server_that_is_told_to_stop_ends_the_watch_with_its_goodbye(tmp_path: Path) -> None:
    with ServerProcess("0", tmp_path) as server:
        host, port = next(server.fan_addresses())
        async with ReporterClient(server.url, TOKEN) as api:
            game = await Game.announced(api, "m")
            await game.start()
            watching = await command(tmp_path, f"{host}:{port}")

            async def watches() -> bool:
                return (await api.statistics()).handlers > 0

            await eventually(watches, "the match is watched")
        server.send_signal(signal.SIGTERM)
        status_, shown, noted = await outcome(watching)
        assert server.wait() == 0
    assert status_ == 1
    assert shown.splitlines()[2].split()[1] == "status"
    assert noted == "matchstream: the server says goodbye: the server is stopping; connect again in a moment\n"

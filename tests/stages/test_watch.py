"""`matchstream watch`: how an address is read, how what comes is shown, and what is said when it goes wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.domain.match import Player
from common.wire.frames import WELCOME, encode
from common.wire.reader import Frame, Line, parse_frame
from stages.watch import WatchError, parse_address, render, watch_match
from tests.common.domain.strategies import events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from common.domain.events import Event

hosts = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True) | st.ip_addresses(v=4).map(str)
ports = st.integers(1, 65535)


@given(hosts, ports)
def test_an_address_is_host_and_port(host: str, port: int) -> None:
    assert parse_address(f"{host}:{port}") == (host, port)


@given(st.ip_addresses(v=6).map(str), ports)
def test_an_ipv6_address_may_stand_in_brackets(host: str, port: int) -> None:
    assert parse_address(f"[{host}]:{port}") == parse_address(f"{host}:{port}") == (host, port)


@given(st.text() | st.text("0123456789:[].ab ", max_size=12))
@example("host:" + "9" * 5000)
@example("host:\u0663")
@example("host:99999")
@example("host:0")
@example(":9999")
@example("[]:9999")
@example("a b:9999")
@example("host:9999\n")
def test_anything_else_is_refused_and_quoted(text: str) -> None:
    try:
        host, port = parse_address(text)
    except WatchError as error:
        refusal = str(error)
    else:
        assert host.split() == [host]
        assert 0 < port < 65536
        refusal = f"{text!r} is none"
    assert repr(text) in refusal


@given(events())
def test_an_event_is_shown_with_all_its_details(event: Event) -> None:
    frame = parse_frame(encode(event))
    shown = render(frame).plain
    assert shown.startswith(f"{frame.at:%H:%M:%S}  {frame.kind}")
    for key, value in frame.details.items():
        players = value if isinstance(value, tuple) else (value,) if isinstance(value, Player) else None
        expected = str(value) if players is None else ", ".join(f"{one.name} ({one.number})" for one in players)
        assert f"{key} {expected or '-'}" in shown


def test_markup_in_a_comment_is_only_text() -> None:
    frame = Frame(parse_frame(b"2011-09-10 00:00:00: foul:\n\r\n").at, "foul", {"comment": "[bold]x[/bold]"})
    assert render(frame).plain.endswith("comment [bold]x[/bold]")
    assert render(Line("[red]")).plain == "[red]"


@asynccontextmanager
async def serving(said: bytes, *, reset: bool = False) -> AsyncIterator[str]:
    """Serve `said`, after a fan's greeting, at the address that this yields, and close."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        await reader.readline()
        if reset:
            found: socket.socket = writer.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_all_is_shown_until_the_server_closes(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(WELCOME + b"2011-09-10 21:05:00: goal:\n\tplayer: Luna (7) \n\tteam: tig\n\r\n") as address:
        await watch_match(address, "me", None)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("Welcome to Match Stream.")
    assert shown.endswith("21:05:00 goal player Luna (7) team tig")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"ERROR: no match\r\n", "the server refuses: no match"),
        (b"\xff\xfe\n", "this is no match-stream server"),
        (b"2011-09-10 21:05:00: goal:\n\tplayer: L", "in the middle of an event"),
    ],
)
async def test_what_goes_wrong_is_said(said: bytes, told: str) -> None:
    async with serving(WELCOME + said) as address:
        with pytest.raises(WatchError, match=told):
            await watch_match(address, "me", "elp-tig-2011-09-10")


async def test_a_server_that_vanishes_is_named() -> None:
    async with serving(WELCOME, reset=True) as address:
        with pytest.raises(WatchError, match=f"the server at {address} went away"):
            await watch_match(address, "me", None)

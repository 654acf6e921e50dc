"""`matchstream watch`: a fan for people. It greets, and prints what comes in colour until the server closes."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from common.domain.match import Player
from common.wire.reader import ErrorLine, Frame, FrameError, FrameReader, GoodbyeLine, Line

if TYPE_CHECKING:
    from common.domain.events import Detail

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[0-9a-fA-F:.%]+)\]|(?P<host>[^\s\[\]]+)):(?P<port>[0-9]{1,5})")
_STYLES = {
    "status": "bold cyan",
    "goal": "bold green",
    "card": "bold yellow",
    "substitution": "magenta",
    "penalty": "bold red",
    "start": "bold cyan",
    "stop": "bold cyan",
}


class WatchError(Exception):
    """The match cannot be watched; the message says why and what to do."""


async def watch_match(address: str, user: str, match_id: str | None) -> None:
    """Print a match as it comes, until the server closes after the last event.

    `address` is HOST:PORT; `match_id` None is the current match. Raise WatchError if there is no server, it refuses,
    speaks another protocol, or goes away in the middle of something.
    """
    host, port = parse_address(address)
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except (OSError, UnicodeError) as error:  # UnicodeError: of a host that cannot be a name
        reason = error.strerror or error if isinstance(error, OSError) else "that is no host"
        raise WatchError(f"no server at {address} ({reason}); start one with: matchstream serve --stage 0") from None
    try:
        writer.write(_greeting(user, match_id))
        await _print_all(reader, Console())
    except ConnectionError as error:
        raise WatchError(f"the server at {address} went away: {error.strerror}") from None
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; an IPv6 address may stand in brackets. Raise WatchError."""
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise WatchError(f"{address!r} is no address; give HOST:PORT, such as 127.0.0.1:9999")
    return found["ipv6"] or found["host"], int(found["port"])


def _greeting(user: str, match_id: str | None) -> bytes:
    line = f"V:2:{user}" if match_id is None else f"VERSION:1:CONNECT:{user}:MATCH:{match_id}"
    return f"{line}\n".encode()


async def _print_all(reader: asyncio.StreamReader, console: Console) -> None:
    frames = FrameReader()
    while data := await reader.read(65536):
        try:
            said = frames.feed(data)
        except FrameError as error:
            raise WatchError(f"this is no match-stream server: {error}") from None
        for element in said:
            if isinstance(element, ErrorLine):
                raise WatchError(f"the server refuses: {element.message}")
            if not isinstance(element, GoodbyeLine):
                console.print(render(element))
    if frames.pending:
        raise WatchError("the server went away in the middle of an event; connect again")


def render(element: Line | Frame) -> Text:
    """Return what is shown of a line, or of a frame: its time (UTC), its kind in the kind's colour, its details."""
    if isinstance(element, Line):
        return Text(element.text, style="dim")
    return _render_frame(element)


def _render_frame(frame: Frame) -> Text:
    text = Text(f"{frame.at:%H:%M:%S}  ", style="dim")
    text.append(f"{frame.kind:<14}", style=_STYLES.get(frame.kind, "white"))
    text.append("  ".join(f"{key} {_value(value)}" for key, value in frame.details.items()), style="not dim")
    return text


def _value(value: Detail) -> str:
    if isinstance(value, Player):
        return f"{value.name} ({value.number})"
    if isinstance(value, tuple):
        return ", ".join(_value(player) for player in value) or "-"
    return str(value)

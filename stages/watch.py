"""`matchstream watch`: a fan for people. It greets, and prints what comes until the match is over or cannot be heard.

On a terminal it prints in colour; into a file or a pipe, a line an event. What a server says is never carried out by
the terminal (`common.terminal`).

Who means to connect again asks for numbered events (`common.wire.frames`), so that it can be sent what it missed. A
server that has none refuses that, or knows no better than to leave the numbers out; then who connects again is told the
status, and what happens from there on. So of what happened meanwhile only the status tells, and one that tells nothing
new is not shown again.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from common.addresses import parse_one
from common.domain.match import Period, Player
from common.terminal import harmless
from common.wire.frames import seconds_until_again
from common.wire.greeting import UNKNOWN
from common.wire.reader import ErrorLine, Frame, FrameError, FrameReader, GoodbyeLine, Line, ResumedLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from common.domain.events import Detail
    from common.wire.reader import Heard

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
"""Before it connects again: the pause doubles up to this, and a random part of it is left out, so that the fans of a
server that stopped do not all come back at the same moment ("Exponential Backoff And Jitter", AWS Architecture Blog).
"""
_BEFORE_ALL: Final = (0, 0)
"""The place of a match that has not started: the status is all there is, and is wanted again."""
REFUSALS: Final = 5
"""How often in a row a server may refuse before it is not asked again: it may need a moment after its own start."""

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


class NoServerError(WatchError):
    """Nobody answers at the address."""


class NoNumbersError(WatchError):
    """The server refuses to number what it tells; it may well tell it without."""


class WatchEndedError(Exception):
    """The match was watched, and is not over, but there is no more to hear of it; the message says why."""


class ConnectionEndedError(WatchEndedError):
    """The same, and to connect again may help."""


async def watch_match(
    address: str, user: str, match_id: str | None, *, reconnect: bool = False, note: Callable[[str], None]
) -> None:
    """Print a match as it comes, and return when it is over; `note` is called with what is to be said beside.

    `address` is HOST:PORT; `match_id` None is the current match. Raise AddressError; WatchError if there is no server,
    it refuses, or speaks another protocol; WatchEndedError if it closes before the match is over. With `reconnect`, who
    has been told the status connects again instead, as long as the match is not over and the server does not refuse for
    good; after as many seconds as the server asks for, if it does. Where it can tell what was missed, that is printed.
    """
    where = parse_one(address)
    watching = WatchedMatch(user, match_id, wants_numbers=reconnect)
    attempt = refusals = 0
    while not watching.is_over:
        watching.begin()
        try:
            await _watch_once(where, address, watching)
        except NoNumbersError:
            watching.wants_numbers = False
        except (WatchError, ConnectionEndedError) as error:
            if watching.is_told:
                attempt = refusals = 0
            refusals += isinstance(error, WatchError) and not isinstance(error, NoServerError)
            if not (reconnect and watching.was_told and refusals < REFUSALS):
                raise
            asked_s = seconds_until_again(str(error))
            pause_s = pause_before(attempt) if asked_s is None else asked_s
            attempt += 1
            note(f"{error}; connecting again in {pause_s:.1f} s")
            await asyncio.sleep(pause_s)
    note("the match is over")


def pause_before(attempt: int) -> float:
    """Return for how many seconds to wait before connecting again, the first time that is attempt 0."""
    longest_s = min(FIRST_PAUSE_S * 2.0 ** min(attempt, 16), LONGEST_PAUSE_S)
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311  # nothing secret about a pause


class WatchedMatch:
    """What is known of the match that is watched, over one connection or several."""

    def __init__(self, user: str, match_id: str | None, *, wants_numbers: bool) -> None:
        self.wants_numbers = wants_numbers
        """Whether to ask for numbered events."""
        self._user = user
        self._match_id = match_id
        self._place: tuple[int, int] | None = None
        self._had_numbers = False
        self._console = Console()
        self._is_terminal = self._console.file.isatty()
        self._teams: tuple[Detail | None, ...] = ()
        self._status: Mapping[str, Detail] = {}
        self.is_told = False
        """Whether the status was told over this connection."""
        self.is_over = False

    @property
    def was_told(self) -> bool:
        """Whether the status was told over any connection."""
        return bool(self._status)

    def begin(self) -> None:
        """Take note that what is heard from here on comes over a new connection."""
        self.is_told = False

    def greeting(self) -> bytes:
        """Return what to say first: who watches what, and what it heard last, if the server can go on from there."""
        if not self.wants_numbers:
            return _greeting(self._user, self._match_id)
        place = "" if self._place is None else "{}:{}".format(*self._place)
        return f"V:3:{self._user}:{self._match_id or ''}:{place}\n".encode()

    def hear(self, element: Heard) -> None:
        """Print what a server says. Raise what it means if that is no line and no event: WatchError, WatchEndedError.

        The welcome is printed once, and a status when it tells something new or stands for something that was missed.
        """
        if isinstance(element, GoodbyeLine):
            raise ConnectionEndedError(f"the server says goodbye: {element.message}")
        if isinstance(element, ErrorLine):
            if self.wants_numbers and not self.is_told and (not self._had_numbers or UNKNOWN in element.message):
                raise NoNumbersError(f"the server refuses: {element.message}")
            raise (ConnectionEndedError if self.is_told else WatchError)(f"the server refuses: {element.message}")
        if isinstance(element, Line):
            if not self.was_told:
                self._print(element)
        elif isinstance(element, ResumedLine):
            self.is_told = True
        else:
            self._hear_frame(element)

    def why_closed(self) -> str:
        """Return what it means that the server has closed now."""
        if self._status.get("period") == Period.NOT_STARTED:
            return "the match has not started yet; come again later, or watch with --reconnect"
        return "the server went away before the match was over; connect again, or watch with --reconnect"

    def _hear_frame(self, frame: Frame) -> None:
        self._had_numbers = frame.place is not None
        self.wants_numbers &= self._had_numbers
        self._place = frame.place if frame.place != _BEFORE_ALL else None
        if frame.kind == "status":
            self._hear_status(frame)
        else:
            self._print(frame)
            self.is_over = frame.kind == "stop"

    def _hear_status(self, frame: Frame) -> None:
        teams = (frame.details.get("home"), frame.details.get("visit"))
        if self._teams not in ((), teams):
            raise WatchEndedError("another match is the current one now; give --match ID to watch a certain one")
        if frame.missed:
            self._print(Line(f"not heard: {frame.missed}"))
        if frame.missed or frame.details != self._status:
            self._print(frame)
        self._teams, self._status = teams, frame.details
        self.is_told = True
        self.is_over = frame.details.get("period") == Period.ENDED

    def _print(self, element: Line | Frame) -> None:
        self._console.print(render(element), soft_wrap=not self._is_terminal)


def render(element: Line | Frame) -> Text:
    """Return what is shown of a line, or of a frame: its time (UTC), its kind in the kind's colour, its details."""
    if isinstance(element, Line):
        return Text(harmless(element.text), style="dim")
    return _render_frame(element)


def _greeting(user: str, match_id: str | None) -> bytes:
    line = f"V:2:{user}" if match_id is None else f"VERSION:1:CONNECT:{user}:MATCH:{match_id}"
    return f"{line}\n".encode()


async def _watch_once(where: tuple[str, int], address: str, watching: WatchedMatch) -> None:
    """Return when the match is over. Raise WatchError, WatchEndedError, by which it can be told what to do."""
    try:
        reader, writer = await asyncio.open_connection(*where)
    except (OSError, UnicodeError) as error:  # UnicodeError: of a host that cannot be a name
        reason = error.strerror or error if isinstance(error, OSError) else "that is no host"
        raise NoServerError(f"no server at {address} ({reason}); start one with: matchstream serve --stage 0") from None
    try:
        writer.write(watching.greeting())
        await _hear_all(reader, watching)
    except OSError as error:
        raise ConnectionEndedError(f"the server at {address} went away: {error.strerror or error}") from None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _hear_all(reader: asyncio.StreamReader, watching: WatchedMatch) -> None:
    frames = FrameReader()
    while data := await reader.read(65536):
        try:
            said = frames.feed(data)
        except FrameError as error:
            raise WatchError(f"this is no match-stream server: {error}") from None
        for element in said:
            watching.hear(element)
        if watching.is_over:
            return
    if frames.pending:
        raise ConnectionEndedError("the server went away in the middle of an event; connect again")
    raise ConnectionEndedError(watching.why_closed())


def _render_frame(frame: Frame) -> Text:
    text = Text(f"{frame.at:%H:%M:%S}  ", style="dim")
    text.append(f"{frame.kind:<14}", style=_STYLES.get(frame.kind, "white"))
    shown = "  ".join(f"{key} {_value(value)}" for key, value in frame.details.items())
    text.append(harmless(shown), style="not dim")
    return text


def _value(value: Detail) -> str:
    if isinstance(value, Player):
        return f"{value.name} ({value.number})"
    if isinstance(value, tuple):
        return ", ".join(_value(player) for player in value) or "-"
    return str(value)

r"""What a fan says: one line, after which it only listens. Reading it costs no buffer when it comes in one piece.

Two forms are known, with any further fields ignored:

    V:2:<user>                                   the current match
    VERSION:1:CONNECT:<user>:MATCH:<match id>    that match

The first `\n` or `\r` ends the line, so all ends of line that telnet knows count (`\r\n`, `\r\0`; RFC 854, "The NVT
printer and keyboard"), and a bare `\r`; what follows it says nothing. A fan that sends no more has ended its line, too.

Telnet's commands may stand anywhere and are passed over: a client that negotiates its options when it connects, as
PuTTY does, gets no answer, and makes do with a network virtual terminal. A line, with all that stands in it, is at most
LIMIT bytes, its end included, so a peer that never ends its line cannot take memory.
"""

import re
from typing import Final

import msgspec

from common.domain.match import UNWANTED

LIMIT: Final = 1024  # bytes
MAX_NAME: Final = 64  # characters of a user or a match id

_EXPECTED: Final = "expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>"
_CONTROL: Final = re.compile(f"[{UNWANTED}]")

_IAC: Final = b"\xff"
_COMMANDS: Final = re.compile(
    rb"\xff(?:"
    rb"(\xff)"  # IAC IAC: the byte 255 itself
    rb"|[\xfb-\xfe](?:.|\Z)"  # WILL, WONT, DO or DONT, and the option
    rb"|\xfa(?:[^\xff]|\xff[^\xf0])*(?:\xff\xf0|\xff?\Z)"  # SB … IAC SE
    rb"|[\xec-\xf9]"  # the others, from 236 on (RFC 885, RFC 1184)
    rb"|\Z)",
    re.DOTALL,
)
"""Telnet's commands (RFC 854, RFC 855), also one that has not come to its end: it is no text, however it goes on.

A 255 before anything else is none. It stays, and the line is refused, since no text in UTF-8 has such a byte.
"""


class GreetingError(Exception):
    """What came is no greeting; the message says what was expected, on one line, and repeats nothing of what came."""


class Greeting(msgspec.Struct, frozen=True, gc=False):
    """Who wants to watch what; `match_id` is None for the current match. It holds only text, so gc need not see it."""

    user: str
    match_id: str | None


class GreetingReader:
    """Reads the greeting of one fan, however it is cut into pieces. After a greeting, or an error, it is done."""

    __slots__ = ("_head",)

    def __init__(self) -> None:
        self._head: bytes | None = b""

    def feed(self, data: bytes) -> Greeting | None:
        """Return the greeting once its line is complete, None until then, and None for all that follows it.

        Raise GreetingError when the line is no greeting or does not end within LIMIT bytes.
        """
        if self._head is None:
            return None
        if self._head:
            data = self._head + data
        text = data if _IAC not in data else _COMMANDS.sub(rb"\1", data[:LIMIT])
        end = text.find(b"\n", 0, LIMIT)
        if b"\r" in text:
            bare = text.find(b"\r", 0, end if end >= 0 else LIMIT)
            end = bare if bare >= 0 else end
        if end < 0 and len(data) < LIMIT:
            self._head = data
            return None
        self._head = None
        if end < 0:
            raise GreetingError(f"the line is longer than {LIMIT} bytes; {_EXPECTED}")
        return parse_greeting(text[:end])

    def end(self) -> Greeting | None:
        """Return what `feed` does at the end of a line: the fan has sent its last. Raise GreetingError."""
        if self._head is None:
            return None
        head, self._head = self._head, None
        return parse_greeting(_COMMANDS.sub(rb"\1", head))


def parse_greeting(line: bytes) -> Greeting:
    """Return the greeting that one line, without its end, holds. Raise GreetingError when it is none."""
    try:
        fields = line.decode().split(":")
    except UnicodeDecodeError:
        raise GreetingError(f"the line is not UTF-8; {_EXPECTED}") from None
    match fields:
        case ["V", "2", user, *_]:
            return Greeting(_checked(user, "user"), None)
        case ["VERSION", "1", "CONNECT", user, "MATCH", match_id, *_]:
            return Greeting(_checked(user, "user"), _checked(match_id, "match id"))
        case _:
            raise GreetingError(_EXPECTED)


def _checked(name: str, what: str) -> str:
    if not name:
        raise GreetingError(f"the {what} is empty; {_EXPECTED}")
    if len(name) > MAX_NAME:
        raise GreetingError(f"the {what} is longer than {MAX_NAME} characters; {_EXPECTED}")
    if not name.isprintable() and _CONTROL.search(name):  # most names are printable, and that is quicker to see
        raise GreetingError(f"the {what} has control characters or direction marks; {_EXPECTED}")
    return name

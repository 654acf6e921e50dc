r"""What a fan says: one line, after which it only listens. Reading it costs no buffer when it comes in one piece.

Two forms are known, both with `\n` or `\r\n` at the end and with any further fields ignored:

    V:2:<user>                                   the current match
    VERSION:1:CONNECT:<user>:MATCH:<match id>    that match

A line is at most LIMIT bytes, its end included, so a peer that never ends its line cannot take memory.
"""

import re
from typing import Final

import msgspec

LIMIT: Final = 1024  # bytes
MAX_NAME: Final = 64  # characters of a user or a match id

_EXPECTED: Final = "expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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
        end = data.find(b"\n", 0, LIMIT)
        if end < 0 and len(data) < LIMIT:
            self._head = data
            return None
        self._head = None
        if end < 0:
            raise GreetingError(f"the line is longer than {LIMIT} bytes; {_EXPECTED}")
        return parse_greeting(data[:end])


def parse_greeting(line: bytes) -> Greeting:
    """Return the greeting that one line (with or without its end) holds. Raise GreetingError when it is none."""
    try:
        fields = line.removesuffix(b"\n").removesuffix(b"\r").decode().split(":")
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
        raise GreetingError(f"the {what} has control characters; {_EXPECTED}")
    return name

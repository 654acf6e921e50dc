r"""What a fan says: one line, after which it only listens. Reading it costs no buffer when it comes in one piece.

Two forms are known, with any further fields ignored:

    V:2:<user>                                   the current match
    VERSION:1:CONNECT:<user>:MATCH:<match id>    that match

Servers that number what they tell (`common.wire.frames`), and only they, know one more:

    V:3:<user>:<match id>                            that match, numbered; the current one if the match id is empty
    V:3:<user>:<match id>:<last number>:<epoch>      the same, from behind the event that the fan heard last

Who does not know the epoch says 0, or leaves it out; then the number counts alone, and nobody would notice that the
match is not the one that it was.

The first `\n` or `\r` ends the line, so all ends of line that telnet knows count (`\r\n`, `\r\0`; RFC 854, "The NVT
printer and keyboard"), and a bare `\r`; what follows it says nothing. A fan that sends no more has ended its line, too.

Telnet's commands may stand anywhere and are passed over: a client that negotiates its options when it connects, as
PuTTY does, gets no answer, and makes do with a network virtual terminal. A line, with all that stands in it, is at most
LIMIT bytes, its end included, so a peer that never ends its line cannot take memory.
"""

import re
from typing import ClassVar, Final

import msgspec

from common.domain.match import UNWANTED

LIMIT: Final = 1024  # bytes
MAX_NAME: Final = 64  # characters of a user or a match id

UNKNOWN: Final = "expected V:2:<user>"
"""How the error of a line that is no greeting begins, or goes on after what is wrong with it."""
_EXPECTED: Final = f"{UNKNOWN} or VERSION:1:CONNECT:<user>:MATCH:<match id>"
_EXPECTED_NUMBERED: Final = f"{_EXPECTED}, or V:3:<user>:<match id>:<last number>:<epoch>"
_DIGITS: Final = re.compile(r"[0-9]{1,18}")  # as many as an integer of 64 bits surely holds
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
    """What came is no greeting; the message says what was expected, on one line, and repeats nothing of what came.

    `is_refusal` is False where something else was asked for than to watch, and that is had.
    """

    is_refusal: ClassVar[bool] = True


class Numbered(msgspec.Struct, frozen=True, gc=False):
    """That a fan wants numbers, and the number and epoch of the event that it heard last: None if it begins.

    A server may have other protocols than this one: `door` names that of the fan, and `opening` is what it is told
    before its first answer.
    """

    number: int | None = None
    epoch: int = 0
    door: str = ""
    opening: bytes = b""


class Greeting(msgspec.Struct, frozen=True, gc=False):
    """Who wants to watch what; `match_id` is None for the current match, `numbered` for frames without numbers.

    Nothing that it holds can refer back to it, so gc need not see it.
    """

    user: str
    match_id: str | None
    numbered: Numbered | None = None


class GreetingReader:
    """Reads the greeting of one fan, however it is cut into pieces. After a greeting, or an error, it is done.

    `numbers`: whether the server knows V:3.
    """

    __slots__ = ("_head", "_numbers")

    def __init__(self, *, numbers: bool = False) -> None:
        self._head: bytes | None = b""
        self._numbers = numbers

    def feed(self, data: bytes) -> Greeting | None:
        """Return the greeting once its line is complete, None until then, and None for all that follows it.

        Raise GreetingError when the line is no greeting or does not end within LIMIT bytes.
        """
        if self._head is None:
            return None
        if self._head:
            data = self._head + data
        text = data if 255 not in data else _COMMANDS.sub(rb"\1", data[:LIMIT])
        end = text.find(b"\n", 0, LIMIT)
        if 13 in text:
            bare = text.find(b"\r", 0, end if end >= 0 else LIMIT)
            end = bare if bare >= 0 else end
        if end < 0 and len(data) < LIMIT:
            self._head = data
            return None
        self._head = None
        if end < 0:
            raise GreetingError(f"the line is longer than {LIMIT} bytes; {_expected(self._numbers)}")
        return parse_greeting(text[:end], numbers=self._numbers)

    def end(self) -> Greeting | None:
        """Return what `feed` does at the end of a line: the fan has sent its last. Raise GreetingError."""
        if self._head is None:
            return None
        head, self._head = self._head, None
        return parse_greeting(_COMMANDS.sub(rb"\1", head), numbers=self._numbers)


def parse_greeting(line: bytes, *, numbers: bool = False) -> Greeting:
    """Return the greeting that one line, without its end, holds; V:3 with `numbers` only. Raise GreetingError."""
    try:
        return _parse(line, numbers)
    except WrongFieldError as error:
        raise GreetingError(f"{error}; {_expected(numbers)}") from None


class WrongFieldError(Exception):
    """What is wrong with one field of what is nearly a greeting."""


def _expected(numbers: bool) -> str:
    return _EXPECTED_NUMBERED if numbers else _EXPECTED


def _parse(line: bytes, numbers: bool) -> Greeting:
    try:
        fields = line.decode().split(":")
    except UnicodeDecodeError:
        raise WrongFieldError("the line is not UTF-8") from None
    match fields:
        case ["V", "2", user, *_]:
            return Greeting(checked_name(user, "user"), None)
        case ["VERSION", "1", "CONNECT", user, "MATCH", match_id, *_]:
            return Greeting(checked_name(user, "user"), checked_name(match_id, "match id"))
        case ["V", "3", user, match_id, *rest] if numbers:
            return Greeting(
                checked_name(user, "user"), checked_name(match_id, "match id") if match_id else None, _place(*rest)
            )
        case _:
            raise GreetingError(_expected(numbers))


def checked_name(name: str, what: str) -> str:
    """Return `name` if a user or a match may be called so. Raise WrongFieldError, which calls it `what`."""
    if not name:
        raise WrongFieldError(f"the {what} is empty")
    if len(name) > MAX_NAME:
        raise WrongFieldError(f"the {what} is longer than {MAX_NAME} characters")
    if not name.isprintable() and _CONTROL.search(name):  # most names are printable, and that is quicker to see
        raise WrongFieldError(f"the {what} has control characters or direction marks")
    return name


def _place(number: str = "", epoch: str = "", *_: str) -> Numbered:
    """Return where a fan stands who says that; the fields are at the end of the line and may be left out."""
    if not number and not epoch:
        return Numbered()
    return Numbered(_count(number, "last number"), _count(epoch, "epoch") if epoch else 0)


def _count(text: str, what: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise WrongFieldError(f"the {what} is not a number of 1 to 18 digits")
    return int(text)

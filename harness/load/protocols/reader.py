"""What every protocol's reader does for the fans: it finds the end of the greeting and of the answer, then numbers.

One reader serves all fans of a process, each told apart by a number. It keeps something of a fan only while something
is cut in the middle, which is rare, so an idle fan costs nothing here. However a stream is cut into chunks, what is
read is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from harness.errors import HarnessError

MAX_PENDING: Final = 64 * 1024  # bytes kept of an answer that does not end; a full status frame has about 6,000 at most
DIGITS: Final = 9  # of an event's number: fits an array of 32-bit integers

Settle = Callable[[int, int, float], None]
"""Is told of a fan, a number, and when that came: the last data before had ended with it, and now it is known whole."""
Say = Callable[[int, bytes], None]
"""Sends what a fan says."""
Place = Callable[[int, bytes], None]
"""Is told what the server calls the last event that a fan had, where it has names for them."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What a reader asks of whoever has the fans. `fill` returns a text with what is a fan's own in it, as its name.

    There is a `place` where fans may come back, and say then where they were.
    """

    settle: Settle
    say: Say
    fill: Callable[[int, bytes], bytes]
    place: Place | None = None


class Completeness(Enum):
    """How far a greeting or an answer is."""

    PART = auto()
    COMPLETE = auto()
    REFUSAL = auto()


class StreamError(HarnessError):
    """The server does not send the stream that was asked for; the message goes on after the server's name."""


class UnreadableError(StreamError):
    """What it sends is not the protocol that it was said to speak."""


class RefusedError(StreamError):
    """It takes the fan not, and says so in a way of its protocol."""


class StatusError(StreamError):
    """It answers with another status of HTTP than that of the stream. `said` is what came after the head."""

    def __init__(self, status: int, reason: str, said: bytes) -> None:
        excerpt = f"; it said {repr(said[:120])[1:]}" if said else ""
        super().__init__(f"answers {status} {reason}".rstrip() + excerpt)
        self.status = status


class ClosedError(StreamError):
    """It closed the stream and said why: with a code of RFC 6455, section 7.4, and a reason, which may be empty."""

    _IN_GOOD_ORDER: Final = frozenset({1000, 1001, 1005})  # done, going away, and no code at all

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closes with {code}" + (f" ({reason})" if reason else ""))
        self.code = code
        self.reason = reason

    @property
    def is_in_good_order(self) -> bool:
        """Whether that is no complaint."""
        return self.code in self._IN_GOOD_ORDER


class Reader(Protocol):
    """Reads what the server says to the fans of one process, and says what has to be said to that."""

    @property
    def goodbye(self) -> bytes:
        """What a fan says before it leaves in good order; it may be nothing."""
        ...

    def greeting(self, fan: int, data: bytes) -> Completeness:
        """Read more of the fan's greeting. What follows it in `data` was said before the question: it is no answer."""
        ...

    def answer(self, fan: int, data: bytes) -> tuple[Completeness, bytes]:
        """Read more of the fan's answer; return with it what follows the answer, for `sequences`. Raise StreamError."""
        ...

    def sequences(self, fan: int, data: bytes, at_s: float) -> tuple[int, ...]:
        """Return the numbers of the events that are complete with `data`, which came at `at_s`, in order.

        What only now is known to have been complete before is told to Settle first. Raise StreamError.
        """
        ...

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more; a number with which its data ended is told to Settle."""
        ...

    @property
    def kept(self) -> int:
        """How many bytes of what was said are kept of all fans together."""
        ...

    @property
    def open(self) -> int:
        """How many fans' data ended with a number, which Settle is yet to be told of."""
        ...


def number_behind(mark: bytes) -> re.Pattern[bytes]:
    """Return a pattern for the numbers behind a mark, in a text after which nothing comes."""
    return re.compile(re.escape(mark) + rb"([0-9]{1,%d})(?![0-9])" % DIGITS)


def begins_a_line(start: bytes, text: bytes) -> bool:
    """Return whether a line of `text` begins with `start`; none does with nothing."""
    return bool(start) and (text.startswith(start) or b"\n" + start in text)

"""Numbers behind marks in a text without frames, one text a fan, however it is cut.

A message that ends in its number, with nothing after it until the next message, is complete when it is there, but that
is known only later: more digits may come. So where a fan's data ends in a number, the number is kept with the time of
that data. The next data settles it: unless that begins with a digit, the number was whole, and counts from when it
came. So does the end of the fan. What this guarantees: no such number is lost, none counts from the message after it,
and one whose digits come in two pieces counts once, from the second. One thing cannot be known: if a fan ends between
the two, the first digits are taken for the number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.load.protocols.reader import DIGITS

if TYPE_CHECKING:
    from harness.load.protocols.reader import Settle


class Marks:
    """Finds the numbers that stand behind `mark`; `settle` is told of those that a fan's data ended with."""

    __slots__ = (
        "_cut",
        "_cut_mark",
        "_last",
        "_last_cut",
        "_last_numbers",
        "_mark",
        "_mark_length",
        "_open",
        "_settle",
    )

    def __init__(self, mark: bytes, settle: Settle) -> None:
        self._mark = re.compile(re.escape(mark) + rb"([0-9]{1,%d})(?=[^0-9])" % DIGITS)
        self._cut_mark = _beginning_of(mark)
        self._mark_length = len(mark)
        self._settle = settle
        self._cut: dict[int, bytes] = {}
        self._open: dict[int, tuple[int, float]] = {}
        self._last = self._last_cut = b""
        self._last_numbers: tuple[int, ...] = ()

    def sequences(self, fan: int, data: bytes, at_s: float) -> tuple[int, ...]:
        """Return the numbers that are complete now, in order: something else than a digit follows them.

        Most chunks are the frame that the fan before got as well, so the last one is remembered: to compare is six
        times as quick as to search.
        """
        if self._cut:
            data = self._behind_cut(fan, data)
        if data != self._last:
            self._last = data
            self._last_numbers, self._last_cut = self._find(data)
        if self._last_cut:
            self._cut[fan] = self._last_cut
            if digits := self._last_cut[self._mark_length :]:
                self._open[fan] = int(digits), at_s
        return self._last_numbers

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more: a number with which its data ended was whole."""
        self._cut.pop(fan, None)
        if (ended := self._open.pop(fan, None)) is not None:
            self._settle(fan, *ended)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return sum(map(len, self._cut.values()))

    @property
    def open(self) -> int:
        """How many fans' data ended with a number."""
        return len(self._open)

    def _behind_cut(self, fan: int, data: bytes) -> bytes:
        """Return `data` behind what was cut off before it, unless that was a number, and whole."""
        cut = self._cut.pop(fan, b"")
        if (ended := self._open.pop(fan, None)) is not None and not data[:1].isdigit():
            self._settle(fan, *ended)
            return data
        return cut + data

    def _find(self, data: bytes) -> tuple[tuple[int, ...], bytes]:
        """Return the complete numbers in `data`, and the beginning of a mark with which it ends, or nothing."""
        cut = self._cut_mark.search(data, max(0, len(data) - self._mark_length - DIGITS))
        return tuple(map(int, self._mark.findall(data))), cut[0] if cut else b""


def _beginning_of(mark: bytes) -> re.Pattern[bytes]:
    """Return a pattern for the longest beginning of a mark, or a mark with an open number, at the end of the text."""
    pattern = rb"[0-9]{0,%d}" % DIGITS
    for byte in reversed(mark):
        pattern = re.escape(bytes([byte])) + b"(?:" + pattern + b")?"
    return re.compile(pattern + rb"\Z")

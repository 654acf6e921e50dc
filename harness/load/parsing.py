"""What a fan makes of the bytes it gets (Sans-I/O): the end of a greeting, of an answer, and the numbers of events.

One reader serves all fans of a process. It keeps bytes of a fan only while something is cut in the middle, which is
rare, so an idle fan costs nothing here. However the stream is cut into chunks, what is read is the same.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.load.workload import Dialogue

MAX_PENDING: Final = 64 * 1024  # bytes kept of an answer that does not end; a full status frame has about 6,000 at most
_DIGITS: Final = 9  # of an event's number: fits an array of 32-bit integers


class Completeness(Enum):
    """How far a greeting or an answer is."""

    PART = auto()
    COMPLETE = auto()
    REFUSAL = auto()


class Reader:
    """Reads what the server says to the fans of one process, each told apart by a number."""

    __slots__ = (
        "_answer_end",
        "_cut",
        "_cut_mark",
        "_error_line",
        "_error_start",
        "_last",
        "_last_cut",
        "_last_numbers",
        "_mark",
        "_mark_reach",
        "_usual_answer",
        "_usual_greeting",
        "_welcome_end",
    )

    def __init__(self, dialogue: Dialogue) -> None:
        mark = dialogue.mark
        self._welcome_end = dialogue.welcome_end
        self._answer_end = dialogue.answer_end
        self._error_start = dialogue.error_start
        self._error_line = b"\n" + dialogue.error_start
        self._mark = re.compile(re.escape(mark) + rb"([0-9]{1,%d})(?=[^0-9])" % _DIGITS)
        self._cut_mark = _beginning_of(mark)
        self._mark_reach = len(mark) + _DIGITS
        self._cut: dict[int, bytes] = {}
        self._last = self._last_cut = self._usual_greeting = self._usual_answer = b""
        self._last_numbers: tuple[int, ...] = ()

    def greeting(self, fan: int, data: bytes) -> Completeness:
        """Read more of the fan's greeting. What follows it in `data` was said before the question: it is no answer.

        Most fans are greeted in the same words, in one piece: those are remembered, which is ten times as quick.
        """
        if data == self._usual_greeting and fan not in self._cut:
            return Completeness.COMPLETE
        data = self._cut.pop(fan, b"") + data
        end = data.find(self._welcome_end)
        if self._is_refusal(data):
            return Completeness.REFUSAL
        if end < 0:
            self._cut[fan] = data[-MAX_PENDING:]
            return Completeness.PART
        if rest := data[max(end + len(self._welcome_end), data.rfind(b"\n") + 1) :]:
            self._cut[fan] = rest  # the beginning of a line: what comes next is not the start of one
        else:
            self._usual_greeting = data
        return Completeness.COMPLETE

    def answer(self, fan: int, data: bytes) -> tuple[Completeness, bytes]:
        """Read more of the fan's answer; return with it what follows the answer in `data`.

        Most answers are the same, and remembered as greetings are.
        """
        if data == self._usual_answer and fan not in self._cut:
            return Completeness.COMPLETE, b""
        data = self._cut.pop(fan, b"") + data
        end = data.find(self._answer_end)
        if self._is_refusal(data if end < 0 else data[:end]):
            return Completeness.REFUSAL, b""
        if end < 0:
            self._cut[fan] = data[-MAX_PENDING:]
            return Completeness.PART, b""
        rest = data[end + len(self._answer_end) :]
        if not rest:
            self._usual_answer = data
        return Completeness.COMPLETE, rest

    def sequences(self, fan: int, data: bytes) -> tuple[int, ...]:
        """Return the numbers of the events whose marks are complete now, in order.

        A number is complete when something else than a digit follows it. Most chunks are the frame that the fan before
        got as well, so the last one is remembered: to compare is six times as quick as to search.
        """
        if self._cut:
            data = self._cut.pop(fan, b"") + data
        if data != self._last:
            self._last = data
            self._last_numbers, self._last_cut = self._find_marks(data)
        if self._last_cut:
            self._cut[fan] = self._last_cut
        return self._last_numbers

    def _find_marks(self, data: bytes) -> tuple[tuple[int, ...], bytes]:
        """Return the complete numbers in `data`, and the beginning of a mark with which it ends, or nothing."""
        cut = self._cut_mark.search(data, max(0, len(data) - self._mark_reach))
        return tuple(map(int, self._mark.findall(data))), cut[0] if cut else b""

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that left."""
        self._cut.pop(fan, None)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return sum(map(len, self._cut.values()))

    def _is_refusal(self, data: bytes) -> bool:
        if not self._error_start:
            return False
        return data.startswith(self._error_start) or self._error_line in data


def _beginning_of(mark: bytes) -> re.Pattern[bytes]:
    """Return a pattern for the longest beginning of a mark, or a mark with an open number, at the end of the text."""
    pattern = rb"[0-9]{0,%d}" % _DIGITS
    for byte in reversed(mark):
        pattern = re.escape(bytes([byte])) + b"(?:" + pattern + b")?"
    return re.compile(pattern + rb"\Z")

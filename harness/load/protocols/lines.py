"""Texts without frames: a greeting and an answer up to their ends as described, then marks wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.load.protocols.marks import Marks
from harness.load.protocols.reader import MAX_PENDING, Completeness, begins_a_line

if TYPE_CHECKING:
    from harness.load.protocols.reader import Settle
    from harness.load.workload import Dialogue


class LineReader:
    """A Reader of what has no other protocol: the stages, most peers, and other servers at tcp://."""

    __slots__ = (
        "_answer_end",
        "_cut",
        "_error_start",
        "_marks",
        "_usual_answer",
        "_usual_greeting",
        "_welcome_end",
        "sequences",
    )

    def __init__(self, dialogue: Dialogue, settle: Settle) -> None:
        self._welcome_end = dialogue.welcome_end
        self._answer_end = dialogue.answer_end
        self._error_start = dialogue.error_start
        self._marks = Marks(dialogue.mark, settle)
        self.sequences = self._marks.sequences
        self._cut: dict[int, bytes] = {}
        self._usual_greeting = self._usual_answer = b""

    def greeting(self, fan: int, data: bytes) -> Completeness:
        """Read more of the fan's greeting. What follows it in `data` was said before the question: it is no answer.

        Most fans are greeted in the same words, in one piece: those are remembered, which is ten times as quick.
        """
        if data == self._usual_greeting and fan not in self._cut:
            return Completeness.COMPLETE
        data = self._cut.pop(fan, b"") + data
        end = data.find(self._welcome_end)
        if begins_a_line(self._error_start, data):
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
        if begins_a_line(self._error_start, data if end < 0 else data[:end]):
            return Completeness.REFUSAL, b""
        if end < 0:
            self._cut[fan] = data[-MAX_PENDING:]
            return Completeness.PART, b""
        rest = data[end + len(self._answer_end) :]
        if not rest:
            self._usual_answer = data
        return Completeness.COMPLETE, rest

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more; a number with which its data ended is told to Settle."""
        self._cut.pop(fan, None)
        self._marks.forget(fan)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return sum(map(len, self._cut.values())) + self._marks.kept

    @property
    def open(self) -> int:
        """How many fans' data ended with a number, which Settle is yet to be told of."""
        return self._marks.open

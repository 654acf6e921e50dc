"""Texts without frames: a greeting and an answer up to their ends as described, then marks wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.load.protocols.heartbeats import Heartbeats
from harness.load.protocols.marks import Marks
from harness.load.protocols.reader import MAX_PENDING, Completeness, begins_a_line
from harness.load.protocols.turns import Turns

if TYPE_CHECKING:
    from harness.load.protocols.reader import Callbacks
    from harness.load.workload import Dialogue


class LineReader:
    """A Reader of what has no other protocol: the stages, most peers, and other servers at tcp:// and tls://."""

    __slots__ = (
        "_answer_end",
        "_cut",
        "_error_start",
        "_heartbeats",
        "_marks",
        "_turns",
        "_usual_answer",
        "_usual_greeting",
        "_welcome_end",
        "sequences",
    )

    goodbye = b""

    def __init__(self, dialogue: Dialogue, callbacks: Callbacks) -> None:
        self._welcome_end = dialogue.welcome_end
        self._answer_end = dialogue.answer_end
        self._error_start = dialogue.error_start
        self._marks = Marks(dialogue.mark, callbacks.settle)
        self._turns = Turns(dialogue.turns, callbacks, bytes)
        self._heartbeats = None if dialogue.heartbeat is None else Heartbeats(dialogue.heartbeat, callbacks.say)
        self.sequences = self._marks.sequences if self._heartbeats is None else self._sequences_between_heartbeats
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
        if self._heartbeats is not None:
            self._heartbeats.hear(fan, data)
        if data == self._usual_answer and fan not in self._cut:
            return Completeness.COMPLETE, b""
        awaited = self._turns.awaited(fan) or self._answer_end
        data = self._cut.pop(fan, b"") + data
        end = data.find(awaited)
        if begins_a_line(self._error_start, data if end < 0 else data[:end]):
            return Completeness.REFUSAL, b""
        if end < 0:
            self._cut[fan] = data[-MAX_PENDING:]
            return Completeness.PART, b""
        rest = data[end + len(awaited) :]
        if self._turns.go_on(fan):
            if beginning := rest[rest.rfind(b"\n") + 1 :]:
                self._cut[fan] = beginning  # of a line, as after a greeting
            return Completeness.PART, b""
        if not rest and not self._turns:
            self._usual_answer = data
        return Completeness.COMPLETE, rest

    def _sequences_between_heartbeats(self, fan: int, data: bytes, at_s: float) -> tuple[int, ...]:
        """Answer the pings in `data`, too, which are no events."""
        assert self._heartbeats is not None  # noqa: S101 -- it is for who has them; this tells the type checker
        self._heartbeats.hear(fan, data)
        return self._marks.sequences(fan, data, at_s)

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more; a number with which its data ended is told to Settle."""
        self._cut.pop(fan, None)
        self._turns.forget(fan)
        if self._heartbeats is not None:
            self._heartbeats.forget(fan)
        self._marks.forget(fan)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        heartbeats = 0 if self._heartbeats is None else self._heartbeats.kept
        return sum(map(len, self._cut.values())) + self._marks.kept + heartbeats

    @property
    def open(self) -> int:
        """How many fans' data ended with a number, which Settle is yet to be told of."""
        return self._marks.open

"""A stream over HTTP/1.x: the answer is a head with the status 200, and the events are in its body.

In a body of the type text/event-stream events are what that says they are; in any other, numbers stand behind marks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.load.protocols.bodies import Bodies, Body, Head, read_head
from harness.load.protocols.event_stream import EventNumbers
from harness.load.protocols.marks import Marks
from harness.load.protocols.reader import MAX_PENDING, Completeness, StatusError, UnreadableError, begins_a_line

if TYPE_CHECKING:
    from harness.load.protocols.reader import Callbacks
    from harness.load.workload import Dialogue


class HttpReader:
    """A Reader of answers to a GET."""

    __slots__ = (
        "_answer_end",
        "_bodies",
        "_error_start",
        "_events",
        "_marks",
        "_plain",
        "_said",
        "_usual_answer",
        "_usual_head",
    )

    goodbye = b""

    def __init__(self, dialogue: Dialogue, callbacks: Callbacks) -> None:
        self._answer_end = dialogue.answer_end
        self._error_start = dialogue.error_start
        self._said: dict[int, bytes] = {}
        self._usual_answer = b""
        self._usual_head: Head | None = None
        self._bodies = Bodies()
        self._events = EventNumbers(dialogue.mark, callbacks.place)
        self._marks = Marks(dialogue.mark, callbacks.settle)
        self._plain: set[int] = set()  # the fans whose bodies are no event streams

    def greeting(self, fan: int, data: bytes) -> Completeness:
        """Greet nobody: it is the fan who speaks first."""
        return Completeness.COMPLETE

    def answer(self, fan: int, data: bytes) -> tuple[Completeness, bytes]:
        """Read more of the fan's answer; return with it all that came of its body.

        It is complete with its head, or where the dialogue has an `answer_end`, when the body has that. Most answers
        are the same, and remembered. Raise StatusError, or UnreadableError for what is no HTTP, or does not end.
        """
        head = self._usual_head
        if head is None or data != self._usual_answer or fan in self._said:
            said = self._said.pop(fan, b"") + data
            head = read_head(said)
            heard = Completeness.PART if head is None else self._judge(head)
            if heard is Completeness.PART and len(said) > MAX_PENDING:
                raise UnreadableError(f"sends an answer that does not end within {MAX_PENDING:,} bytes")
            if heard is Completeness.PART:
                self._said[fan] = said
            if head is None or heard is not Completeness.COMPLETE:
                return heard, b""
            self._usual_answer, self._usual_head = said, head
        self._bodies.begin(fan, head)
        if not head.is_event_stream:
            self._plain.add(fan)
        return Completeness.COMPLETE, head.rest

    def sequences(self, fan: int, data: bytes, at_s: float) -> tuple[int, ...]:
        """Return the numbers of the events that are complete with `data`, in order. Raise UnreadableError."""
        text = self._bodies.read(fan, data)
        if fan not in self._plain:
            return self._events.sequences(fan, text)
        return self._marks.sequences(fan, text, at_s) if text else ()

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more; a number with which its data ended is told to Settle."""
        self._said.pop(fan, None)
        self._plain.discard(fan)
        self._bodies.forget(fan)
        self._events.forget(fan)
        self._marks.forget(fan)

    @property
    def kept(self) -> int:
        """How many bytes of answers and events are kept of all fans together."""
        return sum(map(len, self._said.values())) + self._events.kept + self._marks.kept

    @property
    def open(self) -> int:
        """How many fans' data ended with a number, which Settle is yet to be told of."""
        return self._marks.open

    def _judge(self, head: Head) -> Completeness:
        """Return how far an answer is of which the head is there. Raise StatusError, UnreadableError."""
        if head.status != 200:
            raise StatusError(head.status, head.reason, head.rest)
        if not self._answer_end:
            return Completeness.COMPLETE
        text = Body(head).read(head.rest)
        end = text.find(self._answer_end)
        if begins_a_line(self._error_start, text if end < 0 else text[:end]):
            return Completeness.REFUSAL
        return Completeness.PART if end < 0 else Completeness.COMPLETE

"""WebSockets: the answer is a head with the status 101, then messages, each of which ends where its frame does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.load.protocols.reader import MAX_PENDING, Completeness, StreamError, UnreadableError, number_behind
from harness.load.protocols.turns import Turns
from harness.load.protocols.websocket_messages import GOODBYE, Messages, close_frame, framed
from harness.load.protocols.websocket_upgrade import accept_of, read_upgrade

if TYPE_CHECKING:
    from harness.load.protocols.reader import Callbacks
    from harness.load.workload import Dialogue


class WebSocketReader:
    """A Reader of WebSockets. Most fans hear what the fan before heard, so that is remembered, and not read again."""

    __slots__ = (
        "_accept",
        "_error_start",
        "_last",
        "_last_numbers",
        "_messages",
        "_number",
        "_said",
        "_settle",
        "_turns",
        "_upgraded",
        "_usual_answer",
    )

    def __init__(self, dialogue: Dialogue, callbacks: Callbacks) -> None:
        self._accept = accept_of(dialogue.hello)
        self._error_start = dialogue.error_start
        self._number = number_behind(dialogue.mark)
        self._settle = callbacks.settle
        self._turns = Turns(dialogue.turns, callbacks, framed)
        self._messages = Messages(callbacks.say)
        self._said: dict[int, bytes] = {}
        self._upgraded: set[int] = set()  # who waits for an answer in a message
        self._usual_answer = self._last = b""
        self._last_numbers: tuple[int, ...] = ()

    @property
    def goodbye(self) -> bytes:
        """The frame that closes."""
        return close_frame(GOODBYE)

    def greeting(self, fan: int, data: bytes) -> Completeness:
        """Greet nobody: it is the fan who speaks first."""
        return Completeness.COMPLETE

    def answer(self, fan: int, data: bytes) -> tuple[Completeness, bytes]:
        """Read more of the fan's answer: the head, then the messages that the turns wait for.

        Raise StatusError where the head refuses, ClosedError where the server closes, or UnreadableError.
        """
        if fan not in self._upgraded:
            rest = self._read_head(fan, data)
            if rest is None:
                return Completeness.PART, b""
            if not self._turns.go_on(fan):
                return Completeness.COMPLETE, rest
            self._upgraded.add(fan)
            data = rest
        message, rest = self._messages.take(fan, data)
        while message is not None:
            if self._error_start and message.startswith(self._error_start):
                return Completeness.REFUSAL, b""
            if (self._turns.awaited(fan) or b"") in message and not self._turns.go_on(fan):
                self._upgraded.discard(fan)
                return Completeness.COMPLETE, rest
            message, rest = self._messages.take(fan, rest)
        return Completeness.PART, b""

    def sequences(self, fan: int, data: bytes, at_s: float) -> tuple[int, ...]:
        """Return the numbers in the messages that are complete with `data`, in order.

        Raise ClosedError where the server closes, UnreadableError for what is no message; numbers that came in the
        same piece before that are told to Settle.
        """
        messages = self._messages
        is_between = not messages.is_in_the_middle(fan)
        if is_between and data == self._last:
            return self._last_numbers
        numbers: list[int] = []
        controls = messages.controls
        try:
            message, rest = messages.take(fan, data)
            while message is not None:
                numbers += map(int, self._number.findall(message))
                message, rest = messages.take(fan, rest)
        except StreamError:
            for number in numbers:
                self._settle(fan, number, at_s)
            raise
        if is_between and controls == messages.controls and not messages.is_in_the_middle(fan):
            self._last, self._last_numbers = data, tuple(numbers)
        return tuple(numbers)

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more."""
        self._said.pop(fan, None)
        self._upgraded.discard(fan)
        self._turns.forget(fan)
        self._messages.forget(fan)

    @property
    def kept(self) -> int:
        """How many bytes of answers and messages are kept of all fans together."""
        return sum(map(len, self._said.values())) + self._messages.kept

    @property
    def open(self) -> int:
        """None: a message ends where its frame does."""
        return 0

    def _read_head(self, fan: int, data: bytes) -> bytes | None:
        """Return what came after the head of the fan's answer, or None while that is cut off; most are the same."""
        if data == self._usual_answer and fan not in self._said:
            return b""
        said = self._said.pop(fan, b"") + data
        rest = read_upgrade(said, self._accept)
        if rest is None:
            if len(said) > MAX_PENDING:
                raise UnreadableError(f"sends an answer that does not end within {MAX_PENDING:,} bytes")
            self._said[fan] = said
        elif not rest:
            self._usual_answer = said
        return rest

"""What lesson `delayed-init` has of priorities: messages that are delivered when urgent ones leave room for them.

Erlang gives priorities to processes (`process_flag(priority, low)`); here it is what is to be done that can wait, not
all that the process does.

Without a crowd a message of low priority is delivered at once, AT_REST messages a turn of the loop. When CROWD urgent
messages were handled without a rest in between, one is delivered for LOW of them: it waits, but not for ever. A rest
is IDLE turns in which nobody has urgent mail, or REST_S: a single turn is none, a listener takes several to accept
what is waiting.

The BEAM schedules a process of priority `low` once for eight of `normal`; why it is once for LOW here, and what other
values did, is in `reports/design-notes.md`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from common.otp import RunQueue

if TYPE_CHECKING:
    from common.otp import Process

LOW: Final = 32
"""Urgent messages that are handled in a crowd for one of low priority."""
CROWD: Final = 64
"""Urgent messages without a rest that make a crowd: those of some ten fans."""
IDLE: Final = 20
"""Turns of the loop without an urgent message that are a rest; that many take less than a millisecond."""
REST_S: Final = 0.05
"""The time without an urgent message that is a rest: longer than any turn of a loop that is not overloaded."""
AT_REST: Final = 8
"""Messages of low priority that are delivered in a turn as long as there is no crowd."""


class PriorityRunQueue(RunQueue):
    """A run queue with a second one behind it, of messages of low priority."""

    __slots__ = ("_busy_at_s", "_credit", "_crowd", "_delivered", "_idle", "_low")

    def __init__(self) -> None:
        super().__init__()
        self._low: deque[tuple[Process, object]] = deque()
        self._credit = self._crowd = self._delivered = self._idle = 0
        self._busy_at_s = 0.0

    def send_low(self, process: Process, message: object) -> None:
        """Send a message for `handle_info` when there is room for it, after those that were sent so before."""
        self._low.append((process, message))
        self._have_run()

    def _end_slice(self, handled: int) -> None:
        self._deliver_low(handled)
        super()._end_slice(handled)
        if self._low:
            self._have_run()

    def _deliver_low(self, handled: int) -> None:
        """Deliver what there is room for after this turn of the loop, in which so many messages were `handled`."""
        now_s = asyncio.get_running_loop().time()
        urgent = max(0, handled - self._delivered)  # the rest were those that were delivered after the last turn
        self._idle = 0 if urgent else self._idle + 1
        if self._idle > IDLE or now_s > self._busy_at_s + REST_S:
            self._crowd = 0
        if urgent:
            self._busy_at_s = now_s
        self._crowd += urgent
        if self._crowd < CROWD:
            room, self._credit = AT_REST, 0
        else:
            room, self._credit = divmod(self._credit + urgent, LOW)
        self._delivered = min(len(self._low), room)
        for _ in range(self._delivered):
            process, message = self._low.popleft()
            process.send(message)

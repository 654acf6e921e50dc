"""The run queue of a node: its processes that have mail and no task of their own.

One callback of the loop runs them in turn. It is fair twice over, as the BEAM's scheduler is with its reductions: a
process that has had its turn goes to the end of the queue with what is left of its mail, and after a slice the loop
gets to its sockets, timers and tasks before the queue goes on.

What can wait is sent at low priority. Without a crowd it is delivered at once, AT_REST messages a turn of the loop.
When CROWD urgent messages were handled without a rest in between, one is delivered for LOW of them: it waits, but not
for ever. A rest is IDLE turns in which nobody has urgent mail, or REST_S: a single turn is none, a listener takes
several to accept what is waiting.

The BEAM schedules a process of priority `low` once for eight of `normal`. Here a fan of a crowd costs five messages
and one of low priority, so with 8 two thirds of what can wait would be done in between. Stage 2.3, N 17,000, C 5,000:
ART 1.09 s with 8, 0.90 and 1.06 s with 16, 0.81 and 0.87 s with 32; stage 2.5, C 8,000: 0.65 s, 0.58 and 0.63, 0.57
and 0.60. The price is an event right after such a crowd, which reaches everybody within 2.8, 3.6 and 3.8 s (0.76,
0.85, 0.92 s).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from common.otp.process import Process

    class Runnable(Protocol):
        """What can be in a run queue."""

        def turn(self) -> int:
            """Work for a while; return how many messages were handled."""
            ...


TURN: Final = 64
"""Messages a process may handle before the others get their turn."""
SLICE: Final = 256
"""Messages all processes of a run queue may handle before the loop goes on; about a millisecond."""
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


class RunQueue:
    """Gives each process that is added one turn."""

    __slots__ = ("_busy_at_s", "_credit", "_crowd", "_delivered", "_due", "_idle", "_low", "_ready")

    def __init__(self) -> None:
        self._ready: deque[Runnable] = deque()
        self._low: deque[tuple[Process, object]] = deque()
        self._due = False
        self._credit = self._crowd = self._delivered = self._idle = 0
        self._busy_at_s = 0.0

    def add(self, process: Runnable) -> None:
        """Let a process have a turn, after those that wait for theirs; nobody waits twice."""
        self._ready.append(process)
        self._have_run()

    def send_low(self, process: Process, message: object) -> None:
        """Send a message when there is room for one of low priority, after those that were sent so before."""
        self._low.append((process, message))
        self._have_run()

    def _have_run(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        ready, left = self._ready, SLICE
        try:
            while ready and left > 0:
                left -= ready.popleft().turn() or 1  # an end is work as well
        finally:  # a KeyboardInterrupt in one does not stop the others
            self._deliver_low(SLICE - left)
            self._due = False
            if ready or self._low:
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

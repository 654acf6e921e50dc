"""The run queue of a node: its processes that have mail and no task of their own.

One callback of the loop runs them in turn. It is fair twice over, as the BEAM's scheduler is with its reductions: a
process that has had its turn goes to the end of the queue with what is left of its mail, and after a slice the loop
gets to its sockets, timers and tasks before the queue goes on.

What can wait is sent at low priority: it waits for a crowd, but not for ever. For LOW messages that are handled one
such is delivered. When nobody has had mail for IDLE turns of the loop, AT_REST are delivered a turn: a single turn
without mail is no rest, a listener takes several to accept what is waiting.

The BEAM schedules a process of priority `low` once for eight of `normal`. Here a fan of a crowd costs five messages and
one of low priority, so with 8 two thirds of what can wait is done in between: stage 2.5, N 17,000, C 8,000: ART 0.65 s,
0.57 s with 16, 0.55 s with 32 and 64 (stage 2.3 at C 5,000: 1.09, 0.83, 0.76, 0.70 s). But the later an event right
after the crowd has reached everybody: 1.9, 3.6, 3.8 and 4.6 s in stage 2.3, with one delivered a turn at rest; with
eight 2.8 s instead of 3.6 (0.76 s instead of 1.27 in stage 2.5), and with 32 hardly less.
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
LOW: Final = 16
"""Messages that are handled for one of low priority, as long as there are any."""
IDLE: Final = 20
"""Turns of the loop without a message, after which it counts as idle; that many take less than a millisecond."""
AT_REST: Final = 8
"""Messages of low priority that are delivered in a turn of an idle loop."""


class RunQueue:
    """Gives each process that is added one turn."""

    __slots__ = ("_due", "_idle", "_low", "_ready")

    def __init__(self) -> None:
        self._ready: deque[Runnable] = deque()
        self._low: deque[tuple[Process, object]] = deque()
        self._due = False
        self._idle = 0

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
        """Deliver what `handled` messages leave room for."""
        self._idle = 0 if handled else self._idle + 1
        room = AT_REST if self._idle > IDLE else handled // LOW
        while self._low and room > 0:
            process, message = self._low.popleft()
            process.send(message)
            room -= 1

"""The run queue of a node: its processes that have mail and no task of their own.

One callback of the loop runs them in turn. It is fair twice over, as the BEAM's scheduler is with its reductions: a
process that has had its turn goes to the end of the queue with what is left of its mail, and after a slice the loop
gets to its sockets, timers and tasks before the queue goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

TURN: Final = 64
"""Messages a process may handle before the others get their turn."""
SLICE: Final = 256
"""Messages all processes of a run queue may handle before the loop goes on; about a millisecond."""


class Runnable(Protocol):
    """What can be in a run queue."""

    def turn(self) -> int:
        """Work for a while; return how many messages were handled."""
        ...


class RunQueue:
    """Gives each process that is added one turn."""

    __slots__ = ("_due", "_ready")

    def __init__(self) -> None:
        self._ready: deque[Runnable] = deque()
        self._due = False

    def add(self, process: Runnable) -> None:
        """Let a process have a turn, after those that wait for theirs; nobody waits twice."""
        self._ready.append(process)
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
            self._end_slice(SLICE - left)

    def _end_slice(self, handled: int) -> None:
        """Go on in the next turn of the loop if somebody waits; in this one so many messages were `handled`."""
        del handled  # a queue that has more to give than turns looks at it
        self._due = False
        if self._ready:
            self._have_run()

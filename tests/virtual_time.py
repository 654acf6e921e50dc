"""An event loop on virtual time: when nothing is ready, the clock jumps to the next timer instead of waiting for it.

So a test of a timeout of a minute takes no time and always sees the same order. A loop in which nothing can ever happen
again raises DeadlockError instead of hanging (the idea is trio's `MockClock` with `autojump_threshold=0`).

Not for code that uses threads: a thread that is still at work is nothing the loop can see.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")

_TICK_S = 1e-6


class DeadlockError(RuntimeError):
    """Every task waits, and nothing is there that could wake one: no timer, no registered I/O."""


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that never waits for time to pass; it moves its own clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; if nothing is, move the clock by `timeout`; without a timer wait for I/O."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None:
            self.now_s += timeout
            return []
        if len(self.get_map()) == 1:  # only the loop's own pipe, through which threads wake it
            names = sorted(task.get_name() for task in asyncio.all_tasks())
            raise DeadlockError(f"nothing can happen any more; these tasks wait: {', '.join(names)}")
        return super().select(None)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector event loop whose clock starts at 0 s and jumps. I/O that is not ready loses to the next timer.

    Good for 100 days: beyond, a float cannot hold the nanoseconds that the loop counts in.
    """

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._clock.now_s


def run_virtual(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on a new loop on virtual time; return its result. Raise what it raises, or DeadlockError."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


async def idle() -> None:
    """Return when every other task waits for a timer or for nothing: before that, virtual time does not move."""
    await asyncio.sleep(_TICK_S)


def now_s() -> float:
    """Return the running loop's time in seconds, without the ticks of `idle`."""
    return round(asyncio.get_running_loop().time(), 3)

"""How late the event loop is: measured only while somebody looks, since it wakes an idle process ten times a second.

What that takes is in `reports/design-notes.md`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_S: Final = 0.1
"""The time from one sample to the next."""
WINDOW: Final = 50
"""Samples that are told of: those of the last 5 s."""
PATIENCE_S: Final = 60.0
"""How long it goes on after the last look: longer than a scraper pauses."""


@dataclass(frozen=True, slots=True)
class LagSample:
    """The loop came to a timer `late_s` seconds late; that was `ago_s` before this is told."""

    ago_s: float
    late_s: float


@dataclass(frozen=True, slots=True)
class LoopLagStatistics:
    """How many seconds late the loop came to a timer: the mean and the longest of the last 5 s, and each, oldest first.

    Whoever looks every 5 s or more often misses none of them: while the loop is held up no sample comes, and none goes.
    `samples` are empty where a server is of a version that does not tell them.
    """

    mean_s: float
    max_s: float
    samples: tuple[LagSample, ...] = ()


class LoopLag:
    """Sets a timer ten times a second and sees how late it comes; begins with a look, and ends a minute after the last.

    `clock` tells seconds; on uvloop a timer is exact to a millisecond.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # when, and how late
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = self._until_s = 0.0

    def look(self) -> LoopLagStatistics | None:
        """Return what was seen, and go on; None while there is nothing yet, as at the first look."""
        now_s = self._clock()
        self._until_s = now_s + PATIENCE_S
        if self._timer is None:
            self._set()
        if not self._samples:
            return None
        late_s = [late_s for _, late_s in self._samples]
        samples = tuple(LagSample(round(now_s - at_s, 6), round(late_s, 6)) for at_s, late_s in self._samples)
        return LoopLagStatistics(sum(late_s) / len(late_s), max(late_s), samples)

    def stop(self) -> None:
        """Measure no more, and forget what was seen."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._samples.clear()

    def _set(self) -> None:
        self._due_s = self._clock() + PERIOD_S
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._sample)

    def _sample(self) -> None:
        now_s = self._clock()
        self._samples.append((now_s, max(0.0, now_s - self._due_s)))
        if now_s < self._until_s:
            self._set()
        else:
            self.stop()

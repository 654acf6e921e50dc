"""How long who lost a connection waits before each try to have another: exponential backoff with full jitter. Pure.

If all came back at once, a server that was started anew would have them all in the same moment, and again after each
refusal. So a wait is anything up to a bound, which doubles with each try up to a cap (Marc Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, replace
from typing import Final, Self

_MOST_DOUBLINGS: Final = 64  # more than from a microsecond to the age of the universe


@dataclass(frozen=True, slots=True)
class Backoff:
    """Wait up to `base_s` seconds before the first try, and up to twice as long before each other, `cap_s` at most.

    The waits are drawn by a seed, so that they are the same in each run; `fans` are the numbers of those who wait,
    which they keep whoever plays them.
    """

    base_s: float
    cap_s: float
    seed: int
    fans: range = range(sys.maxsize)

    def of(self, fans: range) -> Self:
        """Return the same for some of them, numbered from 0 as in that range."""
        return replace(self, fans=self.fans[fans.start : fans.stop : fans.step])

    def longest_s(self, attempt: int) -> float:
        """Return the bound of the wait before a try, counted from 0 since the fan was last served."""
        return min(self.cap_s, self.base_s * 2.0 ** min(attempt, _MOST_DOUBLINGS))

    def wait_s(self, fan: int, attempt: int) -> float:
        """Return how long a fan waits before a try."""
        chance = random.Random(f"{self.seed}/{self.fans[fan]}/{attempt}")  # noqa: S311 -- nothing secret about it
        return chance.uniform(0.0, self.longest_s(attempt))

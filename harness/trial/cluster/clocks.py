"""How far another machine's clock is from ours, and how sure that is. Pure.

Each asks itself what CLOCK_MONOTONIC says, which starts anywhere. When a host is asked and tells its time, it told it
between our question and its answer: so its clock is ahead of ours by no less than what it told less the moment at which
we heard it, and by no more than that less the moment at which we asked. Of many questions all of these hold, so the
clock is where they overlap (K. Marzullo, "Maintaining the Time in a Distributed System", 1984). Half of the shortest
way there and back is what remains uncertain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Exchange(NamedTuple):
    """A question to a host, in seconds: we asked at, it told, and we heard it at."""

    asked_s: float
    told_s: float
    heard_s: float


@dataclass(frozen=True, slots=True)
class Offset:
    """A host's clock is `ahead_s` seconds ahead of ours, give or take `uncertain_s`."""

    ahead_s: float
    uncertain_s: float


NOT_KNOWN: Final = Offset(0.0, math.inf)
"""Before anybody was asked."""


def offset_of(exchanges: Iterable[Exchange]) -> Offset:
    """Return how far a clock is ahead, from one exchange or more."""
    least_s, most_s = -math.inf, math.inf
    for asked_s, told_s, heard_s in exchanges:
        least_s = max(least_s, told_s - heard_s)
        most_s = min(most_s, told_s - asked_s)
    # A clock that goes at another rate may have passed the overlap meanwhile: that is no more certain.
    return Offset((least_s + most_s) / 2, abs(most_s - least_s) / 2)


def uncertain_s(before: Offset, after: Offset | None) -> float:
    """Return how far a moment of the trial may be off, if it is told as the offset `before` it says.

    With what is known `after` it, that is also what the clocks have drifted apart.
    """
    if after is None:
        return before.uncertain_s
    return max(before.uncertain_s, abs(after.ahead_s - before.ahead_s) + after.uncertain_s)

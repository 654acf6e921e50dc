"""What fans who connect again were due on each of their connections, and what they missed in between. Pure.

On a connection that was lost a fan is due what came before the last event that it got there, as one that left is: what
was on its way cannot be told from what was lost, and it is neither. From there to the answer that it got on the next
connection the fan was *away*. All that was sent then, or was still on its way, is *missed*, unless the server told it
afterwards; then it is *recovered*. So no event counts as lost for a fan that was not there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.load.lost_connections import LostConnections
from harness.load.samples import Samples
from harness.records.distribution import distribution
from harness.records.seen import Reconnects

_Times = NDArray[np.float64]
_Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Due:
    """How many (fan, event) pairs must be there, and how many are of events from while the fan was away."""

    expected: int
    away: int


def due(answered_s: _Times, upto: _Counts, sequences: _Counts, sent_s: _Times, lost: LostConnections | None) -> Due:
    """Count the events, of those accepted, that were sent at or after each fan's answer, by whether it was there.

    `sequences` are the accepted, and `sent_s` when each was sent, in their order; `upto` is of each fan the last number
    that it is due.
    """
    before = np.searchsorted(sent_s, answered_s, side="left")  # NaN, of who was not answered: all
    away = expected = 0
    if lost is not None and len(lost.fan):
        order = np.argsort(np.asarray(lost.fan), kind="stable")
        fan = np.asarray(lost.fan)[order]
        had = np.searchsorted(sequences, np.asarray(lost.upto)[order], side="right")
        back = np.searchsorted(sent_s, np.asarray(lost.back_s)[order], side="left")  # NaN, of who was not back: all
        back = np.maximum(back, had)  # clocks may differ by more than a fan was away: nothing is due twice
        begin = np.where(np.append(False, fan[1:] == fan[:-1]), np.append(0, back[:-1]), before[fan])
        expected += int(np.sum(np.maximum(had - begin, 0)))
        away = int(np.sum(back - np.maximum(had, begin)))
        before[fan] = back  # of several the last
    expected += int(np.sum(np.maximum(np.searchsorted(sequences, upto, side="right") - before, 0)))
    return Due(expected, away)


def reconnects(samples: Samples, missed: int, recovered: int) -> Reconnects | None:
    """Return how fans connected again, and how many events they missed meanwhile; None where they do not."""
    lost = samples.lost
    if lost is None:
        return None
    took_s = np.asarray(lost.back_s) - np.asarray(lost.lost_s)
    not_back = int(np.sum(np.isnan(took_s)))
    return Reconnects(
        lost=len(lost.fan),
        ended=dict(lost.ended),
        tried=lost.tried,
        served=lost.served,
        failures=dict(lost.failures),
        back=distribution(took_s, missing=not_back),
        not_back=not_back,
        missed=missed,
        recovered=recovered,
        took=distribution(np.asarray(lost.back_s) - np.asarray(lost.tried_s)),
    )


def are_away(samples: Samples) -> NDArray[np.bool_]:
    """Return of each fan whether it lost its connection, and was not back at the end."""
    away = np.zeros(len(samples), bool)
    if samples.lost is not None:
        away[np.asarray(samples.lost.fan)[np.isnan(np.asarray(samples.lost.back_s))]] = True
    return away

"""What the fans received, counted as it comes: no receipt is kept, whatever their number.

An hour of 10,000 fans at five events a second is 180 million receipts. What is asked of them is how many came of each
event, how many twice or out of order, and how long they took; for that each is needed once, in the order in which its
fan got it. So they are folded into counts, a batch at a time (`Folding`), and what is kept of one is a bit: that this
fan had this event.

**What counts.** A receipt is *ours* if its number is of an event that was sent, and it did not come before: somebody
else may post to the same match. Of ours the first of each event counts; any other is *duplicated*. A first one is
*reordered* if its fan had an event of a higher number before. It is *due*, and its time counts, if the event was
accepted, and sent when its fan had its answer.

**Served again.** Where fans connect again, a row that is no receipt stands in the order of a fan's own where it was
answered again: its number is `mark_of` the highest that the fan had until then. What was sent before that answer is
not due on the new connection. If it came between the two it is *recovered*, once; if the fan had it on the old one,
that is no duplicate, since the server need not know.

Numbers that nobody here sent are of the server's own events. When those were posted is not known, but how far apart the
first fan had one and the last: so of each it is counted how many had it, and from when to when (`OwnEvent`).

Times are counted as an HdrHistogram of three digits does (`harness.records.distribution`), so percentiles are the same
as of all receipts together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np

from harness.records.distribution import counted_values

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable

    from numpy.typing import NDArray

FOLD_AT: Final = 1 << 16
"""So many receipts are kept before they are folded: a megabyte, and a few milliseconds."""

MOST_OWN: Final = 10_000
"""Events of the server's own of which it is told how they spread."""

_FINEST_STEP_S: Final = 0.02
_MOST_STEPS: Final = 2048
_BUCKETS_A_DECADE: Final = 48
_SHORTEST_S: Final = 1e-6
_FIRST_BUCKET: Final = -6 * _BUCKETS_A_DECADE
_BUCKETS: Final = 1024  # from a microsecond to more than a century


class SentEvent(NamedTuple):
    """What must be known of an event to count who received it. Moments are seconds after t0."""

    sequence: int
    intended_s: float
    sent_s: float
    accepted: bool


class OwnEvent(NamedTuple):
    """An event that nobody here sent: how often it was received, first and last, in seconds after t0."""

    receipts: int
    first_s: float
    last_s: float

    def and_(self, other: OwnEvent) -> OwnEvent:
        """Return the same with what others received of it."""
        return OwnEvent(
            self.receipts + other.receipts, min(self.first_s, other.first_s), max(self.last_s, other.last_s)
        )


class Course:
    """How many receipts of which length came when: cells of a step of time and a bucket of a logarithmic axis.

    Steps become twice as long whenever there are too many of them.
    """

    __slots__ = ("cells", "step_s")

    def __init__(self) -> None:
        self.step_s = _FINEST_STEP_S
        self.cells: Counter[tuple[int, int]] = Counter()

    def add(self, at_s: NDArray[np.float64], took_s: NDArray[np.float64]) -> None:
        """Count receipts."""
        step = np.floor(at_s / self.step_s).astype(np.int64)
        bucket = np.floor(np.log10(np.maximum(took_s, _SHORTEST_S)) * _BUCKETS_A_DECADE).astype(np.int64)
        # One key for both: to sort pairs takes ten times as long.
        keys, counts = np.unique(step * _BUCKETS + bucket - _FIRST_BUCKET, return_counts=True)
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            self.cells[key // _BUCKETS, key % _BUCKETS + _FIRST_BUCKET] += count
        self._coarsen(self.step_s)

    def merge(self, other: Course) -> None:
        """Add what another has counted."""
        coarser_s = max(self.step_s, other.step_s)
        self._coarsen(coarser_s)
        factor = round(coarser_s / other.step_s)
        for (step, bucket), count in other.cells.items():
            self.cells[step // factor, bucket] += count
        self._coarsen(coarser_s)

    def columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Return of each cell the middle of its step, the (geometric) middle of its bucket, and its count."""
        cells = np.array([(*cell, count) for cell, count in self.cells.items()], dtype=np.int64).reshape(-1, 3)
        middles = cells[:, :2].astype(np.float64) + 0.5
        at_s: NDArray[np.float64] = middles[:, 0] * self.step_s
        took_s: NDArray[np.float64] = np.power(10.0, middles[:, 1] / _BUCKETS_A_DECADE)
        return at_s, took_s, cells[:, 2]

    def _coarsen(self, at_least_s: float) -> None:
        while self.step_s < at_least_s or len({step for step, _ in self.cells}) > _MOST_STEPS:
            finer, self.cells = self.cells, Counter()
            for (step, bucket), count in finer.items():
                self.cells[step // 2, bucket] += count
            self.step_s *= 2


@dataclass(slots=True)
class Deliveries:
    """What was received: of each event that was due, by its sequence, `received`, `took_sum_s` and `took_longest_s`.

    `highest` is of each fan the highest number that it got, 0 if none. `took` and `service` count times from the
    intended post, and from its sending, by their value in microseconds with three digits. `own` has by their
    numbers the events that nobody here sent. `recovered` receipts are of events that were missed on a connection that
    was lost, and came on the next.
    """

    received: NDArray[np.int64]
    took_sum_s: NDArray[np.float64]
    took_longest_s: NDArray[np.float64]
    highest: NDArray[np.int32]
    took: Counter[int] = field(default_factory=Counter)
    service: Counter[int] = field(default_factory=Counter)
    course: Course = field(default_factory=Course)
    own: dict[int, OwnEvent] = field(default_factory=dict)
    duplicated: int = 0
    reordered: int = 0
    recovered: int = 0

    def count_own(self, number: int, event: OwnEvent) -> None:
        """Count receipts of an event that nobody here sent; of more than MOST_OWN of them it is not told."""
        known = self.own.get(number)
        if known is not None:
            self.own[number] = known.and_(event)
        elif len(self.own) < MOST_OWN:
            self.own[number] = event

    @classmethod
    def none(cls, fans: int, events: int) -> Self:
        """Return what nobody received yet, of events numbered from 1."""
        return cls(np.zeros(events + 1, np.int64), np.zeros(events + 1), np.zeros(events + 1), np.zeros(fans, np.int32))

    @classmethod
    def merged(cls, fans: int, events: int, parts: Iterable[tuple[range, Deliveries]]) -> Self:
        """Return what was received by all fans, of whom each part has some: row k of it is the fan `numbers[k]`."""
        every = cls.none(fans, events)
        for numbers, part in parts:
            every.received += part.received
            every.took_sum_s += part.took_sum_s
            np.maximum(every.took_longest_s, part.took_longest_s, out=every.took_longest_s)
            every.highest[numbers.start : numbers.stop : numbers.step] = part.highest
            every.took.update(part.took)
            every.service.update(part.service)
            every.course.merge(part.course)
            for number, event in part.own.items():
                every.count_own(number, event)
            every.duplicated += part.duplicated
            every.reordered += part.reordered
            every.recovered += part.recovered
        return every


def mark_of(upto: int) -> int:
    """Return what stands for a number where a fan is served again who had events up to that one."""
    return -1 - upto


class Connections:
    """On which of its connections a fan got what: where there was another one before, that is remembered of each."""

    __slots__ = ("_since_s", "_upto")

    def __init__(self) -> None:
        self._since_s = np.empty(0)
        self._upto = np.empty(0, np.int64)

    def of(
        self,
        fan: NDArray[np.int64],
        sequence: NDArray[np.int64],
        at_s: NDArray[np.float64],
        answered_s: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return of each receipt since when its fan was served there, and up to what it had events then.

        That is -1 on the first connection. Receipts are in the order of the fans, those of one in that in which they
        came; `answered_s` is of every fan on its first.
        """
        is_mark = sequence < 0
        if not self._upto.size:
            if not is_mark.any():
                return answered_s[fan], np.full(fan.size, -1)
            self._since_s, self._upto = np.full(answered_s.size, np.nan), np.full(answered_s.size, -1)
        last = np.maximum.accumulate(np.where(is_mark, np.arange(fan.size), 0))
        is_here = is_mark[last] & (fan[last] == fan)  # the mark is in these receipts, and not in those before
        since_s = np.where(is_here, at_s[last], np.where(self._upto[fan] < 0, answered_s[fan], self._since_s[fan]))
        upto = np.where(is_here, -1 - sequence[last], self._upto[fan])
        self._since_s[fan[is_mark]], self._upto[fan[is_mark]] = at_s[is_mark], upto[is_mark]  # of several the last
        return since_s, upto


class Folding:
    """Folds the receipts of so many fans into counts; `known` have to be told of each of `events`, in their order.

    So far the clock of who sends may be from that of who receives: what came up to `clocks_apart_s` before it was sent
    counts, and took no time.
    """

    __slots__ = (
        "_accepted",
        "_clocks_apart_s",
        "_connections",
        "_events",
        "_had",
        "_intended_s",
        "_known",
        "_sent_s",
        "counted",
    )

    def __init__(self, fans: int, events: int, clocks_apart_s: float = 0.0) -> None:
        self.counted = Deliveries.none(fans, events)
        self._clocks_apart_s = clocks_apart_s
        self._events = events
        self._known = 0
        self._intended_s = np.full(events + 1, np.nan)
        self._sent_s = np.full(events + 1, np.inf)  # nothing counts that is not known to have been sent
        self._accepted = np.zeros(events + 1, bool)
        self._had: dict[int, NDArray[np.uint8]] = {}  # by event, a bit for each fan
        self._connections = Connections()

    def know(self, event: SentEvent) -> None:
        """Count receipts of an event from now on."""
        at = event.sequence
        self._known = max(self._known, at)
        self._intended_s[at], self._sent_s[at], self._accepted[at] = event.intended_s, event.sent_s, event.accepted

    def foldable(self, sequence: array[int]) -> int:
        """Return how many of the receipts, in the order in which they came, need not wait for an event to be known."""
        numbers = np.frombuffer(sequence, np.int32)
        waits = (numbers > self._known) & (numbers <= self._events)
        return int(np.argmax(waits)) if waits.any() else numbers.size

    def fold(
        self,
        fan: NDArray[np.int64],
        sequence: NDArray[np.int64],
        at_s: NDArray[np.float64],
        answered_s: NDArray[np.float64],
    ) -> None:
        """Count receipts, in the order in which they came; `answered_s` is of every fan."""
        counted = self.counted
        self._count_own(sequence, at_s)
        order = np.argsort(fan, kind="stable")  # a fan's receipts stay in the order in which they came
        fan, sequence, at_s = fan[order], sequence[order], at_s[order]
        since_s, upto = self._connections.of(fan, sequence, at_s, answered_s)
        ours = (sequence >= 1) & (sequence <= self._events) & ~np.isnan(since_s)
        ours[ours] = at_s[ours] >= self._sent_s[sequence[ours]] - self._clocks_apart_s
        fan, sequence, at_s, since_s, upto = fan[ours], sequence[ours], at_s[ours], since_s[ours], upto[ours]
        first = self._first(fan, sequence)
        is_again = np.ones(fan.size, bool)
        is_again[first] = False
        is_before = self._sent_s[sequence] < since_s
        counted.duplicated += int(np.sum(is_again & ~(is_before & (upto >= 0))))
        fan, sequence, at_s, is_before, upto = fan[first], sequence[first], at_s[first], is_before[first], upto[first]
        counted.reordered += self._count_reordered(fan, sequence)
        accepted = self._accepted[sequence]
        is_missed = is_before & (upto >= 0) & (sequence > upto) & (self._sent_s[sequence] >= answered_s[fan])
        counted.recovered += int(np.sum(accepted & is_missed))
        due = accepted & ~is_before
        self._count_times(sequence[due], at_s[due])

    def _count_own(self, sequence: NDArray[np.int64], at_s: NDArray[np.float64]) -> None:
        others = sequence > self._events
        numbers, which = np.unique(sequence[others], return_inverse=True)
        first_s, last_s = np.full(numbers.size, np.inf), np.full(numbers.size, -np.inf)
        np.minimum.at(first_s, which, at_s[others])
        np.maximum.at(last_s, which, at_s[others])
        rows = zip(np.bincount(which).tolist(), first_s.tolist(), last_s.tolist(), strict=True)
        for number, row in zip(numbers.tolist(), rows, strict=True):
            self.counted.count_own(number, OwnEvent(*row))

    def _first(self, fan: NDArray[np.int64], sequence: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which receipts are the first of their event that their fan got, and remember them."""
        first = np.sort(np.unique(fan * (self._events + 1) + sequence, return_index=True)[1])
        is_new = np.ones(first.size, bool)
        for event in np.unique(sequence).tolist():
            had = self._had.get(event)
            if had is None:
                had = self._had[event] = np.zeros(-(-self.counted.highest.size // 8), np.uint8)
            at = np.flatnonzero(sequence[first] == event)
            who = fan[first[at]]
            is_new[at] = (had[who >> 3] >> (who & 7).astype(np.uint8)) & 1 == 0
            np.bitwise_or.at(had, who >> 3, np.left_shift(1, who & 7).astype(np.uint8))
        return first[is_new]

    def _count_reordered(self, fan: NDArray[np.int64], sequence: NDArray[np.int64]) -> int:
        """Return how many of these came after one of a higher number, and remember the highest of each fan."""
        highest = self.counted.highest
        fans = np.unique(fan)
        # What a fan had before stands before what it got now. A fan's keys are all larger than those of the fans before
        # it, so the running maximum starts anew with each.
        whose = np.concatenate([fans, fan])
        order = np.argsort(whose, kind="stable")
        key = whose[order] * (self._events + 1) + np.concatenate([highest[fans], sequence])[order]
        count = int(np.sum(key < np.maximum.accumulate(key))) if key.size else 0
        np.maximum.at(highest, fan, sequence.astype(np.int32))
        return count

    def _count_times(self, sequence: NDArray[np.int64], at_s: NDArray[np.float64]) -> None:
        if not sequence.size:
            return
        counted = self.counted
        took_s = np.maximum(at_s - self._intended_s[sequence], 0.0)
        counted.received += np.bincount(sequence, minlength=self._events + 1)
        counted.took_sum_s += np.bincount(sequence, weights=took_s, minlength=self._events + 1)
        np.maximum.at(counted.took_longest_s, sequence, took_s)
        counted.took.update(counted_values(took_s))
        counted.service.update(counted_values(at_s - self._sent_s[sequence]))
        counted.course.add(at_s, took_s)

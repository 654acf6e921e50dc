"""From raw columns to figures: pure, vectorised, and counted against what every fan must have received.

**Loss is counted for each fan.** A fan that was answered must receive every event that was sent after its answer and
that the server accepted, up to the end, once, in order of the marks. A mark that never came is *lost*, also where the
fan's connection broke or was closed before; a mark that came again is *duplicated*; a mark that came for the first
time after a higher one is *reordered*. Events from before a fan's answer may or may not reach it: they are neither
expected nor a loss.

A fan whom the server closed before the match was over was not held, so it counts as a failure (`closed_early`).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.load.reporter import Posted
from harness.load.samples import Outcome, Samples
from harness.records.distribution import distribution
from harness.records.trial import Delivery, EventSeen, Fans, Heat, Response, Seen, Timeline
from harness.trial.figures.heat import heat

STEPS = 300
"""Steps in a timeline, at most: more than a chart has pixels to show is not worth storing."""

_SHORTEST_STEP_S = 0.02
_Times = NDArray[np.float64]
_Marks = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phases:
    """When, in seconds from the first intended start, every fan was settled and when the trial was over."""

    settled_s: float
    over_s: float


def analyse(samples: Samples, posts: Sequence[Posted] | None, phases: Phases) -> Seen:
    """Return what the fans saw.

    `posts` are numbered from 1 without gaps and the last one ends the match; None where nobody could post.
    """
    answered_s = np.asarray(samples.answered_s)
    stop_s = posts[-1].sent_s if posts else None
    got = _receipts(samples, posts) if posts else _NO_RECEIPTS
    return Seen(
        fans=count_fans(samples, stop_s),
        response=Response(
            honest=distribution(np.asarray(samples.honest_s())),
            art=distribution(np.asarray(samples.talk_s())),
        ),
        delivery=_delivery(got, answered_s, posts) if posts else None,
        timeline=timeline(samples, phases.over_s, heat(got.at_s, got.took_s, phases.over_s)),
        connect_phase_s=phases.settled_s,
        events_phase_s=phases.over_s - phases.settled_s,
    )


def count_fans(samples: Samples, stop_s: float | None) -> Fans:
    """Return what became of the fans. `stop_s` is when the end of the match was posted; None where nobody ended it."""
    outcome = np.frombuffer(bytes(samples.outcome), dtype=np.uint8)
    closed_s = np.asarray(samples.closed_s)
    failures = Counter(
        {Outcome(int(value)).name.lower(): int(np.sum(outcome == value)) for value in np.unique(outcome)}
    )
    for kind in (Outcome.HELD, Outcome.ENDED):
        failures.pop(kind.name.lower(), None)
    early = 0 if stop_s is None else int(np.sum((outcome == Outcome.ENDED) & (closed_s < stop_s)))
    if early:
        failures["closed_early"] = early
    return Fans(
        asked=len(samples),
        answered=int(np.sum(~np.isnan(np.asarray(samples.answered_s)))),
        served=len(samples) - failures.total(),
        failures=dict(failures),
    )


def timeline(samples: Samples, over_s: float, deliveries: Heat | None = None) -> Timeline:
    """Return the trial in at most STEPS equal steps up to `over_s`; `deliveries` are put beside the responses."""
    steps = max(1, min(STEPS, math.floor(over_s / _SHORTEST_STEP_S)))
    at = np.linspace(0, over_s, steps + 1)[1:]
    connected_s, answered_s, closed_s = map(np.asarray, (samples.connected_s, samples.answered_s, samples.closed_s))
    closed_answered_s = closed_s[~np.isnan(answered_s)]
    connected = _count_until(connected_s, at) - _count_until(closed_s[~np.isnan(connected_s)], at)
    answered = _count_until(answered_s, at) - _count_until(closed_answered_s, at)
    slowest = np.full(steps, np.nan)
    known = ~np.isnan(answered_s) & (answered_s <= over_s)
    step_of = np.searchsorted(at, answered_s[known])
    np.fmax.at(slowest, step_of, answered_s[known] - np.asarray(samples.intended_s)[known])
    return Timeline(
        at_s=tuple(at.tolist()),
        connected=tuple(connected.tolist()),
        answered=tuple(answered.tolist()),
        slowest_s=tuple(None if math.isnan(value) else value for value in slowest.tolist()),
        responses=heat(answered_s, answered_s - np.asarray(samples.intended_s), over_s),
        deliveries=deliveries,
    )


def _count_until(times_s: _Times, at: _Times) -> NDArray[np.int64]:
    return np.searchsorted(np.sort(times_s[~np.isnan(times_s)]), at, side="right")


@dataclass(frozen=True, slots=True)
class _Receipts:
    """The first receipt of each mark that an answered fan was due, and how much else came.

    `took_s` runs from the post.
    """

    mark: _Marks
    at_s: _Times
    took_s: _Times
    duplicated: int
    reordered: int


_NO_RECEIPTS = _Receipts(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), 0, 0)


def _receipts(samples: Samples, posts: Sequence[Posted]) -> _Receipts:
    fan = np.asarray(samples.receipt_fan, dtype=np.int64)
    mark = np.asarray(samples.receipt_mark, dtype=np.int64)
    at_s = np.asarray(samples.receipt_s)
    sent_s = _sent_by_mark(posts)
    # Somebody else may post to the same match: a mark beyond ours, or seen before it was sent, is not of this trial.
    ours = (mark >= 1) & (mark < sent_s.size) & ~np.isnan(np.asarray(samples.answered_s)[fan])
    ours[ours] = at_s[ours] >= sent_s[mark[ours]]
    fan, mark, at_s = fan[ours], mark[ours], at_s[ours]
    order = np.argsort(fan, kind="stable")  # a fan's receipts stay in the order in which they came
    fan, mark, at_s = fan[order], mark[order], at_s[order]
    key = fan * sent_s.size + mark
    first = np.sort(np.unique(key, return_index=True)[1])
    # A fan's keys are all larger than those of the fans before it, so the running maximum starts anew with each.
    reordered = np.sum(key[first] < np.maximum.accumulate(key[first])) if first.size else 0
    due = first[_is_due(np.asarray(samples.answered_s)[fan[first]], mark[first], posts)]
    took_s = at_s[due] - sent_s[mark[due]]
    return _Receipts(mark[due], at_s[due], took_s, int(key.size - first.size), int(reordered))


def _is_due(answered_s: _Times, mark: _Marks, posts: Sequence[Posted]) -> NDArray[np.bool_]:
    """Tell of each receipt whether the event was accepted, and sent when the fan had its answer."""
    accepted = np.array([False, *(post.accepted for post in posts)])
    return accepted[mark] & (_sent_by_mark(posts)[mark] >= answered_s)


def _delivery(got: _Receipts, answered_s: _Times, posts: Sequence[Posted]) -> Delivery:
    sent_s = _sent_by_mark(posts)
    accepted = np.array([False, *(post.accepted for post in posts)])
    expected = _expected(answered_s, sent_s[accepted])
    events = _events(posts, got.mark, got.took_s)
    last = [event.last_s for event in events if event.last_s is not None]
    lag_s = np.array([post.lag_s for post in posts])
    return Delivery(
        posted=len(posts),
        unposted=int(np.sum(~accepted[1:])),
        expected=expected,
        received=got.mark.size,
        lost=expected - got.mark.size,
        duplicated=got.duplicated,
        reordered=got.reordered,
        fanout=distribution(got.took_s),
        last_mean_s=float(np.mean(last)) if last else None,
        last_max_s=max(last) if last else None,
        post_answer=distribution(np.array([post.answered_s - post.sent_s for post in posts if post.accepted])),
        post_lag_p99_s=float(np.percentile(lag_s, 99, method="higher")),
        post_lag_max_s=float(lag_s.max()),
        events=events,
    )


def _expected(answered_s: _Times, accepted_sent_s: _Times) -> int:
    """Count the (fan, event) pairs that must be there: the accepted events sent at or after the fan's answer."""
    answered = answered_s[~np.isnan(answered_s)]
    before = np.searchsorted(np.sort(accepted_sent_s), answered, side="left")
    return int(np.sum(accepted_sent_s.size - before))


def _events(posts: Sequence[Posted], mark: _Marks, took_s: _Times) -> tuple[EventSeen, ...]:
    received = np.bincount(mark, minlength=len(posts) + 1)
    total_s = np.bincount(mark, weights=took_s, minlength=len(posts) + 1)
    last_s = np.zeros(len(posts) + 1)
    np.maximum.at(last_s, mark, took_s)
    return tuple(
        EventSeen(
            mark=post.mark,
            kind=post.kind,
            intended_s=post.intended_s,
            sent_s=post.sent_s,
            answered_s=post.answered_s if post.accepted else None,
            error=post.error,
            received=int(received[post.mark]),
            fanout_mean_s=float(total_s[post.mark] / received[post.mark]) if received[post.mark] else None,
            last_s=float(last_s[post.mark]) if received[post.mark] else None,
        )
        for post in posts
    )


def _sent_by_mark(posts: Sequence[Posted]) -> _Times:
    return np.array([math.nan, *(post.sent_s for post in posts)])

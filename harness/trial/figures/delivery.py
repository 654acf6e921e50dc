"""From raw columns to figures: pure, vectorised, and counted against what every fan must have received.

**Loss is counted for each fan.** A fan that was answered must receive every event that was sent after its answer and
that the server accepted, up to the end, once, in order of the sequence numbers. An event that never came is *lost*,
also where the fan's connection broke or was closed before, unless the fan itself left: it is due what came before the
last that it got. One that stopped reading is due nothing, and one that connects again nothing of what was sent while
it was away (`harness.trial.figures.connections`). An event that came again is *duplicated*; one that came for
the first time after one of a higher number is *reordered*. Events from before a fan's answer may or may not reach it:
they are neither expected nor a loss.

A fan whom the server closed before the match was over was not held, so it counts as a failure (`closed_early`, or the
code with which its WebSocket was closed).
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.load.deliveries import Deliveries, Folding, SentEvent
from harness.load.reporter import Posted
from harness.load.samples import Outcome, Samples
from harness.records.distribution import Distribution, counted_distribution, distribution, percentile
from harness.records.seen import Delivery, EventSeen, Fans, Heat, OwnEvents, Response, Seen, Timeline
from harness.trial.figures.connections import Due, are_away, due, reconnects
from harness.trial.figures.heat import heat

STEPS = 300
"""Steps in a timeline, at most: more than a chart has pixels to show is not worth storing."""

_SHORTEST_STEP_S = 0.02
_MOST_REASONS = 3  # of a code: more are a reason for each fan, which nobody reads
_Times = NDArray[np.float64]
_Sequences = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phases:
    """When, in seconds from the first intended start, every fan was settled and when the trial was over."""

    settled_s: float
    over_s: float


def analyse(samples: Samples, posts: Sequence[Posted] | None, phases: Phases) -> Seen:
    """Return what the fans saw.

    `posts` are numbered from 1 without gaps and the last one ends the match; None where nobody could post.
    """
    stop_s = posts[-1].sent_s if posts else None
    got = _counted(samples, posts or ())
    deliveries = _course(got, phases.over_s) if posts else None
    newcomers = samples.after(posts[0].intended_s if posts else math.inf)
    what_was_due = _due(got, samples, posts or ())
    return Seen(
        fans=count_fans(samples, stop_s),
        response=Response(
            intended=_responses(samples),
            art=distribution(np.asarray(samples.talk_s())),
            newcomers=_responses(newcomers),
            newcomers_art=distribution(np.asarray(newcomers.talk_s())),
            unanswered=_unanswered(samples),
        ),
        delivery=_delivery(got, what_was_due.expected, posts) if posts else None,
        timeline=timeline(samples, phases.over_s, deliveries),
        connect_phase_s=phases.settled_s,
        events_phase_s=phases.over_s - phases.settled_s,
        recovery_s=recovery_s(samples, stop_s),
        own=None if posts else _own(got, samples, phases),
        reconnects=reconnects(samples, what_was_due.away - got.recovered, got.recovered),
    )


def _responses(samples: Samples) -> Distribution | None:
    """Return the response times of fans from their intended starts; None if none was answered.

    Those of whom nobody knows are not among those who were not.
    """
    response_s = np.asarray(samples.response_s())
    return distribution(response_s, missing=len(samples) - response_s.size - samples.outcome.count(Outcome.UNTOLD))


def _unanswered(samples: Samples) -> Distribution | None:
    """Return how long those waited who were not answered, as far as they did not wait until the end."""
    waited_s = np.asarray(samples.closed_s) - np.asarray(samples.intended_s)
    return distribution(waited_s[np.isnan(np.asarray(samples.answered_s)) & ~np.isnan(waited_s)])


def recovery_s(samples: Samples, stop_s: float | None) -> float | None:
    """Return how long that fan waited for its answer, from its intended start, who waited longest after a first cut.

    A cut is a connection that the server broke, or closed before the end of the match. None if there was none, or
    nobody came after it and was answered.
    """
    outcome = np.frombuffer(bytes(samples.outcome), dtype=np.uint8)
    closed_s, intended_s = np.asarray(samples.closed_s), np.asarray(samples.intended_s)
    early = False if stop_s is None else (outcome == Outcome.ENDED) & (closed_s < stop_s)
    cut_s = closed_s[(outcome == Outcome.CUT) | early]
    if not cut_s.size:
        return None
    waited_s = (np.asarray(samples.answered_s) - intended_s)[intended_s >= cut_s.min()]
    return None if np.isnan(waited_s).all() else float(np.nanmax(waited_s))


def count_fans(samples: Samples, stop_s: float | None) -> Fans:
    """Return what became of the fans. `stop_s` is when the end of the match was posted; None where nobody ended it."""
    outcome = np.frombuffer(bytes(samples.outcome), dtype=np.uint8)
    closed_s = np.asarray(samples.closed_s)
    failures = Counter(
        {Outcome(int(value)).name.lower(): int(np.sum(outcome == value)) for value in np.unique(outcome)}
    )
    apart = {kind: failures.pop(kind.name.lower(), 0) for kind in Outcome if kind.is_set_apart}
    for kind in (Outcome.HELD, Outcome.ENDED):
        failures.pop(kind.name.lower(), None)
    for kind in (Outcome.STATUS, Outcome.CLOSE):
        failures.pop(kind.name.lower(), None)
    failures.update(f"status_{status}" for status in samples.status.values())
    is_early = (outcome == Outcome.ENDED) & (are_away(samples) if stop_s is None else closed_s < stop_s)
    complained = {fan: close for fan, close in samples.closes.items() if is_early[fan] or outcome[fan] == Outcome.CLOSE}
    failures.update(_close_names(complained.values()))
    early = int(np.sum(is_early)) - sum(bool(is_early[fan]) for fan in complained)
    if early:
        failures["closed_early"] = early
    return Fans(
        asked=len(samples),
        answered=int(np.sum(~np.isnan(np.asarray(samples.answered_s)))),
        served=len(samples) - failures.total() - sum(apart.values()),
        failures=dict(failures),
        left=apart[Outcome.LEFT],
        reset=apart[Outcome.BROKE_OFF],
        slow=apart[Outcome.SLOW] + apart[Outcome.SLOW_CLOSED],
        slow_closed=apart[Outcome.SLOW_CLOSED],
        untold=apart[Outcome.UNTOLD],
    )


def _close_names(closes: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Return what each close is counted as: its code and reason, or the code alone where there are many reasons."""
    closes = list(closes)
    reasons: dict[int, set[str]] = {}
    for code, reason in closes:
        reasons.setdefault(code, set()).add(reason)
    for code, reason in closes:
        tells = reason and len(reasons[code]) <= _MOST_REASONS
        yield f"close_{code} ({reason})" if tells else f"close_{code}"


def timeline(samples: Samples, over_s: float, deliveries: Heat | None = None) -> Timeline:
    """Return the trial in at most STEPS equal steps up to `over_s`; `deliveries` are put beside the responses."""
    steps = max(1, min(STEPS, math.floor(over_s / _SHORTEST_STEP_S)))
    at = np.linspace(0, over_s, steps + 1)[1:]
    connected_s, answered_s, closed_s = map(np.asarray, (samples.connected_s, samples.answered_s, samples.closed_s))
    closed_answered_s = closed_s[~np.isnan(answered_s)]
    away = _away_at(samples, at)
    connected = _count_until(connected_s, at) - _count_until(closed_s[~np.isnan(connected_s)], at) - away
    answered = _count_until(answered_s, at) - _count_until(closed_answered_s, at) - away
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


def _away_at(samples: Samples, at: _Times) -> NDArray[np.int64]:
    """Return how many fans are without a connection at each moment who are back later."""
    if samples.lost is None:
        return np.zeros(at.size, np.int64)
    lost_s, back_s = np.asarray(samples.lost.lost_s), np.asarray(samples.lost.back_s)
    return _count_until(lost_s[~np.isnan(back_s)], at) - _count_until(back_s, at)


def _count_until(times_s: _Times, at: _Times) -> NDArray[np.int64]:
    return np.searchsorted(np.sort(times_s[~np.isnan(times_s)]), at, side="right")


def _counted(samples: Samples, posts: Sequence[Posted]) -> Deliveries:
    """Return what was received, which was counted as it came, or is now."""
    if samples.deliveries is not None:
        return samples.deliveries
    folding = Folding(len(samples), len(posts))
    for post in posts:
        folding.know(SentEvent(post.sequence, post.intended_s, post.sent_s, post.accepted))
    fan, sequence, at_s = samples.receipt_fan, samples.receipt_sequence, samples.receipt_s
    folding.fold(
        np.asarray(fan, np.int64), np.asarray(sequence, np.int64), np.asarray(at_s), np.asarray(samples.answered_s)
    )
    return folding.counted


def _course(got: Deliveries, over_s: float) -> Heat | None:
    at_s, took_s, how_many = got.course.columns()
    return heat(at_s, took_s, over_s, how_many)


def _own(got: Deliveries, samples: Samples, phases: Phases) -> OwnEvents | None:
    """Return what was seen of the server's own events, or None where there were none."""
    events = [event for event in got.own.values() if event.first_s >= phases.settled_s]
    if not events:
        return None
    fans = int(np.sum(~np.isnan(np.asarray(samples.answered_s))))
    spread_s = np.array([event.last_s - event.first_s for event in events if event.receipts > 1])
    return OwnEvents(
        heard=len(events),
        by_all=sum(event.receipts >= fans for event in events),
        fans=fans,
        spread=distribution(spread_s),
    )


def _due_upto(samples: Samples, got: Deliveries) -> _Sequences:
    """Return of each fan the last sequence that it is due: any, but of one that left, its last; of a slow fan, none.

    What was on its way to a fan when that left cannot be told from what was lost.
    """
    outcome = np.frombuffer(bytes(samples.outcome), dtype=np.uint8)
    return np.where(outcome >= Outcome.LEFT, got.highest.astype(np.int64), np.iinfo(np.int64).max)


def _due(got: Deliveries, samples: Samples, posts: Sequence[Posted]) -> Due:
    """Count the accepted events that were sent at or after each fan's answer, up to the last that it is due."""
    sequences = np.array([post.sequence for post in posts if post.accepted], np.int64)
    sent_s = np.array([post.sent_s for post in posts if post.accepted])  # posts are sent in their order
    return due(np.asarray(samples.answered_s), _due_upto(samples, got), sequences, sent_s, samples.lost)


def _delivery(got: Deliveries, expected: int, posts: Sequence[Posted]) -> Delivery:
    events = _events(posts, got)
    received = int(got.received.sum())
    lost = expected - received
    last = [event.last_s for event in events if event.last_s is not None]
    last_service = [event.last_service_s for event in events if event.last_service_s is not None]
    lag_s = np.array([post.lag_s for post in posts])
    took_s = float(got.took_sum_s.sum())
    service_s = took_s - float(np.sum(got.received[1 : lag_s.size + 1] * lag_s))
    of_all = max(received, 1)
    return Delivery(
        posted=len(posts),
        unposted=sum(not post.accepted for post in posts),
        expected=expected,
        received=received,
        lost=lost,
        duplicated=got.duplicated,
        reordered=got.reordered,
        fanout=counted_distribution(got.took, mean_s=took_s / of_all, max_s=max(last, default=0.0), missing=lost),
        fanout_service=counted_distribution(
            got.service, mean_s=service_s / of_all, max_s=max(last_service, default=0.0), missing=lost
        ),
        last_mean_s=float(np.mean(last)) if last else None,
        last_max_s=max(last) if last else None,
        last_service_mean_s=float(np.mean(last_service)) if last_service else None,
        post_answer=distribution(np.array([post.answered_s - post.sent_s for post in posts if post.accepted])),
        post_lag_p99_s=percentile(lag_s, 990),
        post_lag_max_s=float(lag_s.max()),
        events=events,
    )


def _events(posts: Sequence[Posted], got: Deliveries) -> tuple[EventSeen, ...]:
    return tuple(_event(post, got) for post in posts)


def _event(post: Posted, got: Deliveries) -> EventSeen:
    """Return what became of an event; how long it took on average, and until the last fan, where any received it."""
    received = int(got.received[post.sequence])
    mean_s = float(got.took_sum_s[post.sequence]) / received if received else None
    last_s = float(got.took_longest_s[post.sequence]) if received else None
    return EventSeen(
        sequence=post.sequence,
        kind=post.kind,
        intended_s=post.intended_s,
        sent_s=post.sent_s,
        answered_s=post.answered_s if post.accepted else None,
        error=post.error,
        received=received,
        fanout_mean_s=mean_s,
        fanout_service_mean_s=None if mean_s is None else mean_s - post.lag_s,
        last_s=last_s,
        last_service_s=None if last_s is None else last_s - post.lag_s,
    )

"""Receipts that are counted as they come: in any batches, by any processes, they come to the same as all together."""

from array import array
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.deliveries import MOST_OWN, Course, Deliveries, Folding, OwnEvent, SentEvent, mark_of

FANS, EVENTS = 4, 3
Receipt = tuple[int, int, float]

moments = st.integers(0, 40).map(lambda quarters: quarters / 4)  # most of them after the events were sent
receipts = st.lists(st.tuples(st.integers(0, FANS - 1), st.integers(0, EVENTS + 2), moments), max_size=60).map(
    lambda rows: sorted(rows, key=lambda row: row[2])
)
marked = st.lists(
    st.tuples(st.integers(0, FANS - 1), st.integers(mark_of(EVENTS), EVENTS + 1), moments), max_size=60
).map(lambda rows: sorted(rows, key=lambda row: row[2]))
answered = st.lists(st.sampled_from([0.0, 2.5, 6.5, np.nan]), min_size=FANS, max_size=FANS)
sent = st.lists(st.tuples(st.floats(0.5, 1), st.booleans()), min_size=EVENTS, max_size=EVENTS).map(
    lambda rows: [SentEvent(at, at * 1.5 - lag, at * 1.5, accepted) for at, (lag, accepted) in enumerate(rows, 1)]
)


def fold(folding: Folding, rows: list[Receipt], answered_s: list[float]) -> None:
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    fan, sequence, at_s = map(list, columns)
    folding.fold(np.array(fan, np.int64), np.array(sequence, np.int64), np.array(at_s, float), np.array(answered_s))


def assert_same(one: Deliveries, other: Deliveries) -> None:
    for field in fields(Deliveries):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-9)
        elif isinstance(mine, Course):
            assert (mine.step_s, mine.cells) == (theirs.step_s, theirs.cells)
        else:
            assert mine == theirs


def one_by_one(rows: list[Receipt], events: list[SentEvent], answered_s: list[float]) -> tuple[Counter[int], int, int]:
    """Return how many counted of each event, how many came twice, and how many late, as one would count by hand."""
    had: set[tuple[int, int]] = set()
    highest: Counter[int] = Counter()
    received: Counter[int] = Counter()
    duplicated = reordered = 0
    for fan, sequence, at_s in rows:
        if not 1 <= sequence <= EVENTS or np.isnan(answered_s[fan]) or at_s < events[sequence - 1].sent_s:
            continue
        if (fan, sequence) in had:
            duplicated += 1
            continue
        had.add((fan, sequence))
        reordered += sequence < highest[fan]
        highest[fan] = max(highest[fan], sequence)
        event = events[sequence - 1]
        received[sequence] += event.accepted and event.sent_s >= answered_s[fan]
    return +received, duplicated, reordered


@given(receipts, sent, answered)
def test_they_are_counted_as_one_would_by_hand(
    rows: list[Receipt], events: list[SentEvent], answered_s: list[float]
) -> None:
    folding = Folding(FANS, EVENTS)
    for event in events:
        folding.know(event)
    fold(folding, rows, answered_s)
    counted = folding.counted
    received = Counter({at: count for at, count in enumerate(counted.received.tolist()) if count})
    assert (received, counted.duplicated, counted.reordered) == one_by_one(rows, events, answered_s)
    own = {
        number: OwnEvent(len(moments), moments[0], moments[-1])
        for number in (EVENTS + 1, EVENTS + 2)
        if (moments := [at_s for _, sequence, at_s in rows if sequence == number])
    }
    assert counted.own == own
    assert counted.took.total() == counted.service.total() == counted.course.cells.total() == received.total()


@given(marked, sent, answered, st.lists(st.integers(0, 60), max_size=6))
def test_batches_come_to_the_same_as_all_at_once(
    rows: list[Receipt], events: list[SentEvent], answered_s: list[float], cuts: list[int]
) -> None:
    whole, batches = Folding(FANS, EVENTS), Folding(FANS, EVENTS)
    for event in events:
        whole.know(event)
    fold(whole, rows, answered_s)
    waiting, unknown = list(rows), list(events)
    for come in [*sorted(cuts), *[len(rows)] * (EVENTS + 1)]:
        there = waiting[: max(0, come - (len(rows) - len(waiting)))]
        upto = batches.foldable(array("i", [sequence for _, sequence, _ in there]))
        fold(batches, waiting[:upto], answered_s)
        del waiting[:upto]
        if unknown:
            batches.know(unknown.pop(0))
    assert waiting == []
    assert_same(batches.counted, whole.counted)


def test_what_came_before_is_known_in_the_next_batch() -> None:
    folding = Folding(1, 2)
    for number in (1, 2):
        folding.know(SentEvent(number, 0.0, 0.0, accepted=True))
    for row in ((0, 2, 1.0), (0, 1, 2.0), (0, 2, 3.0)):
        fold(folding, [row], [0.0])
    counted = folding.counted
    assert (counted.received.tolist(), counted.duplicated, counted.reordered) == ([0, 1, 1], 1, 1)


@given(marked, sent, answered)
def test_processes_come_to_the_same_as_one(
    rows: list[Receipt], events: list[SentEvent], answered_s: list[float]
) -> None:
    whole = Folding(FANS, EVENTS)
    shares = [range(0, FANS, 2), range(1, FANS, 2)]
    parts = [Folding(len(share), EVENTS) for share in shares]
    for event in events:
        for folding in (whole, *parts):
            folding.know(event)
    fold(whole, rows, answered_s)
    for share, part in zip(shares, parts, strict=True):
        own = [(share.index(fan), sequence, at_s) for fan, sequence, at_s in rows if fan in share]
        fold(part, own, answered_s[share.start :: 2])
    every = zip(shares, [part.counted for part in parts], strict=True)
    assert_same(Deliveries.merged(FANS, EVENTS, every), whole.counted)


def test_a_long_course_has_longer_steps_and_loses_nothing() -> None:
    course, other = Course(), Course()
    at_s = np.arange(0, 3600, 0.25)
    course.add(at_s, np.full(at_s.size, 0.1))
    other.add(np.array([0.01, 3599.0]), np.array([0.1, 0.2]))
    other.merge(course)
    moments, took_s, counts = other.columns()
    assert counts.sum() == at_s.size + 2
    assert other.step_s == course.step_s == pytest.approx(0.02 * 2**7)
    assert len(set(moments.tolist())) <= 2048
    assert set(np.round(took_s, 1).tolist()) <= {0.1, 0.2}
    assert 0 < moments.min() < other.step_s


def test_of_very_many_events_of_the_servers_own_it_is_not_told() -> None:
    counted = Deliveries.none(1, 0)
    for number in range(MOST_OWN + 5):
        counted.count_own(number, OwnEvent(1, 2.0, 3.0))
    counted.count_own(7, OwnEvent(2, 1.0, 2.5))
    counted.count_own(MOST_OWN, OwnEvent(1, 0.0, 9.0))
    assert len(counted.own) == MOST_OWN
    assert counted.own[7] == OwnEvent(3, 1.0, 3.0)

"""What fans who connect again were due, and what they missed: as one would count it by hand."""

import math
from array import array
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.load.deliveries import mark_of
from harness.load.lost_connections import LostConnections
from harness.load.reporter import Posted
from harness.load.samples import Outcome, Samples
from harness.records.seen import Reconnects, Seen
from harness.trial.figures.delivery import Phases, analyse, timeline

PHASES = Phases(settled_s=5.0, over_s=20.0)
EVENTS = 4


@dataclass
class Life:
    """A fan: its connections, each from the answer to the loss (NaN: it was not lost), and what it got (number, at)."""

    connections: list[tuple[float, float]]
    receipts: list[tuple[int, float]] = field(default_factory=list)

    def got(self, connection: int) -> list[tuple[int, float]]:
        begin_s, end_s = self.connections[connection]
        return [row for row in self.receipts if begin_s <= row[1] and not row[1] >= end_s]

    def upto(self, connection: int) -> int:
        """Return the highest number that it had when that connection was lost."""
        return max((number for each in range(connection + 1) for number, _ in self.got(each)), default=0)

    def there(self, sent_s: float) -> int:
        """Return on which connection it was, or had been last."""
        return max(index for index, (begin_s, _) in enumerate(self.connections) if begin_s <= sent_s)


def post(number: int, *, accepted: bool = True) -> Posted:
    at_s = 10.0 + number
    return Posted(number, "shot", at_s, at_s, at_s if accepted else math.nan, 0.0, None if accepted else "x")


def seen_of(lives: list[Life], posts: list[Posted]) -> Seen:
    """Return what is made of these fans, whose samples are as the generator's."""
    samples = Samples.blank(array("d", [0.0]) * len(lives))
    samples.lost = lost = LostConnections()
    for fan, life in enumerate(lives):
        samples.answered_s[fan] = life.connections[0][0]
        samples.outcome[fan] = Outcome.ENDED
        samples.closed_s[fan] = 19.0
        for index, (begin_s, end_s) in enumerate(life.connections):
            rows = life.got(index)
            if index:
                rows = [(mark_of(life.upto(index - 1)), begin_s), *rows]
                lost.back_s[-1] = begin_s
            for number, at_s in rows:
                samples.receipt_fan.append(fan)
                samples.receipt_sequence.append(number)
                samples.receipt_s.append(at_s)
            if not math.isnan(end_s):
                samples.closed_s[fan] = end_s
                lost.lose(fan, end_s, life.upto(index), "ended")
        if math.isnan(life.connections[-1][1]):
            samples.closed_s[fan] = 19.0
    return analyse(samples, posts, PHASES)


def reconnects_of(seen: Seen) -> Reconnects:
    assert seen.reconnects is not None
    return seen.reconnects


@st.composite
def lives(draw: st.DrawFn) -> Life:
    moments = sorted(
        draw(st.sets(st.integers(36, 60).map(lambda quarters: quarters / 4 + 0.1), min_size=1, max_size=6))
    )
    ends = [*moments[1::2], *([math.nan] if len(moments) % 2 else [])]
    numbers = st.tuples(st.integers(1, EVENTS), st.integers(36, 70).map(lambda quarters: quarters / 4))
    rows = sorted(draw(st.lists(numbers, max_size=12)), key=lambda row: row[1])
    return Life(
        list(zip(moments[::2], ends, strict=True)), [(number, at_s) for number, at_s in rows if at_s >= 10 + number]
    )


BEFORE_ITS_ANSWER = Life([(12.5, 13.5), (14.5, math.nan)], [(1, 15.0)])
SKIPPED_AND_TOLD_LATER = Life([(1.0, 13.5), (14.5, math.nan)], [(2, 12.1), (1, 14.6)])


@example([BEFORE_ITS_ANSWER, SKIPPED_AND_TOLD_LATER], [True] * EVENTS)
@given(st.lists(lives(), min_size=1, max_size=4), st.lists(st.booleans(), min_size=EVENTS, max_size=EVENTS))
def test_it_is_as_counted_by_hand(fans: list[Life], accepted: list[bool]) -> None:
    posts = [post(number, accepted=is_accepted) for number, is_accepted in enumerate(accepted, 1)]
    expected = received = missed = recovered = duplicated = 0
    for life in fans:
        had = set()
        for index, (begin_s, _) in enumerate(life.connections):
            for number, _ in life.got(index):
                is_before = posts[number - 1].sent_s < begin_s
                duplicated += number in had and not (index and is_before)
                had.add(number)
        for one in posts:
            if not one.accepted or one.sent_s < life.connections[0][0]:
                continue
            there, number = life.there(one.sent_s), one.sequence
            first = next((at for at in range(len(life.connections)) if number in dict(life.got(at))), None)
            if math.isnan(life.connections[there][1]) or number <= life.upto(there):
                expected += 1
                received += first == there
            elif first is not None and number > life.upto(first - 1):
                recovered += 1
            else:
                missed += 1
    seen = seen_of(fans, posts)
    delivery, back = seen.delivery, reconnects_of(seen)
    assert delivery is not None
    assert (delivery.expected, delivery.received, delivery.duplicated) == (expected, received, duplicated)
    assert (back.missed, back.recovered) == (missed, recovered)


def test_no_event_is_lost_that_was_sent_while_a_fan_was_away_and_one_that_was_skipped_is() -> None:
    life = Life([(1.0, 12.5), (13.5, math.nan)], [(2, 12.1), (4, 14.1)])
    seen = seen_of([life], [post(number) for number in range(1, 5)])
    assert seen.delivery is not None
    assert (seen.delivery.expected, seen.delivery.received, seen.delivery.lost) == (3, 2, 1)
    assert reconnects_of(seen).missed == 1
    assert seen.fans.served == 1


def test_who_is_not_back_is_not_served_and_took_infinitely_long() -> None:
    lives = [Life([(1.0, 12.5)], [(1, 11.1)]), Life([(1.0, 12.5), (14.5, math.nan)], [(1, 11.1)])]
    seen = seen_of(lives, [post(1), post(2), post(3), post(4), post(5)])
    back = reconnects_of(seen)
    assert seen.fans.failures == {"closed_early": 1}
    assert (back.lost, back.not_back, back.ended) == (2, 1, {"ended": 2})
    assert back.back is not None
    assert (back.back.count, back.back.missing, back.back.max_s, back.back.p99_s) == (1, 1, 2.0, None)
    assert back.missed == 4 + 3


@pytest.mark.parametrize("posts", [[], None])
def test_who_is_not_back_is_not_served_where_nobody_posted(posts: list[Posted] | None) -> None:
    seen = analyse(one_that_is_away(), posts, PHASES)
    assert seen.fans.failures == {"closed_early": 1}
    assert seen.delivery is None


def one_that_is_away() -> Samples:
    samples = Samples.blank(array("d", [0.0, 0.0]))
    samples.lost = LostConnections()
    for fan in range(2):
        samples.connected_s[fan] = samples.answered_s[fan] = 1.0
        samples.outcome[fan] = Outcome.HELD
        samples.lost.lose(fan, 5.0, 0, "ended")
    samples.outcome[0], samples.closed_s[0] = Outcome.ENDED, 5.0
    samples.lost.back_s[1] = 9.0
    return samples


def test_the_timeline_has_those_who_are_there() -> None:
    line = timeline(one_that_is_away(), 20.0)
    there = [next(count for at, count in zip(line.at_s, line.connected, strict=True) if at >= s) for s in (4, 8, 10)]
    assert there == [2, 0, 1]
    assert line.answered == line.connected


def test_what_came_before_it_was_sent_as_clocks_of_hosts_may_have_it_is_due_once() -> None:
    life = Life([(1.0, 12.2), (12.4, math.nan)], [(1, 11.1), (2, 12.1), (3, 13.1)])
    seen = seen_of([life], [post(1), replace(post(2), sent_s=12.5, answered_s=12.6), post(3)])
    assert seen.delivery is not None
    assert (seen.delivery.expected, reconnects_of(seen).missed) == (3, 0)

import math
from array import array

from harness.load.samples import Outcome, Progress, Samples

NEVER = math.nan


def _samples(**columns: list[float]) -> Samples:
    samples = Samples.blank(array("d", columns.pop("intended_s")))
    for name, values in columns.items():
        setattr(samples, name, array("d", values))
    return samples


def test_a_blank_has_a_row_for_every_fan_and_nothing_happened() -> None:
    blank = Samples.blank(array("d", [0.0, 0.25]))
    assert len(blank) == 2
    assert blank.outcomes() == {Outcome.PENDING: 2}
    assert all(math.isnan(value) for value in blank.answered_s)
    assert not blank.response_s()
    assert not blank.talk_s()
    assert not blank.lag_s()
    assert not blank.own_s()


def test_merge_puts_every_fan_back_in_its_place() -> None:
    even = _samples(intended_s=[0.0, 0.5], answered_s=[0.1, 0.6])
    even.outcome[:] = bytes([Outcome.HELD, Outcome.ENDED])
    even.receipt_fan.extend([1, 0])
    even.receipt_sequence.extend([7, 8])
    even.receipt_s.extend([0.7, 0.8])
    odd = _samples(intended_s=[0.25], answered_s=[NEVER])
    odd.outcome[:] = bytes([Outcome.STATUS])
    odd.status[0] = 503
    odd.closes[0] = 1011, "why"
    odd.receipt_fan.append(0)
    odd.receipt_sequence.append(9)
    odd.receipt_s.append(0.9)
    merged = Samples.merge([(range(0, 3, 2), even), (range(1, 3, 2), odd)])
    assert list(merged.intended_s) == [0.0, 0.25, 0.5]
    assert list(merged.outcome) == [Outcome.HELD, Outcome.STATUS, Outcome.ENDED]
    assert (merged.status, merged.first(1).status) == ({1: 503}, {})
    assert (merged.closes, merged.first(1).closes) == ({1: (1011, "why")}, {})
    assert merged.answered_s[0] == 0.1
    assert math.isnan(merged.answered_s[1])
    rows = zip(merged.receipt_fan, merged.receipt_sequence, merged.receipt_s, strict=True)
    assert list(rows) == [(2, 7, 0.7), (0, 8, 0.8), (1, 9, 0.9)]


def test_those_after_a_moment_are_the_fans_who_were_to_start_then() -> None:
    samples = _samples(intended_s=[0.0, 0.25, 0.5], answered_s=[0.1, NEVER, 0.75])
    samples.outcome[:] = bytes([Outcome.HELD, Outcome.REFUSED, Outcome.ENDED])
    samples.receipt_fan.append(2)
    late = samples.after(0.2)
    assert len(late) == 2
    assert list(late.outcome) == [Outcome.REFUSED, Outcome.ENDED]
    assert list(late.response_s()) == [0.25]
    assert not late.receipt_fan
    assert len(samples.after(0.5)) == 0


def test_the_two_clocks() -> None:
    samples = _samples(
        intended_s=[0.0, 0.0, 0.0, 0.0],
        started_s=[0.5, 0.0, 0.0, NEVER],
        connected_s=[1.0, 1.0, 1.0, NEVER],
        welcomed_s=[4.0, 1.5, NEVER, NEVER],  # the third: a server that does not speak first
        asked_s=[4.0, 2.0, 1.0, NEVER],
        answered_s=[5.0, 4.0, 8.0, NEVER],
    )
    assert list(samples.response_s()) == [5.0, 4.0, 8.0]
    assert list(samples.talk_s()) == [3.0, 2.0, 7.0]
    assert list(samples.lag_s()) == [0.5, 0.0, 0.0]
    assert list(samples.own_s()) == [0.5, 0.5, 0.0]


def test_progress_adds_up() -> None:
    total = Progress.total([Progress(3, 2, 1, 1, 0, 9), Progress(2, 2, 2, 0, 1, 1)])
    assert total == Progress(started=5, connected=4, answered=3, failed=1, closed=1, receipts=10)
    assert total.settled == 4

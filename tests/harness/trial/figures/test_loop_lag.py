"""From what nodes tell, look by look, to how late their loops were on the clock of the trial."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.otp.loop_lag import PERIOD_S, WINDOW, LagSample, LoopLagStatistics
from harness.targets.poller import Look, Polled
from harness.trial.figures.loop_lag import LagLog
from harness.trial.figures.usage import TRACE_STEPS
from tests.common.http.samples import statistics

T0 = 1000.0
"""The first start, on the clock of the harness."""
UPTIME_S = 60.0
"""For how long the node had been there at T0."""


def told(*moments_and_late: tuple[float, float], at_s: float, travel_s: float = 0.0, node: str = "a") -> Look:
    """Return a look at a node which it answered `at_s` after T0, with samples at moments after T0."""
    samples = tuple(LagSample(at_s - moment, late_s) for moment, late_s in moments_and_late)
    lag = LoopLagStatistics(0.0, 0.0, samples) if samples else None
    return Look(node).next(
        Polled(T0 + at_s + travel_s, statistics(node=node, uptime_s=UPTIME_S + at_s, loop_lag=lag)),
    )


def found(*looks: Look, over_s: float = 60.0) -> list[tuple[float, float]] | None:
    log = LagLog()
    for look in looks:
        log.add((look,))
    lag = log.within(T0, over_s)
    return None if lag is None else list(zip(lag.at_s, lag.late_s, strict=True))


def test_samples_are_on_the_clock_of_the_trial_and_told_twice_count_once() -> None:
    first = told((0.1, 0.001), (0.2, 0.002), at_s=0.25)
    second = told((0.2, 0.002), (0.301, 0.003), at_s=0.35)
    assert found(first, second) == [(0.1, 0.001), (0.2, 0.002), (0.301, 0.003)]


def test_an_answer_that_came_late_does_not_move_the_samples() -> None:
    late = told((0.5, 0.001), at_s=0.6, travel_s=2.0)
    fast = told((0.5, 0.001), (2.75, 0.002), at_s=2.8)
    assert found(late, fast) == [(0.5, 0.001), (2.75, 0.002)]


def test_of_several_nodes_the_latest_in_each_moment_is_kept() -> None:
    assert found(
        told((0.11, 0.001), (0.21, 0.002), at_s=0.3, node="a"), told((0.15, 0.5), (0.25, 0.001), at_s=0.3, node="b")
    ) == [(0.15, 0.5), (0.21, 0.002)]


def test_what_was_before_the_first_start_or_due_after_the_end_is_left_out() -> None:
    look = told((-0.5, 0.001), (0.1, 0.3), (5.0, 0.001), (7.0, 1.9), (7.2, 0.001), at_s=8.0)
    assert found(look, over_s=5.5) == [(0.1, 0.3), (5.0, 0.001), (7.0, 1.9)]


def test_a_node_that_was_started_anew_has_a_clock_of_its_own() -> None:
    before = told((1.0, 0.001), at_s=1.1)
    seen = Polled(
        T0 + 3.0, statistics(node="a", uptime_s=1.0, loop_lag=LoopLagStatistics(0, 0, (LagSample(0.5, 0.2),)))
    )
    assert found(before, before.next(seen)) == [(1.0, 0.001), (2.5, 0.2)]


def test_nodes_that_do_not_answer_or_tell_no_samples_add_nothing() -> None:
    look = told((0.1, 0.001), at_s=0.2)
    assert found(look, look.missed("away")) == [(0.1, 0.001)]
    assert found(Look("a").missed("away"), told(at_s=0.2)) is None
    assert found() is None


def test_of_a_long_trial_what_a_chart_can_show_is_kept_with_the_latest_in_it() -> None:
    log = LagLog()
    for look in range(300):
        samples = ((2.0 * look + number / 10 + 0.05, 0.9 if look == number == 7 else 0.001) for number in range(20))
        log.add((told(*samples, at_s=2.0 * look + 2.0),))
    lag = log.within(T0, 600.0)
    assert lag is not None
    assert len(lag.at_s) == TRACE_STEPS
    assert (14.75, 0.9) in zip(lag.at_s, lag.late_s, strict=True)


@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=60),
    st.lists(st.integers(1, WINDOW // 2), min_size=1, max_size=20),
)
def test_looks_that_overlap_lose_and_double_nothing(late_s: list[float], steps: list[int]) -> None:
    """Samples come in order, looks see the last `WINDOW` of them and come often enough."""
    moments, at_s = [], 0.0
    for late in late_s:
        at_s += PERIOD_S + late
        moments.append((at_s, late))
    looks, upto = [], 0
    for step in (*steps, *[WINDOW // 2] * 3):
        upto = min(upto + step, len(moments))
        looks.append(told(*moments[max(0, upto - WINDOW) : upto], at_s=moments[upto - 1][0] + 0.01))
    log = LagLog()
    log.add(looks)
    lag = log.within(T0, 1.0)  # steps of a tenth of a second
    assert lag is not None
    due = [(at, late) for at, late in moments if at - late <= 1.0]
    kept = list(zip(lag.at_s, lag.late_s, strict=True))
    assert max(lag.late_s) == pytest.approx(max(late for _, late in due), abs=1e-5)
    assert len(kept) <= len(due)
    for sample in kept:
        assert any(sample == pytest.approx(one, abs=1e-3) for one in due)

"""Where a ratio gets its interval."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.campaign.intervals import FEWEST_RUNS, Estimate, estimates

RUNS = st.lists(st.floats(0.001, 1e6), min_size=FEWEST_RUNS, max_size=6)


def one(a: list[float], b: list[float]) -> Estimate:
    return estimates(a, {"b": b})["b"]


def test_two_alone_have_the_interval_of_the_t_test_on_logarithms() -> None:
    a, b = [1.0, 1.1, 0.9, 1.05], [1.5, 1.4, 1.7, 1.6, 1.45]
    found, known = one(a, b), stats.ttest_ind(np.log(b), np.log(a))
    low, high = known.confidence_interval(0.95)
    assert found.value == pytest.approx(math.exp(np.mean(np.log(b)) - np.mean(np.log(a))), rel=1e-5)
    assert (found.low, found.high) == (pytest.approx(math.exp(low), rel=1e-5), pytest.approx(math.exp(high), rel=1e-5))
    assert found.p == pytest.approx(known.pvalue)
    assert (found.a_count, found.b_count) == (4, 5)


def test_the_others_beside_them_tell_how_much_trials_differ() -> None:
    a, b = [1.0, 1.1, 0.95], [1.3, 1.2, 1.4]
    steady = {f"other {number}": [1.0, 1.1, 0.9, 1.05, 0.95] for number in range(5)}
    alone, among = one(a, b), estimates(a, {"b": b, **steady})["b"]
    assert among.value == alone.value
    assert among.low is not None
    assert alone.low is not None
    assert among.low > alone.low


def test_one_that_differs_plainly_more_keeps_its_spread_and_the_others_theirs() -> None:
    steady = {f"other {number}": [1.0, 1.01, 0.99, 1.02, 0.98] for number in range(3)}
    a, wild = [1.0, 1.01, 0.99, 1.0, 1.0], [0.5, 2.0, 1.0, 4.0, 0.25]
    found, without = estimates(a, {"wild": wild, **steady}), estimates(a, steady)
    assert found["other 0"] == without["other 0"]
    low, high = stats.ttest_ind(np.log(wild), np.log(a), equal_var=False).confidence_interval(0.95)
    assert found["wild"].low == pytest.approx(math.exp(low), rel=0.01)
    assert found["wild"].high == pytest.approx(math.exp(high), rel=0.01)


@given(RUNS, RUNS)
def test_a_and_b_may_change_places(a: list[float], b: list[float]) -> None:
    found, turned = one(a, b), one(b, a)
    assert found.value
    assert found.low
    assert turned.value == pytest.approx(1 / found.value, rel=1e-4)
    assert turned.high == pytest.approx(1 / found.low, rel=1e-4)
    assert turned.p == pytest.approx(found.p, rel=1e-6, abs=1e-12)
    assert found.low <= found.value <= (found.high or 0)


@given(RUNS, st.floats(0.01, 100))
def test_the_unit_of_a_figure_does_not_matter(a: list[float], unit: float) -> None:
    b = [2.0, 3.0, 2.5]
    assert one([value * unit for value in a], [value * unit for value in b]).p == pytest.approx(
        one(a, b).p, rel=1e-4, abs=1e-12
    )


@pytest.mark.parametrize(("a", "b"), [([1.0], [9.0]), ([1.0, 1.0], [9.0, 9.0]), ([1.0, 2.0], [9.0] * 5)])
def test_too_few_runs_have_a_ratio_and_no_interval(a: list[float], b: list[float]) -> None:
    found = one(a, b)
    assert found.value is not None
    assert found.value > 4
    assert (found.low, found.high, found.p) == (None, None, None)


def test_what_never_varies_is_told_apart_for_certain_or_is_the_same() -> None:
    assert one([8000.0] * 5, [8000.0] * 5) == Estimate(1.0, 1.0, 1.0, 1.0, 5, 5)
    assert one([8000.0] * 5, [4000.0] * 5) == Estimate(0.5, 0.5, 0.5, 0.0, 5, 5)


def test_nothing_has_no_interval_and_is_compared_by_rank() -> None:
    lost = one([900.0] * 10, [0.0] * 5)
    assert (lost.value, lost.low, lost.high) == (0.0, None, None)
    assert lost.p is not None
    assert lost.p < 0.001
    won = one([0.0] * 10, [900.0] * 5)
    assert (won.value, won.p) == (None, lost.p)
    assert one([0.0] * 5, [0.0] * 5) == Estimate(1.0, None, None, 1.0, 5, 5)
    sometimes = one([900.0, 0.0, 900.0, 0.0], [900.0, 900.0, 0.0, 0.0])
    assert sometimes.p == 1.0


def test_what_was_not_measured_has_no_value() -> None:
    assert one([], [1.0, 2.0]) == Estimate(None, None, None, None, 0, 2)
    assert one([1.0, 2.0], []) == Estimate(None, None, None, None, 2, 0)

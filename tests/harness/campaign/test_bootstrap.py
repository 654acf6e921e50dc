import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.campaign.bootstrap import SEARCHES_DIFFER, _expanded, ratio, ratio_of_limits, ratio_of_resamples
from harness.records.campaign import Figure, FoundLimit, Ratio

FIGURES = st.sampled_from(("N", "C", "served", "art", "response_p99", "fanout", "fanout_last", "memory"))
RUNS = st.lists(st.floats(0, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=6)
OPPOSITE = {"better": "worse", "worse": "better"}


def a_limit(last_pass: float | None, first_fail: float | None) -> FoundLimit:
    return FoundLimit(
        file="x.json",
        dimension="N",
        last_pass=last_pass,
        first_fail=first_fail,
        broken=(),
        bound=None,
        at_least=first_fail is None,
        state="done",
    )


LIMITS = st.one_of(
    st.none(),
    st.builds(
        lambda low, width: a_limit(low, None if width is None else (low or 0) + width),
        st.none() | st.integers(1, 100_000),
        st.none() | st.integers(1, 5_000),
    ),
)


def turned(value: float | None) -> float | None:
    """Return the ratio the other way round; None stands for one that is infinite."""
    if value is None:
        return 0.0
    return None if value == 0 else 1 / value


def same(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-4)


def assert_turned_round(one: Ratio, other: Ratio) -> None:
    assert other.judgement == OPPOSITE.get(one.judgement, one.judgement)
    assert (other.a_count, other.b_count) == (one.b_count, one.a_count)
    if one.judgement == "not measured":
        return
    assert same(other.value, turned(one.value))
    if one.low is not None and one.high is not None:
        assert same(other.low, turned(one.high))
        assert same(other.high, turned(one.low))


def test_a_clear_change_is_judged_with_its_interval() -> None:
    slower = ratio("art", [0.10, 0.11, 0.105, 0.1, 0.102], [0.20, 0.21, 0.19, 0.205, 0.2])
    assert slower.judgement == "worse"
    assert slower.value == pytest.approx(1.944, abs=0.001)
    assert slower.low is not None
    assert slower.high is not None
    assert 1.8 < slower.low < 1.944 < slower.high < 2.1
    assert (slower.a_count, slower.b_count) == (5, 5)


@pytest.mark.parametrize(
    ("figure", "more"),
    [
        ("N", "better"),
        ("C", "better"),
        ("served", "better"),
        ("art", "worse"),
        ("response_p99", "worse"),
        ("fanout", "worse"),
        ("fanout_last", "worse"),
        ("memory", "worse"),
    ],
)
def test_which_way_is_better_depends_on_the_figure(figure: Figure, more: str) -> None:
    assert ratio(figure, [10, 10, 10], [20, 20, 20]).judgement == more
    assert ratio(figure, [20, 20, 20], [10, 10, 10]).judgement == OPPOSITE[more]


def test_the_same_values_are_no_change() -> None:
    found = ratio("served", [8000] * 5, [8000] * 5)
    assert (found.value, found.low, found.high, found.judgement) == (1.0, 1.0, 1.0, "no change seen")


def test_a_change_that_is_certain_but_tiny_is_none() -> None:
    found = ratio("memory", [4000, 4001, 4002], [4080, 4081, 4082])
    assert found.low is not None
    assert found.low > 1
    assert found.judgement == "no change seen"
    assert ratio("memory", [4000, 4001, 4002], [4160, 4161, 4162]).judgement == "worse"


def test_few_served_against_all() -> None:
    found = ratio("served", [8000] * 5, [970, 974, 980, 974, 976])
    assert found.judgement == "worse"
    assert found.value == pytest.approx(0.1219, abs=0.0001)


def test_nobody_served_at_all() -> None:
    lost = ratio("served", [900, 900, 900], [0, 0, 0])
    assert (lost.value, lost.low, lost.high, lost.judgement) == (0.0, 0.0, 0.0, "worse")
    won = ratio("served", [0, 0, 0], [900, 900, 900])
    assert (won.value, won.low, won.high, won.judgement) == (None, None, None, "better")
    assert ratio("served", [0, 0, 0], [0, 0, 0]).judgement == "no change seen"
    sometimes = ratio("served", [0, 900, 0, 900], [900, 900, 900, 900])
    assert sometimes.value == 2.0
    assert sometimes.high is None
    assert sometimes.judgement == "no change seen"


@pytest.mark.parametrize(("a", "b"), [([1.0], [9.0]), ([1.0, 1.0], [9.0, 9.0]), ([1.0], [9.0] * 5)])
def test_too_few_runs_show_no_change_however_far_apart(a: list[float], b: list[float]) -> None:
    found = ratio("art", a, b)
    assert (found.value, found.low, found.high, found.judgement) == (9.0, None, None, "no change seen")


def test_a_side_without_values_was_not_measured() -> None:
    found = ratio("art", [], [1.0, 2.0])
    assert (found.value, found.a_count, found.b_count, found.judgement) == (None, 0, 2, "not measured")


@given(FIGURES, RUNS, RUNS)
def test_a_and_b_may_change_places(figure: Figure, a: list[float], b: list[float]) -> None:
    assume(sorted(a) != sorted(b))  # between equals the draw decides which of the ends is which
    assert_turned_round(ratio(figure, a, b), ratio(figure, b, a))


@given(FIGURES, RUNS, RUNS)
def test_the_same_runs_in_any_order_give_the_same_answer(figure: Figure, a: list[float], b: list[float]) -> None:
    assert ratio(figure, a, b) == ratio(figure, a[::-1], sorted(b))


@given(FIGURES, RUNS, RUNS)
def test_a_judgement_has_an_interval_beside_one(figure: Figure, a: list[float], b: list[float]) -> None:
    found = ratio(figure, a, b)
    if found.judgement in OPPOSITE and found.value is not None:
        assert found.low is not None
        assert found.low > 1 if found.value > 1 else found.high is not None and found.high < 1
        assert not 1 / 1.03 < found.value < 1.03


@pytest.mark.parametrize(("runs", "most"), [(3, 0.18), (5, 0.1), (8, 0.1)])
def test_noise_is_rarely_taken_for_a_change(runs: int, most: float) -> None:
    rng = np.random.default_rng(5)
    pairs = rng.lognormal(0, 0.1, size=(300, 2, runs))
    wrong = sum(ratio("art", a.tolist(), b.tolist()).judgement != "no change seen" for a, b in pairs)
    assert wrong / 300 < most


@pytest.mark.parametrize(("fewer", "more", "quantile"), [(3, 3, 2.776), (5, 5, 2.306), (3, 8, 2.262)])
def test_an_interval_is_as_wide_as_one_of_students_t(fewer: int, more: int, quantile: float) -> None:
    """The quantiles are those of a printed table, at 97.5 %, with two degrees of freedom less than there are values."""
    wide = NormalDist().inv_cdf((1 + _expanded(fewer, more)) / 2)
    assert wide == pytest.approx(quantile * math.sqrt(fewer / (fewer - 1)), abs=0.002)


def test_of_three_against_three_it_is_the_whole_range_of_resamples() -> None:
    found = ratio("art", [1, 2, 3], [4, 5, 6])
    assert found.low == pytest.approx(4 / 3, rel=1e-5)
    assert found.high == pytest.approx(6.0)


def test_a_doubling_under_the_same_noise_is_seen() -> None:
    rng = np.random.default_rng(5)
    pairs = rng.lognormal(0, 0.1, size=(100, 2, 5))
    assert all(ratio("art", a.tolist(), (2 * b).tolist()).judgement == "worse" for a, b in pairs)


def test_brackets_apart_are_a_change_and_brackets_that_meet_are_none() -> None:
    found = ratio_of_limits("N", a_limit(1000, 1050), a_limit(8000, 8400))
    assert (found.value, found.judgement) == (8.0, "better")
    assert found.low == pytest.approx(8000 / 1050 / SEARCHES_DIFFER, rel=1e-4)
    assert found.high == pytest.approx(8.4 * SEARCHES_DIFFER)
    assert ratio_of_limits("N", a_limit(1000, 1100), a_limit(1050, 1150)).judgement == "no change seen"
    assert ratio_of_limits("N", a_limit(1000, 1100), a_limit(1100, 1150)).judgement == "no change seen"
    assert ratio_of_limits("N", a_limit(1000, 1050), a_limit(1150, 1200)).judgement == "no change seen"
    assert ratio_of_limits("N", a_limit(1000, 1050), a_limit(1160, 1200)).judgement == "better"


def test_a_limit_that_nobody_reached_is_at_least_that() -> None:
    assert ratio_of_limits("N", a_limit(1000, 1050), a_limit(20_000, None)).judgement == "better"
    assert ratio_of_limits("N", a_limit(20_000, None), a_limit(1000, 1050)).judgement == "worse"
    both = ratio_of_limits("N", a_limit(20_000, None), a_limit(40_000, None))
    assert (both.value, both.low, both.high, both.judgement) == (2.0, 0.0, None, "no change seen")


def test_a_server_that_holds_nobody_is_worse_than_one_that_does() -> None:
    assert ratio_of_limits("C", a_limit(500, 600), a_limit(None, 1)).judgement == "worse"
    assert ratio_of_limits("C", a_limit(500, 600), a_limit(None, None)).judgement == "not measured"
    assert ratio_of_limits("C", None, a_limit(500, 600)).judgement == "not measured"


@given(LIMITS, LIMITS)
def test_searches_may_change_places(a: FoundLimit | None, b: FoundLimit | None) -> None:
    assert_turned_round(ratio_of_limits("N", a, b), ratio_of_limits("N", b, a))


def test_resamples_of_one_run_each_give_their_interval() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(1, 0.01, 2000), rng.normal(1.5, 0.01, 2000)
    found = ratio_of_resamples("art", a, b, 1.5)
    assert (found.value, found.judgement, found.a_count, found.b_count) == (1.5, "worse", 1, 1)
    assert found.low == pytest.approx(1.465, abs=0.01)
    assert found.high == pytest.approx(1.535, abs=0.01)

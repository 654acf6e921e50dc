"""What is called better or worse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.campaign.intervals import Estimate
from harness.campaign.verdicts import adjusted_p, judged, placebo_verdicts, ratio_of_limits
from harness.records.campaign import Figure, FoundLimit, Ratio
from tests.harness.made_records import a_limit

OPPOSITE = {"better": "worse", "worse": "better"}


def an_estimate(value: float | None, p: float | None) -> Estimate:
    ends = (None, None) if value is None else (value * 0.9, value * 1.1)
    return Estimate(value, *ends, p, 10, 5)


def judgement(figure: Figure, value: float | None, p: float | None) -> str:
    return judged(figure, {"": an_estimate(value, p)})[""].judgement


@given(st.lists(st.floats(0, 1), max_size=30))
def test_p_is_adjusted_as_benjamini_and_hochberg_do(p: list[float]) -> None:
    assert adjusted_p(p) == pytest.approx(list(stats.false_discovery_control(p)) if p else [])


@pytest.mark.parametrize(
    ("figure", "more"),
    [("served", "better"), ("art", "worse"), ("fanout_last", "worse"), ("memory", "worse"), ("cut", "worse")],
)
def test_which_way_is_better_depends_on_the_figure(figure: Figure, more: str) -> None:
    assert judgement(figure, 2.0, 0.001) == more
    assert judgement(figure, None, 0.001) == more  # from none
    assert judgement(figure, 0.5, 0.001) == OPPOSITE[more]
    assert judgement(figure, 0.0, 0.001) == OPPOSITE[more]


def test_a_change_is_neither_by_chance_nor_tiny() -> None:
    assert judgement("art", 1.3, 0.06) == "no change seen"
    assert judgement("art", 1.02, 1e-9) == "no change seen"
    assert judgement("art", 1.04, 1e-9) == "worse"


def test_among_many_an_interval_that_excludes_1_may_be_no_change() -> None:
    alone = judged("art", {"x": an_estimate(1.3, 0.03)})
    assert alone["x"].judgement == "worse"
    family = {"x": an_estimate(1.3, 0.03), **{str(number): an_estimate(1.01, 0.9) for number in range(9)}}
    among = judged("art", family)["x"]
    assert among.judgement == "no change seen"
    assert (among.p, among.adjusted_p, among.low) == (0.03, pytest.approx(0.3), alone["x"].low)


def test_what_cannot_be_judged_is_no_part_of_the_family() -> None:
    found = judged("art", {"x": an_estimate(1.3, 0.03), "few": an_estimate(9.0, None)})
    assert (found["x"].judgement, found["x"].adjusted_p) == ("worse", 0.03)
    assert found["few"].judgement == "too few runs"
    assert judged("art", {"x": Estimate(None, None, None, None, 3, 0)})["x"].judgement == "not measured"


def test_false_verdicts_on_placebos_are_counted() -> None:
    found = judged("art", {"x": an_estimate(1.3, 0.001), "y": an_estimate(1.0, 0.9), "few": an_estimate(2.0, None)})
    verdicts = placebo_verdicts(found.values())
    assert (verdicts.compared, verdicts.false) == (2, 1)


def limits(*passes: float | None, fail: float | None = 1.05) -> FoundLimit:
    """Return the limit of three searches; each failed first at `fail` times its last pass."""
    known = sorted(passed or 0.0 for passed in passes)
    middle = known[(len(known) - 1) // 2]
    return a_limit(
        "N",
        middle or None,
        None if fail is None else middle * fail or 1.0,
        files=tuple(f"{number}.json" for number in range(len(passes))),
        lowest_pass=known[0] or None,
        highest_pass=known[-1] or None,
        highest_fail=None if fail is None else known[-1] * fail or 1.0,
    )


def test_ranges_apart_are_a_change_and_ranges_that_overlap_are_none() -> None:
    a = limits(1_000, 1_020, 1_040)
    found = ratio_of_limits("N", a, limits(8_000, 8_200, 8_400))
    assert (found.value, found.judgement) == (pytest.approx(8_200 / 1_020, rel=1e-5), "better")
    assert found.low == pytest.approx(8_000 / (1_040 * 1.05), rel=1e-5)
    assert found.high == pytest.approx(8_400 * 1.05 / 1_000, rel=1e-5)
    assert ratio_of_limits("N", a, limits(1_030, 1_200, 1_300)).judgement == "no change seen"
    # Above all last passes, and not above the first fail of the highest: the searches cannot tell these apart.
    assert ratio_of_limits("N", a, limits(1_060, 1_200, 1_300)).judgement == "no change seen"
    assert ratio_of_limits("N", a, limits(1_100, 1_200, 1_300)).judgement == "better"


def test_fewer_than_three_searches_a_side_judge_nothing() -> None:
    assert ratio_of_limits("N", limits(1_000, 1_020), limits(8_000, 8_200, 8_400)).judgement == "too few runs"


def test_a_limit_that_nobody_reached_is_at_least_that() -> None:
    far, near = limits(20_000, 20_000, 20_000, fail=None), limits(1_000, 1_020, 1_040)
    assert ratio_of_limits("N", near, far).judgement == "better"
    assert ratio_of_limits("N", far, near).judgement == "worse"
    both = ratio_of_limits("N", far, limits(40_000, 40_000, 40_000, fail=None))
    assert (both.value, both.low, both.high, both.judgement) == (2.0, 0.0, None, "no change seen")


def test_a_server_that_holds_nobody_is_worse_than_one_that_does() -> None:
    assert ratio_of_limits("C", limits(500, 510, 520), limits(None, None, None)).judgement == "worse"
    assert ratio_of_limits("C", None, limits(500, 510, 520)).judgement == "not measured"


@given(*(st.lists(st.integers(1, 3_000), min_size=3, max_size=3) for _ in "ab"))
def test_searches_may_change_places(a: list[int], b: list[int]) -> None:
    found, turned = (ratio_of_limits("N", limits(*one), limits(*other)) for one, other in ((a, b), (b, a)))
    assert turned.judgement == OPPOSITE.get(found.judgement, found.judgement)


def test_noise_of_a_search_is_rarely_taken_for_a_change() -> None:
    rng = np.random.default_rng(5)
    pairs = 10_000 * np.exp(rng.normal(0, 0.04, (1_000, 2, 3)))
    found: list[Ratio] = [ratio_of_limits("C", limits(*a), limits(*b)) for a, b in pairs.tolist()]
    assert np.mean([ratio.judgement != "no change seen" for ratio in found]) <= 0.05

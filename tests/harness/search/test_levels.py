import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.search.levels import Scale

WHOLE = Scale(unit=1.0, ceiling=1000.0, precision=0.05)
scales = st.builds(
    Scale, unit=st.sampled_from([1.0, 0.5]), ceiling=st.floats(0.1, 1e6), precision=st.floats(0.001, 0.9)
)


@pytest.mark.parametrize(("value", "level"), [(7.9, 7), (7, 7), (0.2, 1), (-3, 1), (1000.9, 1000), (5000, 1000)])
def test_a_level_is_a_whole_number_on_the_scale(value: float, level: float) -> None:
    assert WHOLE.at(value) == level


def test_a_scale_of_halves() -> None:
    halves = Scale(unit=0.5, ceiling=10.3, precision=0.05)
    assert (halves.smallest, halves.largest) == (0.5, 10.0)
    assert halves.at(3.7) == 3.5


def test_a_ceiling_below_the_smallest_level_leaves_that_one() -> None:
    assert Scale(unit=1.0, ceiling=0.5, precision=0.1).largest == 1


def test_close_are_neighbours_and_what_is_within_the_precision() -> None:
    assert WHOLE.is_close(1, 2)
    assert WHOLE.is_close(95, 100)
    assert not WHOLE.is_close(94, 100)


def test_strides_go_on_at_least_one_level_and_stay_on_the_scale() -> None:
    assert WHOLE.above(100, 1.0) == 200
    assert WHOLE.above(3, 0.05) == 4
    assert WHOLE.above(900, 1.0) == 1000
    assert WHOLE.below(100, 0.5) == 50
    assert WHOLE.below(3, 0.05) == 2
    assert WHOLE.below(1, 0.5) == 1


@given(scale=scales, lower=st.floats(0, 1e6), upper=st.floats(0, 1e6))
def test_what_lies_between_two_levels_that_are_not_close_is_another_level(
    scale: Scale, lower: float, upper: float
) -> None:
    low, high = sorted((scale.at(lower), scale.at(upper)))
    if not scale.is_close(low, high):
        middle = scale.between(low, high)
        assert low < middle < high
        assert scale.at(middle) == middle

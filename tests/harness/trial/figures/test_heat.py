import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.seen import Heat
from harness.trial.figures.heat import BUCKETS, STEPS, grid_of, heat

times = st.floats(0, 1000) | st.just(math.nan)


@given(st.lists(st.tuples(times, times), max_size=200), st.floats(0.001, 1000))
def test_everything_that_happened_in_time_is_counted_once(pairs: list[tuple[float, float]], over_s: float) -> None:
    at_s, took_s = np.array([at for at, _ in pairs], float), np.array([took for _, took in pairs], float)
    counted = heat(at_s, took_s, over_s)
    happened = sum(at <= over_s and not math.isnan(took) for at, took in pairs)
    if counted is None:
        assert happened == 0
        return
    grid = grid_of(counted)
    assert grid.sum() == happened
    assert grid.shape[0] <= STEPS
    assert grid.shape[1] <= BUCKETS


def test_a_time_stands_in_the_step_of_its_moment_and_in_the_bucket_of_its_length() -> None:
    counted = heat(np.array([0.0, 0.5, 9.99, 10.0]), np.array([0.001, 0.1, 0.1, 0.01]), 10.0)
    assert counted is not None
    assert counted.step_s == pytest.approx(0.1)
    assert (counted.edges_s[0], counted.edges_s[-1]) == (pytest.approx(0.001), pytest.approx(0.1))
    assert len(counted.rows) == STEPS
    found = {(step, bucket): int(count) for (step, bucket), count in np.ndenumerate(grid_of(counted)) if count}
    assert found == {(0, 0): 1, (5, BUCKETS - 1): 1, (99, BUCKETS - 1): 1, (99, BUCKETS // 2): 1}


def test_rows_end_with_the_last_step_in_which_anything_happened() -> None:
    counted = heat(np.array([0.05]), np.array([0.02]), 10.0)
    assert counted == Heat(step_s=0.1, edges_s=(0.02, 0.04), rows=("0:1",))


def test_nothing_is_counted_where_nothing_was() -> None:
    assert heat(np.array([math.nan, 11.0]), np.array([1.0, 1.0]), 10.0) is None
    assert heat(np.zeros(0), np.zeros(0), 10.0) is None
    assert heat(np.zeros(1), np.ones(1), 0.0) is None

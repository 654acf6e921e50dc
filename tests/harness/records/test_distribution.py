import math

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from harness.records.distribution import HIGHEST_US, curve, decode, distribution, merge, percentile

times = st.lists(st.floats(0, 5000), min_size=1, max_size=60)


@given(times)
def test_counts_as_the_library_would_one_by_one(samples: list[float]) -> None:
    one_by_one = HdrHistogram(1, HIGHEST_US, 3)
    for value in samples:
        one_by_one.record_value(int(np.clip(np.rint(value * 1e6), 1, HIGHEST_US)))
    stored = distribution(np.array(samples))
    assert stored is not None
    assert stored.histogram == one_by_one.encode().decode()


@given(times)
def test_percentiles_are_within_a_thousandth_of_the_samples(samples: list[float]) -> None:
    stored = distribution(np.array(samples))
    assert stored is not None
    ordered = sorted(samples)
    for share, value in ((0.5, stored.p50_s), (0.9, stored.p90_s), (0.99, stored.p99_s), (0.999, stored.p999_s)):
        exact = min(ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)], 3600.0)
        assert value == pytest.approx(exact, rel=1.1e-3, abs=2e-6)
    assert stored.max_s == max(samples)
    assert stored.mean_s == pytest.approx(sum(samples) / len(samples))
    assert stored.count == len(samples)


@given(times, st.integers(0, 40))
def test_what_failed_counts_as_infinite(samples: list[float], missing: int) -> None:
    stored = distribution(np.array(samples), missing)
    assert stored is not None
    ordered = sorted(samples) + [math.inf] * missing
    for per_mille, value in ((500, stored.p50_s), (900, stored.p90_s), (990, stored.p99_s), (999, stored.p999_s)):
        exact = next(at for rank, at in enumerate(ordered, 1) if rank * 1000 >= per_mille * len(ordered))
        if math.isinf(exact):
            assert value is None
        else:
            assert value == pytest.approx(min(exact, 3600.0), rel=1.1e-3, abs=2e-6)
    assert (stored.count, stored.missing, stored.asked) == (len(samples), missing, len(samples) + missing)
    assert stored.mean_s == pytest.approx(sum(samples) / len(samples))


@given(times, st.integers(1, 1000))
def test_a_percentile_is_the_smallest_that_so_many_are_not_above(samples: list[float], per_mille: int) -> None:
    enough = [at for at in samples if sum(each <= at for each in samples) * 1000 >= per_mille * len(samples)]
    assert percentile(np.array(samples), per_mille) == min(enough)


def test_merging_keeps_count_of_what_failed() -> None:
    parts = [distribution(np.full(98, 0.001), 2), distribution(np.full(102, 0.001))]
    merged = merge([part for part in parts if part is not None])
    assert merged is not None
    assert (merged.count, merged.missing) == (200, 2)
    assert merged.p99_s == pytest.approx(0.001, rel=1e-3)  # the average of the parts' would be infinite
    value_s, share = curve(merged)
    assert (value_s.size, float(share[-1])) == (1, 200 / 202)


@given(times, times)
def test_merging_is_as_if_all_had_been_recorded_together(one: list[float], two: list[float]) -> None:
    parts = [distribution(np.array(part)) for part in (one, two)]
    merged = merge([part for part in parts if part is not None])
    together = distribution(np.array(one + two))
    assert merged is not None
    assert together is not None
    assert merged.mean_s == pytest.approx(together.mean_s)
    assert (merged.count, merged.max_s, merged.p50_s, merged.p99_s) == (
        together.count,
        together.max_s,
        together.p50_s,
        together.p99_s,
    )


def test_percentiles_of_merged_parts_are_not_averages() -> None:
    fast, slow = distribution(np.full(99, 0.001)), distribution(np.full(1, 1.0))
    assert fast is not None
    assert slow is not None
    merged = merge([fast, slow])
    assert merged is not None
    assert merged.p99_s == pytest.approx(0.001, rel=1e-3)
    assert merged.max_s == 1.0


def test_what_did_not_happen_is_left_out() -> None:
    stored = distribution(np.array([math.nan, 0.25, math.nan]))
    assert stored is not None
    assert (stored.count, stored.max_s) == (1, 0.25)
    assert distribution(np.array([math.nan])) is None
    assert distribution(np.array([])) is None
    assert merge([]) is None


def test_a_negative_time_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        distribution(np.array([0.1, -0.1]))


def test_the_curve_ends_at_all() -> None:
    stored = distribution(np.array([0.001, 0.001, 0.002, 0.004]))
    assert stored is not None
    value_s, share = curve(stored)
    assert share.tolist() == [0.5, 0.75, 1.0]
    assert value_s == pytest.approx([0.001, 0.002, 0.004], rel=1e-3)
    assert decode(stored).get_total_count() == 4

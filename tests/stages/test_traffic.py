"""Times in buckets: each is counted once, where it belongs."""

from time import monotonic

import pytest

from stages.traffic import BOUNDS_S, Drop, Times, Traffic


@pytest.mark.parametrize(
    ("ago_s", "bucket"), [(0.0, 0), (0.03, BOUNDS_S.index(0.05)), (7.0, BOUNDS_S.index(10.0)), (999.0, len(BOUNDS_S))]
)
def test_a_time_is_counted_in_its_bucket(ago_s: float, bucket: int) -> None:
    times = Times()
    times.since(monotonic() - ago_s)
    seen = times.statistics()
    assert seen.counts == tuple(int(number == bucket) for number in range(len(BOUNDS_S) + 1))
    assert ago_s <= seen.sum_s < ago_s + 1


def test_bounds_rise_and_every_reason_is_there_from_the_start() -> None:
    assert list(BOUNDS_S) == sorted({*BOUNDS_S})
    assert Traffic().drops == dict.fromkeys(Drop, 0)

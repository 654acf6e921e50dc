"""Times in buckets: each is counted once, where it belongs."""

import pytest

from stages import traffic
from stages.traffic import BOUNDS_S, Drop, TimeCounts, Traffic


@pytest.mark.parametrize(
    ("took_s", "bucket"),
    [
        (0.0, 0),
        (0.03, BOUNDS_S.index(0.05)),
        (0.5, BOUNDS_S.index(0.5)),
        (7.0, BOUNDS_S.index(10.0)),
        (999.0, len(BOUNDS_S)),
    ],
)
def test_a_time_is_counted_in_its_bucket(took_s: float, bucket: int, monkeypatch: pytest.MonkeyPatch) -> None:
    began_s = 1024.0
    monkeypatch.setattr(traffic, "monotonic", lambda: began_s + took_s)
    times = TimeCounts()
    times.since(began_s)
    seen = times.statistics()
    assert seen.counts == tuple(int(number == bucket) for number in range(len(BOUNDS_S) + 1))
    assert seen.sum_s == pytest.approx(took_s)


def test_bounds_rise_and_every_reason_is_there_from_the_start() -> None:
    assert list(BOUNDS_S) == sorted({*BOUNDS_S})
    assert Traffic().drops == dict.fromkeys(Drop, 0)

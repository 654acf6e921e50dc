"""A bucket lets through its rate in the long run, a burst at once, and never more."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from stages.stage4.token_bucket import TokenBucket

GAPS_S = st.lists(st.floats(0, 10), max_size=60)
RATES = st.floats(0.1, 1_000)
BURSTS = st.floats(1, 100)


@given(GAPS_S, RATES, BURSTS)
def test_in_no_stretch_of_time_more_than_the_rate_and_a_burst(gaps_s: list[float], rate: float, burst: float) -> None:
    bucket = TokenBucket(rate, burst)
    taken_s = [now_s for now_s in accumulate(gaps_s) if bucket.take(now_s)]
    for first, begin_s in enumerate(taken_s):
        for last in range(first, len(taken_s)):
            assert last - first + 1 <= burst + rate * (taken_s[last] - begin_s) + 1e-6


@given(st.lists(st.floats(1, 5), max_size=100), RATES, BURSTS)
def test_who_keeps_to_the_rate_is_never_refused(turns: list[float], rate: float, burst: float) -> None:
    bucket = TokenBucket(rate, burst)
    assert all(bucket.take(now_s) for now_s in accumulate(turn * 1.000001 / rate for turn in turns))


@given(RATES, BURSTS)
def test_a_burst_is_taken_at_once_and_again_when_it_has_come_back(rate: float, burst: float) -> None:
    bucket = TokenBucket(rate, burst)
    for begin_s in (100.0, 100.0 + 1.01 * burst / rate):
        assert sum(bucket.take(begin_s) for _ in range(200)) == int(burst)

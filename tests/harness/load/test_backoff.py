"""How long who lost a connection waits before each try."""

import math

from hypothesis import given
from hypothesis import strategies as st

from harness.load.backoff import Backoff

bases = st.floats(1e-3, 60)
backoffs = st.builds(
    lambda base_s, more, seed: Backoff(base_s, base_s * more, seed), bases, st.floats(1, 1e4), st.integers()
)
fans = st.integers(0, 10**7)
tries = st.integers(0, 10_000)


@given(backoffs, fans, tries)
def test_a_wait_is_anything_up_to_a_bound_that_doubles_up_to_the_cap(backoff: Backoff, fan: int, attempt: int) -> None:
    bound_s = backoff.longest_s(attempt)
    assert 0 <= backoff.wait_s(fan, attempt) <= bound_s <= backoff.cap_s
    assert backoff.longest_s(0) == backoff.base_s
    assert backoff.longest_s(attempt + 1) == min(2 * bound_s, backoff.cap_s)


@given(backoffs, st.integers(1, 9), st.integers(1, 5), st.integers(0, 1000), tries)
def test_a_fan_waits_as_long_whoever_plays_it(
    backoff: Backoff, hosts: int, processes: int, number: int, attempt: int
) -> None:
    of_host, of_process = range(number % hosts, 10**6, hosts), range(number // hosts % processes, 10**5, processes)
    played = backoff.of(of_host).of(of_process)
    assert played.wait_s(number // hosts // processes, attempt) == backoff.wait_s(number, attempt)


def test_waits_are_spread_over_all_that_they_may_be_and_are_the_same_in_every_run() -> None:
    backoff = Backoff(1.0, 30.0, seed=1)
    waits_s = [backoff.wait_s(fan, 3) for fan in range(800)]
    eighths = {math.floor(wait_s) for wait_s in waits_s}
    assert eighths == set(range(8))
    assert waits_s == [Backoff(1.0, 30.0, seed=1).wait_s(fan, 3) for fan in range(800)]
    assert waits_s != [Backoff(1.0, 30.0, seed=2).wait_s(fan, 3) for fan in range(800)]

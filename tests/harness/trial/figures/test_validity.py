import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.reporter import Posted
from harness.records.trial import Validity
from harness.records.usage import GeneratorSeen
from harness.trial.figures.validity import (
    BUSIEST,
    LONGEST_LAG_S,
    LONGEST_STANDSTILL_S,
    SHORTEST_LAG_S,
    SHORTEST_PHASE_S,
    Circumstances,
    judge,
    wave_of,
)
from tests.harness.results import a_generator, some_fans


def judged(
    generator: GeneratorSeen | None = None,
    *,
    connecting_s: float = 5.0,
    no_port: int = 0,
    own_lag_s: float = 0.0,
    cores: int = 2,
    interrupted_s: float | None = None,
) -> Validity:
    fans = some_fans(10, no_port=no_port) if no_port else some_fans(10, refused=1)
    posts = [Posted(1, "shot", 1.0, 3.0, math.nan, own_lag_s)]
    return judge(generator or a_generator(), fans, posts, Circumstances(connecting_s, cores, interrupted_s))


def test_a_generator_in_time_and_with_room_makes_a_valid_trial() -> None:
    assert judged() == Validity(valid=True, reasons=())
    assert judge(a_generator(), some_fans(), [], Circumstances(1.0, cores=2)).valid


@given(lag_s=st.floats(0, 10))
def test_a_lag_of_more_than_a_quarter_of_a_second_is_invalid_whatever_the_interval(lag_s: float) -> None:
    found = judged(a_generator(lag_p99_s=lag_s, lag_max_s=lag_s))
    assert found.valid is (lag_s <= LONGEST_LAG_S)
    assert found.valid or "late" in found.reasons[0]


@given(lag_s=st.floats(0, 10), more_s=st.floats(0, 10), response_s=st.one_of(st.none(), st.floats(0, 100)))
def test_a_moment_is_a_tenth_of_the_talks_interval_or_of_the_response(
    lag_s: float, more_s: float, response_s: float | None
) -> None:
    wave = wave_of(a_generator(lag_p99_s=lag_s, lag_max_s=lag_s + more_s), response_s)
    assert wave.moment is (lag_s <= 0.025 or (response_s is not None and lag_s <= 0.1 * response_s))
    assert wave.within_s == lag_s + more_s


@given(lag_s=st.floats(0, 0.25), response_s=st.floats(0, 100), slower_s=st.floats(0, 100))
def test_a_slower_server_never_makes_a_moment_less_of_one(lag_s: float, response_s: float, slower_s: float) -> None:
    generator = a_generator(lag_p99_s=lag_s, lag_max_s=lag_s)
    assert wave_of(generator, response_s).moment <= wave_of(generator, response_s + slower_s).moment


@pytest.mark.parametrize(("share", "connecting_s", "valid"), [(0.91, 0.6, False), (0.89, 0.6, True), (1.0, 0.4, True)])
def test_a_saturated_generator_is_told_from_half_a_second_on(share: float, connecting_s: float, valid: bool) -> None:
    found = judged(a_generator(cpu_share=share), connecting_s=connecting_s)
    assert found.valid is valid
    assert valid or "saturated: it used 91% of a core" in found.reasons[0]


@pytest.mark.parametrize(
    ("total", "cores", "valid"), [(1.81, 2, False), (1.79, 2, True), (0.95, 1, False), (None, 2, True)]
)
def test_more_processes_than_cores_are_saturated_together(total: float | None, cores: int, valid: bool) -> None:
    found = judged(a_generator(processes=6, cpu_share=0.33, cpu_total=total), cores=cores)
    assert found.valid is valid
    assert valid or f"saturated: it used {total:.1f} of the {cores} cores" in found.reasons[0]


@pytest.mark.parametrize(("turn_s", "valid"), [(0.51, False), (0.49, True)])
def test_a_generator_that_stood_still(turn_s: float, valid: bool) -> None:
    found = judged(a_generator(turn_max_s=turn_s))
    assert found.valid is valid
    assert valid or "stood still for 0.51 s (allowed: 0.50 s)" in found.reasons[0]


def test_an_interrupted_trial_is_invalid_and_says_when() -> None:
    found = judged(interrupted_s=3.21)
    assert not found.valid
    assert found.reasons == ("it was interrupted after 3.2 s; measure again",)


@pytest.mark.parametrize(
    ("of", "says"),
    [
        ("no_file", "no open file was left on its side (EMFILE, ENFILE); raise the limit (ulimit -Hn)"),
        (
            "no_port",
            "no local port was left on its side (EADDRNOTAVAIL, EADDRINUSE); widen net.ipv4.ip_local_port_range",
        ),
        ("no_socket", "no memory was left on its side"),
    ],
)
def test_a_generator_without_room(of: str, says: str) -> None:
    (reason,) = judge(a_generator(), some_fans(10, **{of: 3}), [], Circumstances(1.0, cores=2)).reasons
    assert reason.startswith(f"the generator could not make 3 connections: {says}")
    assert reason.endswith("use a smaller N")


def test_a_late_reporter() -> None:
    assert "held an event back for 0.20 s" in judged(own_lag_s=0.2).reasons[0]


def test_every_reason_is_told() -> None:
    found = judged(a_generator(lag_p99_s=3, cpu_share=1.0), no_port=1, own_lag_s=1)
    assert len(found.reasons) == 4


def test_what_is_allowed_is_allowed_to_the_full() -> None:
    assert judged(a_generator(lag_p99_s=0.25, turn_max_s=LONGEST_STANDSTILL_S, cpu_share=BUSIEST)).valid
    assert judged(a_generator(processes=2, cpu_share=0.5, cpu_total=2 * BUSIEST), own_lag_s=SHORTEST_LAG_S).valid
    assert not judged(a_generator(cpu_share=1.0), connecting_s=SHORTEST_PHASE_S).valid

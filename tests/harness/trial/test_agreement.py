"""Two generators and a placebo, without any: what the figures say, and one real comparison that says nothing."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from harness.load.c_generator import compiled
from harness.load.workload import Load
from harness.trial.agreement import Agreement, RunFigures, compare_generators
from tests.harness import known_servers
from tests.harness.known_servers import KnownServer, KnownTarget
from tests.needs import needs

some_time = st.floats(1e-6, 10.0)


def read(art_s: float, response_s: float = 1.0) -> RunFigures:
    return RunFigures(answered=8, art_s=art_s, response_s=response_s, own_s=0.01, lag_p99_s=0.01)


def compared(harness: float, placebo: float, in_c: float) -> Agreement:
    return Agreement("a server", Load(8, 4), 5, read(harness), read(placebo), read(in_c))


@given(in_c=some_time, off=st.floats(-0.2, 0.2))
def test_without_noise_they_agree_within_a_twentieth(in_c: float, off: float) -> None:
    assume(abs(abs(off) - 0.05) > 0.004)
    ours = in_c * math.exp(off)
    assert compared(ours, ours, in_c).agrees("art_s") is (abs(off) < 0.05)


@given(ours=some_time, placebo=some_time, in_c=some_time)
def test_what_the_harness_differs_from_itself_is_allowed(ours: float, placebo: float, in_c: float) -> None:
    found = compared(ours, placebo, in_c)
    if abs(math.log(ours / in_c)) <= abs(math.log(ours / placebo)):
        assert found.agrees("art_s")
    assert found.agrees("art_s") is compared(ours * 2, placebo * 2, in_c * 2).agrees("art_s")


def test_nobody_answered_is_no_agreement() -> None:
    assert not compared(math.nan, math.nan, math.nan).agrees("art_s")


@needs("cc", "gcc libc6-dev")
def test_both_see_a_server_that_takes_its_time() -> None:
    with KnownServer(known_servers.Delays(0.1)) as server, compiled() as program:
        found = compare_generators(lambda: KnownTarget(server.endpoint), Load(4, 4), 2, program)
    assert found.server == KnownTarget.name
    for reading in (found.harness, found.placebo, found.in_c):
        assert reading.answered == 4
        assert reading.response_s >= reading.art_s >= 0.1
        assert reading.response_s - reading.own_s >= 0.1

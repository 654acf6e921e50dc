import msgspec
import numpy as np
import pytest

from harness.charts.timeline import chart_timeline, timeline_finding
from harness.heat import heat
from harness.result import TrialResult, Validity
from tests.harness.charts.pictures import fits, is_drawn, texts
from tests.harness.results import a_delivery, a_result, seen_by, some_fans


def with_heat(result: TrialResult, *, deliveries: bool = True) -> TrialResult:
    rng = np.random.default_rng(5)
    at_s = rng.uniform(0, 3, 900)
    line = msgspec.structs.replace(
        result.seen.timeline,
        responses=heat(at_s, rng.uniform(0.002, 0.05, 900), 6.0),
        deliveries=heat(at_s + 3, rng.uniform(0.01, 0.2, 900), 6.0) if deliveries else None,
    )
    return msgspec.structs.replace(result, seen=msgspec.structs.replace(result.seen, timeline=line))


NOBODY = a_result(seen=seen_by(some_fans(0, refused=9)), server=None)
UNOBSERVED = a_result(seen=seen_by(some_fans()), server=None)
INVALID = a_result(validity=Validity(valid=False, reasons=("the generator was late",)))


@pytest.mark.parametrize(
    "result", [with_heat(a_result()), with_heat(UNOBSERVED, deliveries=False), a_result(), NOBODY, INVALID]
)
def test_every_trial_can_be_drawn_over_time(result: TrialResult) -> None:
    chart = chart_timeline(result)
    assert is_drawn(chart)
    assert fits(chart)


def test_a_reader_sees_both_kinds_of_latency_and_what_the_server_used() -> None:
    seen = texts(chart_timeline(with_heat(a_result())).figure)
    assert {"responses", "deliveries", "event posted", "Memory of the server, MiB"} <= seen
    assert "deliveries" not in texts(chart_timeline(with_heat(UNOBSERVED, deliveries=False)).figure)


def test_a_result_without_a_heat_map_shows_the_slowest() -> None:
    seen = texts(chart_timeline(a_result()).figure)
    assert "Slowest response among the fans answered then" in seen
    assert {"nobody was answered", "the server was not observed"} <= texts(chart_timeline(NOBODY).figure)


def test_the_heat_map_has_both_kinds_as_colours_and_events_as_marks() -> None:
    latency = chart_timeline(with_heat(a_result())).figure.axes[0]
    assert len(latency.collections) == 2
    marks = [line for line in latency.lines if line.get_label() == "event posted"]
    assert len(marks[0].get_xdata()) == len(a_delivery().events)  # type: ignore[arg-type]


def test_the_finding_says_when_it_was_slowest_and_what_the_server_did_then() -> None:
    result = a_result()
    line = msgspec.structs.replace(
        result.seen.timeline, slowest_s=tuple(0.9 if step == 10 else 0.004 for step in range(60))
    )
    slow = msgspec.structs.replace(result, seen=msgspec.structs.replace(result.seen, timeline=line))
    assert timeline_finding(slow) == (
        "The slowest response, 900 ms, came 1.10 s after the first start, while the server used 55% of a core; "
        "its memory grew from 57.2 MiB to 67.7 MiB."
    )
    assert timeline_finding(msgspec.structs.replace(slow, server=None)) == (
        "The slowest response, 900 ms, came 1.10 s after the first start; the server was not observed."
    )
    assert timeline_finding(NOBODY) == "Nobody was answered."
    assert timeline_finding(INVALID) == "INVALID, says nothing about the server: the generator was late."

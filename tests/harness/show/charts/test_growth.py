"""Growth: which trials make a curve, and where it bends."""

import msgspec
import pytest

from harness.records.asked import AskedEvents, AskedLoad, Disturbances
from harness.records.trial import TrialResult, Validity
from harness.show.charts.every import charts
from harness.show.charts.growth import chart_growth, cpu_a_fan_s, growth_finding, has_growth
from tests.harness.results import a_delivery, a_result, seen_by, some_fans
from tests.harness.show.charts.pictures import fits, is_drawn, texts


def of(n: int = 1_000, workers: int = 1, rate: float = 5.0, last_s: float = 0.01, **changes: object) -> TrialResult:
    result = a_result(seen=seen_by(some_fans(), delivery=a_delivery(last_mean_s=last_s)), **changes)
    name = f"stage 4, {workers} workers"
    target = msgspec.structs.replace(result.asked.target, name=name, stage="4", workers=workers)
    load = AskedLoad(n=n, c=100, interval_s=0.25)
    events = AskedEvents(count=6, rate_per_s=rate)
    asked = msgspec.structs.replace(result.asked, target=target, load=load, events=events)
    return msgspec.structs.replace(result, asked=asked)


FANS = [of(n, workers) for n, workers in ((1_000, 1), (10_000, 1), (100_000, 6), (1_000_000, 56))]
RATES = [of(rate=rate, last_s=last_s) for rate, last_s in ((1, 0.01), (1, 0.012), (10, 0.012), (50, 0.012), (100, 0.5))]


def test_trials_that_differ_in_one_thing_alone_are_a_curve() -> None:
    assert has_growth(FANS)
    assert has_growth(RATES)
    assert has_growth([of(workers=workers) for workers in (1, 2, 4)])
    assert not has_growth(FANS[:2])
    assert not has_growth([*FANS[:2], msgspec.structs.replace(FANS[2], validity=Validity(valid=False, reasons=("x",)))])
    disturbed = msgspec.structs.replace(RATES[2].asked, disturbances=Disturbances(slow=0.1))
    assert not has_growth([*RATES[:2], msgspec.structs.replace(RATES[2], asked=disturbed), RATES[3]])


def test_the_chart_says_where_a_curve_bends() -> None:
    chart = chart_growth([*FANS, *RATES])
    assert is_drawn(chart)
    assert fits(chart)
    assert {"1,000,000", "events a second", "bends: 500 ms", "not measured at three"} <= texts(chart.figure)
    assert "Fan-out, last fan of stage 4 grows from 12.0 ms at 50 events a second to 500 ms at 100." in chart.finding
    assert growth_finding(RATES[:-1]) == "No curve bends."
    assert is_drawn(chart_growth(()))


def test_the_cpu_of_a_fan_is_all_that_the_server_used() -> None:
    (result,) = RATES[:1]
    assert result.server is not None
    seconds = result.seen.connect_phase_s + result.seen.events_phase_s
    assert cpu_a_fan_s(result) == pytest.approx(result.server.cpu_mean * seconds / 1_000)
    assert cpu_a_fan_s(msgspec.structs.replace(result, server=None)) is None


def test_it_is_drawn_with_a_directory_of_trials() -> None:
    names = [name for name, _ in charts([(str(index), result) for index, result in enumerate(FANS)])]
    assert "all-growth" in names
    assert "all-growth" not in [name for name, _ in charts([("a", FANS[0]), ("b", FANS[1])])]

import msgspec
import numpy as np
import pytest

from harness.records.trial import TrialResult, Validity
from harness.records.usage import LoopLag
from harness.show.charts.timeline import chart_timeline, timeline_finding
from harness.trial.figures.heat import heat
from tests.harness.results import a_delivery, a_loop_lag, a_result, seen_by, some_fans
from tests.harness.show.charts.pictures import fits, is_drawn, texts


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
STALLED = a_result(loop_lag=a_loop_lag(at_20=0.5))
LAG_TITLE = "Loop lag of the server: how late its event loop came to a timer"
INVALID = a_result(validity=Validity(valid=False, reasons=("the generator was late",)))


@pytest.mark.parametrize(
    "result", [with_heat(a_result()), with_heat(UNOBSERVED, deliveries=False), a_result(), NOBODY, INVALID, STALLED]
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


def test_loop_lag_is_under_memory_on_the_same_axis_and_no_panel_where_it_was_not_told() -> None:
    chart, without = chart_timeline(STALLED), chart_timeline(a_result())
    panels = [axes.get_title(loc="left") for axes in chart.figure.axes]
    assert panels[3:] == ["Memory of the server, MiB", LAG_TITLE]
    assert chart.figure.axes[4].get_xlim() == chart.figure.axes[0].get_xlim()
    assert len(without.figure.axes) == 4
    assert LAG_TITLE not in texts(without.figure)
    heights = [axes.get_window_extent().height for axes in chart.figure.axes]
    before = [axes.get_window_extent().height for axes in without.figure.axes]
    assert heights[:4] == pytest.approx(before, rel=0.05)


def curve(lag: LoopLag) -> tuple[list[float], list[float]]:
    (line,) = chart_timeline(a_result(loop_lag=lag)).figure.axes[4].lines
    return list(line.get_xdata()), list(line.get_ydata())  # type: ignore[arg-type]


def test_a_stall_is_drawn_as_long_as_it_was_and_a_healthy_loop_beside_it() -> None:
    # A timer was set at 2.0 s and came at 3.3 s: the loop was held up somewhere from 2.0 to 2.1, until 3.3.
    at_s = (*np.linspace(0.1, 2.0, 20).tolist(), *np.linspace(3.3, 6.0, 28).tolist())
    moments, late_s = curve(LoopLag(at_s=at_s, late_s=(*[0.001] * 20, 1.2, *[0.001] * 27)))
    stalled = [at for at, late in zip(moments, late_s, strict=True) if late == 1.2]
    assert (min(stalled), max(stalled)) == (pytest.approx(2.0, abs=0.11), pytest.approx(3.3, abs=0.06))
    assert set(late_s) == {0.001, 1.2}


def test_nothing_is_drawn_where_nothing_was_told() -> None:
    at_s = (*np.linspace(0.1, 1.0, 10).tolist(), *np.linspace(4.0, 6.0, 21).tolist())
    moments, late_s = curve(LoopLag(at_s=at_s, late_s=(0.002,) * 31))
    missing = [at for at, late in zip(moments, late_s, strict=True) if np.isnan(late)]
    assert (min(missing), max(missing)) == (pytest.approx(1.05, abs=0.06), pytest.approx(3.8, abs=0.06))


def test_where_the_latest_of_several_samples_was_kept_there_are_no_gaps() -> None:
    at_s = np.arange(200) * 0.2 + np.tile((0.0, 0.1), 100) + 0.05  # in turn the first and the last of a step
    _, late_s = curve(LoopLag(at_s=tuple(at_s.tolist()), late_s=(0.002,) * 200))
    assert not np.isnan(late_s).any()


def test_a_single_sample_can_be_drawn_and_one_that_was_not_late() -> None:
    assert fits(chart_timeline(a_result(loop_lag=LoopLag(at_s=(1.0,), late_s=(0.0,)))))


def test_the_finding_says_when_the_loop_was_latest() -> None:
    late = "its event loop was 500 ms late at most, 2.10 s after the first start."
    assert timeline_finding(STALLED).endswith(f"; its memory grew from 57.2 MiB to 67.7 MiB, and {late}")
    unobserved = msgspec.structs.replace(STALLED, server=None)
    assert timeline_finding(unobserved).endswith(f"; the server was not observed, but {late}")

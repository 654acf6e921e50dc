from pathlib import Path

import msgspec
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from harness.records.asked import Asked
from harness.records.distribution import distribution
from harness.records.seen import Timeline
from harness.records.trial import Bound, TrialResult, Validity
from harness.show.charts.style import short_time, time_axis
from harness.show.charts.trial import chart_trial, draw_trial, finding
from tests.harness.made_records import HEAVY, a_floor
from tests.harness.results import a_delivery, a_loop_lag, a_result, seen_by, some_fans
from tests.harness.show.charts.pictures import fits, is_drawn, texts

NOBODY = a_result(
    seen=seen_by(some_fans(0, refused=9)), server=None, bound=Bound(name="SLO", evidence="no resource was used up")
)
LOST = a_result(seen=seen_by(some_fans(90, no_welcome=10), delivery=a_delivery(90, lost=4)))
INVALID = a_result(validity=Validity(valid=False, reasons=("the generator was late",)))
ONE = a_result(
    seen=msgspec.structs.replace(
        seen_by(some_fans(1)), delivery=a_delivery(1, 1, fanout=distribution(np.array([0.01])), last_mean_s=None)
    )
)
BEFORE_IT_BEGAN = a_result(
    seen=msgspec.structs.replace(
        NOBODY.seen, timeline=Timeline(at_s=(0.0,), connected=(0,), answered=(0,), slowest_s=(None,))
    )
)
UNHEARD = a_result(seen=seen_by(some_fans(), delivery=a_delivery(fanout=None, received=0, last_mean_s=None)))


@pytest.mark.parametrize("result", [a_result(), NOBODY, LOST, INVALID, ONE, BEFORE_IT_BEGAN, UNHEARD])
def test_every_trial_has_a_chart(result: TrialResult, tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    draw_trial(result, path)
    height, width, _ = imread(path).shape
    assert width == 1200
    assert height > 1320  # the figure, and its finding under it
    assert is_drawn(chart_trial(result))
    assert fits(chart_trial(result))


def test_loop_lag_has_a_panel_where_it_was_told_and_the_others_are_as_large_as_without() -> None:
    told, without = chart_trial(a_result(loop_lag=a_loop_lag(at_20=0.5))), chart_trial(a_result())
    assert is_drawn(told)
    assert fits(told)
    assert [axes.get_title(loc="left").split(":")[0] for axes in told.figure.axes[5:]] == ["Loop lag of the server"]
    heights, before = ([axes.get_window_extent().height for axes in of.figure.axes] for of in (told, without))
    assert heights[:5] == pytest.approx(before, rel=0.05)


def test_the_floor_under_the_same_load_is_in_the_curves() -> None:
    floor = msgspec.structs.replace(a_result().asked, target=a_floor())
    far = msgspec.structs.replace(floor, load=HEAVY)

    def labels(result: TrialResult, asked: Asked) -> list[list[object]]:
        beside = a_result(asked=asked, seen=seen_by(some_fans(), slowest_s=9.0, delivery=a_delivery()))
        figure = chart_trial(result, [beside]).figure
        return [[line.get_label() for line in axes.get_lines()] for axes in figure.axes[:2]]

    waited, heard = labels(a_result(), floor)
    assert waited[-1] == "the floor, response"
    assert heard[-1] == "the floor"
    assert not any("floor" in str(label) for panel in labels(a_result(), far) for label in panel)
    assert not any("floor" in str(label) for label in labels(UNHEARD, floor)[1])
    assert fits(chart_trial(a_result(), [a_result(asked=floor)]))


def test_an_invalid_trial_has_that_written_across_it() -> None:
    assert "INVALID" in texts(chart_trial(INVALID).figure)
    assert "INVALID" not in texts(chart_trial(a_result()).figure)


def test_the_finding_is_one_sentence_that_says_what_was_seen() -> None:
    assert finding(a_result()) == (
        "All 900 fans were served, 1 % of all waited 19.8 ms or more, "
        "and an event took 50.0 ms at most to reach its last fan."
    )
    assert finding(a_result(seen=seen_by(some_fans(20)))) == "All 20 fans were served, the slowest waited 20.0 ms."
    assert finding(LOST).startswith("90 of 100 fans were served, ")
    assert "and 4 of 450 deliveries were lost" in finding(LOST)
    assert finding(NOBODY) == "None of 9 fans was answered; what bound first: SLO (no resource was used up)."
    assert finding(INVALID) == "INVALID, says nothing about the server: the generator was late."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0"), (-1, "0"), (0.002, "2 ms"), (0.0000025, "2.5 µs"), (1500, "1500 s")]
)
def test_labels_of_ticks(seconds: float, text: str) -> None:
    assert short_time(seconds) == text


@pytest.mark.parametrize(
    ("low_s", "high_s", "scale"), [(0.02, 0.1, "linear"), (0.01, 5.0, "log"), (0.0, 0.0, "linear")]
)
def test_an_axis_of_times_is_logarithmic_where_they_differ_much(low_s: float, high_s: float, scale: str) -> None:
    axes = Figure().add_subplot()
    time_axis(axes, "y", low_s, high_s)
    assert axes.get_yscale() == scale
    bottom, top = axes.get_ylim()
    assert bottom <= low_s or low_s == 0.0
    assert top > high_s

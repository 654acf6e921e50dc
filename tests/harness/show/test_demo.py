"""The demonstration's table, sentences and picture."""

import msgspec
import numpy as np
import pytest

from harness.records.distribution import distribution
from harness.records.trial import Bound, TrialResult, Validity
from harness.show.charts.arrivals import chart_arrivals
from harness.show.demo import demo_sheet, what_stopped
from tests.harness.results import a_delivery, a_result, seen_by, some_fans
from tests.harness.show.charts.pictures import fits, is_drawn, texts

FULL = Bound(name="accept queue", evidence="the kernel turned connection attempts away 80 times")
FEW = a_result(seen=seen_by(some_fans(100, no_welcome=799, cut=1), delivery=a_delivery(100)), bound=FULL)
ALL = a_result()
NOBODY = a_result(seen=seen_by(some_fans(0, refused=900)), server=None, bound=FULL)
INVALID = a_result(validity=Validity(valid=False, reasons=("the generator was late",)))


def test_each_server_has_a_column_and_each_figure_a_row() -> None:
    sheet = demo_sheet((FEW, ALL))
    assert sheet.title == "N=900, C=4 every 250 ms"
    assert sheet.columns == ("", "stage 0", "stage 0")
    rows = {name: cells for name, *cells in sheet.rows}
    assert rows["fans served"] == ["100 of 900", "900 of 900"]
    assert rows["first event, p99"][0] == "∞"
    assert rows["first event, p99"][1].endswith(" ms")
    assert rows["an event to each"][0].endswith(" ms to 100")
    assert rows["events lost"] == ["0 of 500", "0 of 4,500"]
    assert rows["memory a fan"] == ["10.9 KiB"] * 2
    assert rows["bound first"] == ["accept queue", "nothing"]


def test_what_was_not_seen_is_a_dash_and_what_is_invalid_says_so() -> None:
    rows = {name: cells for name, *cells in demo_sheet((NOBODY, INVALID)).rows}
    for name in ("first event, p50", "ART (talk)", "an event to each", "events lost", "memory a fan"):
        assert rows[name][0] == "-"
    assert rows["trial"] == ["valid", "INVALID"]


def test_the_sentence_is_made_of_the_evidence() -> None:
    assert what_stopped(FEW) == (
        "stage 0: of 900 fans, who wait up to 13 s, 800 were not served (1 cut, 799 no welcome); "
        "what bound first: accept queue "
        "(the kernel turned connection attempts away 80 times)."
    )
    assert what_stopped(ALL) == "stage 0: all 900 fans were served."
    assert what_stopped(INVALID).endswith(" INVALID, its times say nothing about the server: the generator was late.")


@pytest.mark.parametrize("results", [(FEW, ALL), (NOBODY, ALL), (NOBODY, NOBODY), (FEW, INVALID), (ALL,)])
def test_there_is_always_a_picture(results: tuple[TrialResult, ...]) -> None:
    chart = chart_arrivals(results)
    assert is_drawn(chart)
    assert fits(chart)
    assert chart.finding == " ".join(map(what_stopped, results))


def test_a_line_rises_with_the_answers_and_stays_below_n_where_some_had_none() -> None:
    half = distribution(np.array([0.01, 0.02, 0.04, 0.08]), missing=4)
    response = msgspec.structs.replace(FEW.seen.response, intended=half)
    fans = some_fans(4, no_welcome=4)
    figure = chart_arrivals(
        [a_result(seen=msgspec.structs.replace(FEW.seen, fans=fans, response=response), bound=FULL), INVALID]
    ).figure
    _, line, other = figure.axes[0].get_lines()  # the first is N
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx([0, 1, 2, 3, 4, 4])
    assert np.asarray(line.get_xdata())[1:5].tolist() == pytest.approx([0.01, 0.02, 0.04, 0.08], rel=1e-3)
    assert np.asarray(other.get_ydata())[-1] == pytest.approx(900)
    assert texts(figure) >= {"4 never: accept queue", "stage 0: 4 of 8", "stage 0: 900 of 900 (INVALID)"}

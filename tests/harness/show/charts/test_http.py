import msgspec

from harness.records.trial import Validity
from harness.show.charts.http import chart_http
from tests.harness.made_records import an_http_load
from tests.harness.show.charts.pictures import fits, is_drawn


def test_a_load_is_drawn_with_both_clocks() -> None:
    chart = chart_http(an_http_load())
    assert is_drawn(chart)
    assert fits(chart)
    (axes,) = chart.figure.axes
    assert [line.get_label() for line in axes.lines] == ["from when they were due", "from sending"]
    assert chart.finding == (
        "500 of 500 requests succeeded at 200 a second: 200 a second, and 1 % of them took 19.8 ms or more."
    )


def test_what_cannot_be_read_from_a_load_is_said() -> None:
    seen = msgspec.structs.replace(an_http_load().seen, response=None, service=None)
    assert chart_http(an_http_load(seen=seen)).finding == "None of 500 requests succeeded."
    late = an_http_load(validity=Validity(valid=False, reasons=("it was late",)))
    assert chart_http(late).finding == "INVALID, says nothing about the server: it was late."

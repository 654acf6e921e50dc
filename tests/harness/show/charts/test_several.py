"""Charts of several trials: percentiles, fan-out, memory, servers side by side."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest

from harness.records.asked import AskedLoad
from harness.records.distribution import distribution
from harness.records.trial import TrialResult, Validity
from harness.show.charts.chart import Chart
from harness.show.charts.every import charts
from harness.show.charts.fanout import chart_fanout, fanout_finding
from harness.show.charts.peers import chart_memory, chart_peers, loads_measured, memory_finding, peers_finding
from harness.show.charts.percentiles import chart_percentiles, percentiles_finding
from harness.show.charts.series import by_target, group, ribbon, series_styles
from harness.show.charts.style import floor_style, series_style
from tests.harness.results import a_delivery, a_result, a_server, seen_by, some_fans
from tests.harness.show.charts.pictures import fits, is_drawn, texts

OTHER = AskedLoad(n=90, c=9, interval_s=0.5)


def of(name: str, peer: str | None = None, load: AskedLoad | None = None, **changes: object) -> TrialResult:
    result = a_result(**changes)
    target = msgspec.structs.replace(result.asked.target, name=name, stage=None if peer else "0", peer=peer)
    asked = msgspec.structs.replace(result.asked, target=target, load=load or result.asked.load)
    return msgspec.structs.replace(result, asked=asked)


LONG = "nginx/1.22.1 with nchan 1.3.6, one worker process"
NOBODY = of("nobody", seen=seen_by(some_fans(0, refused=9)), server=None)
ONE = of("one", seen=seen_by(some_fans(1), delivery=a_delivery(1, 1, fanout=distribution(np.array([0.01])))))
UNHEARD = of("unheard", seen=seen_by(some_fans(), delivery=a_delivery(fanout=None, last_mean_s=None)))
SLOW = of("slow", "redis", seen=seen_by(some_fans(), slowest_s=2.0, delivery=a_delivery(last_mean_s=0.9)))
INVALID = of("invalid", validity=Validity(valid=False, reasons=("the generator was late",)))
FLOOR = of("a bare loop", "floor", seen=seen_by(some_fans(), slowest_s=0.004, delivery=a_delivery(last_mean_s=0.01)))
HALF = of(LONG, "nchan", seen=seen_by(some_fans(450, no_welcome=450), slowest_s=0.002))

SETS = [
    (),
    (NOBODY,),
    (ONE,),
    (INVALID,),
    (of("a"), of("a"), SLOW, SLOW, FLOOR),
    (of("a"), NOBODY, ONE, UNHEARD, SLOW, INVALID, FLOOR, HALF),
    tuple(of(f"{LONG}, number {index}") for index in range(12)),
]
DRAWN: list[Callable[[Sequence[TrialResult]], Chart]] = [
    chart_percentiles,
    chart_fanout,
    chart_memory,
    lambda results: chart_peers(results, results[0].asked.load if results else OTHER),
]


@pytest.mark.parametrize("results", SETS)
@pytest.mark.parametrize("draw", DRAWN)
def test_any_set_of_trials_has_every_chart(
    draw: Callable[[Sequence[TrialResult]], Chart], results: Sequence[TrialResult]
) -> None:
    chart = draw(results)
    assert is_drawn(chart)
    assert chart.finding.endswith(".")
    assert fits(chart)


def test_repeats_are_one_series_and_invalid_trials_are_none() -> None:
    found = group([of("a"), of("b"), INVALID, of("a")])
    assert [(each.label, len(each.results)) for each in found] == [("a", 2), ("b", 1)]
    loaded = group([of("a"), of("a", load=OTHER)])
    assert [each.label for each in loaded] == ["a, N = 900, C = 4 every 250 ms", "a, N = 90, C = 9 every 500 ms"]
    assert [(each.label, len(each.results)) for each in by_target([of("a"), of("a", load=OTHER), INVALID])] == [
        ("a", 2)
    ]


def test_a_ribbon_is_of_the_merged_samples_between_the_fastest_and_the_slowest_repeat() -> None:
    fast, slow = (distribution(np.full(100, value)) for value in (0.001, 0.003))
    assert fast is not None
    assert slow is not None
    drawn = ribbon((fast, slow), np.array([0.0, 0.5, 0.51, 1.0]))
    assert drawn.merged_s == pytest.approx([0.001, 0.001, 0.003, 0.003], rel=1e-3)
    assert drawn.low_s == pytest.approx([0.001] * 4, rel=1e-3)
    assert drawn.high_s == pytest.approx([0.003] * 4, rel=1e-3)
    with pytest.raises(ValueError, match="no times"):
        ribbon((), np.array([0.5]))


def test_findings_of_percentiles() -> None:
    assert percentiles_finding(group([of("a"), SLOW, HALF])) == (
        "1 % of the fans waited 19.8 ms or more with a, and 1.98 s or more with slow."
    )
    assert percentiles_finding(group([of("a")])) == ("With a, 1 % of the fans waited 19.8 ms or more.")
    assert percentiles_finding(group([NOBODY, INVALID])) == "No server served every fan."


def test_findings_of_fanout() -> None:
    assert fanout_finding(group([of("a"), SLOW])) == (
        "The last fan had an event after 45.0 ms on average with a, and after 900 ms with slow."
    )
    assert fanout_finding(group([SLOW])) == "With slow, the last fan had an event after 900 ms on average."
    assert fanout_finding(group([UNHEARD, NOBODY])) == "No event of a server that served every fan was received."


def test_findings_of_memory() -> None:
    lean = of("lean", server=a_server(memory_per_connection_bytes=1024.0))
    assert memory_finding(group([of("a"), lean])) == (
        "A connection takes least memory in lean (1.00 KiB) and most in a (10.9 KiB)."
    )
    none = of("none", server=a_server(memory_per_connection_bytes=-1.0))
    assert memory_finding(group([none])) == "A connection takes < 4.55 B in none."
    assert memory_finding(group([lean])) == "A connection takes 1.00 KiB in lean."
    assert memory_finding(group([NOBODY])) == "No server's memory was observed."


def test_only_servers_that_served_every_fan_are_ranked() -> None:
    found = peers_finding(group([SLOW, HALF, of("a"), FLOOR]))
    assert found == (
        "A answered fastest (8.31 ms), slow last (791 ms); a bare loop (the floor): 1.99 ms; "
        "a reached its last fan first (45.0 ms), slow last (900 ms); a bare loop (the floor): 10.0 ms."
    )
    assert peers_finding(group([HALF, SLOW])) == "Fewer than two servers served every fan at this load."
    seen = texts(chart_peers([SLOW, HALF, FLOOR, NOBODY], SLOW.asked.load).figure)
    assert {f"{LONG} (50% served)", "slow", "a bare loop (the floor)", "not measured"} <= seen


FAR = of("a bare loop", "floor", load=OTHER)


@pytest.mark.parametrize("draw", [chart_percentiles, chart_fanout, chart_memory])
def test_the_floor_is_drawn_beside_results_of_its_load(
    draw: Callable[[Sequence[TrialResult], Sequence[TrialResult]], Chart],
) -> None:
    chart = draw([of("a"), SLOW], [FLOOR, FAR])
    assert "a bare loop (the floor)" in {text.replace("\n", " ") for text in texts(chart.figure)}
    assert chart.finding.count("; a bare loop (the floor): ") == 1
    assert fits(chart)
    same = draw([of("a"), SLOW, FLOOR], [FLOOR])
    assert same.finding == chart.finding
    assert "(the floor)" not in draw([of("a"), SLOW], [FAR]).finding
    assert "(the floor)" in draw([FLOOR], []).finding  # alone, it is a server as any other


def test_the_floor_has_one_look_and_takes_none_from_the_others() -> None:
    servers = [of("a"), FLOOR, SLOW, FAR]
    assert series_styles(group(servers)) == (series_style(0), floor_style(0), series_style(1), floor_style(1))
    lines = {line.get_label(): line for line in chart_fanout(servers).figure.axes[0].get_lines()}
    drawn = [line for label, line in lines.items() if "(the floor)" in str(label)]
    assert [(line.get_color(), line.get_linewidth()) for line in drawn] == [(floor_style().colour, 1.0)] * 2
    assert lines["a, N = 900, C = 4 every 250 ms"].get_linewidth() > 1.0


def test_the_floor_is_a_line_through_every_figure_of_the_peers() -> None:
    axes = chart_peers([SLOW, of("a")], SLOW.asked.load, [FLOOR]).figure.axes
    lines = [[line for line in panel.get_lines() if line.get_linewidth() == floor_style().width] for panel in axes]
    assert [len(found) for found in lines] == [1, 0, 1, 1]  # how many connections a second it takes was not tried
    assert lines[2][0].get_xdata() == [0.01, 0.01]  # the last fan, on average


def test_loads_with_most_servers_come_first() -> None:
    assert loads_measured([of("a", load=OTHER), of("a"), of("b")]) == (of("a").asked.load, OTHER)
    assert loads_measured([]) == ()


def test_trials_are_drawn_alone_and_together() -> None:
    names = [name for name, _ in charts([("x", of("a")), ("y", SLOW)])]
    assert names == [
        "x",
        "x-over-time",
        "y",
        "y-over-time",
        "all-percentiles",
        "all-fanout",
        "all-memory",
        "all-n900-c4",
    ]
    together = dict(charts([("x", of("a")), ("y", SLOW)], [FLOOR]))
    assert all("(the floor)" in together[name].finding for name in ("all-percentiles", "all-memory", "all-n900-c4"))
    assert [name for name, _ in charts([("x", of("a"))])] == ["x", "x-over-time"]
    assert "all-n900-c4" not in [name for name, _ in charts([("x", of("a")), ("y", of("a"))])]

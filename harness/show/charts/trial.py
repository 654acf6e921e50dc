"""The chart of one trial: how long fans waited, how events spread, and what went on meanwhile, on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.records.distribution import FEWEST_FOR_P99, Distribution
from harness.records.trial import TrialResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.floor import Floor, is_floor, with_floors
from harness.show.charts.percentiles import percentile_axes
from harness.show.charts.series import ribbon
from harness.show.charts.style import BLUE, GREY, ORANGE, floor_style, nothing, series_style, short_time, time_axis
from harness.show.charts.timeline import (
    LAG_PANEL_IN,
    connections_panel,
    cpu_panel,
    latency_panel,
    loop_lag_panel,
    panels_over_time,
)
from harness.units import GENERATORS, show_percentile, show_time, show_wave

_WIDTH_IN: Final = 10.0
_CURVES_IN: Final = 4.5
_OVER_TIME_IN: Final = 6.5


def draw_trial(result: TrialResult, path: Path) -> None:
    """Write the chart of a result as a PNG. Raise ResultError where it cannot be written."""
    chart_trial(result).write(path)


def chart_trial(result: TrialResult, floors: Sequence[Floor] = ()) -> Chart:
    """Return the chart of a result; an invalid one has that written across it.

    Of `floors`, those under the load of the result are drawn in its curves.
    """
    beside = () if is_floor(result.asked.target) else with_floors((result,), floors)[1:]
    load, name = result.asked.load, result.asked.target.name
    c = show_wave(load.c, result.within_s)
    title = f"{_as_heading(name)}: N = {load.n:,}, C = {c} every {short_time(load.interval_s)}"
    over_time_in = 0.0
    if result.has_time_lines:
        over_time_in = _OVER_TIME_IN + (0.0 if result.loop_lag is None else LAG_PANEL_IN)
    with page(title, _WIDTH_IN, _CURVES_IN + over_time_in) as figure:
        above = grid(figure, 1, 2, Margins(below=0.7 + over_time_in), wspace=0.25)
        _percentiles(figure.add_subplot(above[0]), result, beside)
        _fan_out(figure.add_subplot(above[1]), result, beside)
        if result.has_time_lines:
            _over_time(figure, result)
        if not result.validity.valid:
            figure.text(0.5, 0.5, "INVALID", fontsize=110, color=GREY, alpha=0.3, rotation=35, ha="center", va="center")
    return Chart(figure, finding(result), f"{made_on(result.machine)}; {result.started_at:%Y-%m-%d %H:%M} UTC")


def _as_heading(name: str) -> str:
    """Return a name as a heading begins with it; a URL is what it is."""
    return name if "://" in name else f"{name[:1].upper()}{name[1:]}"


def _over_time(figure: Figure, result: TrialResult) -> None:
    """Draw the lower part of the page, which a result that is kept in a line of a directory does not have."""
    lag = result.loop_lag
    ratios = (1, 1.5, 1) if lag is None else (1, 1.5, 1, 1)
    cells = grid(figure, len(ratios), 1, Margins(above=4.9), height_ratios=ratios, hspace=0.3)
    panels = panels_over_time(figure, cells, len(ratios))
    connections_panel(panels[0], result)
    latency_panel(panels[1], result)
    cpu_panel(panels[2], result)
    if lag is not None:
        loop_lag_panel(panels[3], lag)


def finding(result: TrialResult) -> str:
    """Return what a reader should take from the chart, in one sentence."""
    fans, response, delivery = result.seen.fans, result.seen.response, result.seen.delivery
    if not result.validity.valid:
        return f"INVALID, says nothing about the server: {result.validity.reasons[0]}."
    if response.intended is None:
        return f"None of {fans.asked:,} fans was answered{_bound(result)}."
    served = (
        f"{fans.served:,} of {fans.asked:,} fans were served" if fans.failed else f"All {fans.asked:,} fans were served"
    )
    waited = _waited(response.intended)
    spread = ""
    if delivery is not None and delivery.fanout is not None:
        spread = f", and an event took {show_time(delivery.last_max_s)} at most to reach its last fan"
        if delivery.lost:
            spread = f", and {delivery.lost:,} of {delivery.expected:,} deliveries were lost"
    return f"{served}, {waited}{spread}{_bound(result)}."


def _waited(times: Distribution) -> str:
    """Return how long the slowest hundredth waited, or of fewer than a hundred fans the slowest."""
    if times.asked >= FEWEST_FOR_P99:
        return f"1 % of all waited {show_percentile(times.p99_s)} or more"
    return f"the slowest waited {show_percentile(None if times.missing else times.max_s)}"


def _bound(result: TrialResult) -> str:
    bound = result.bound
    return "" if bound.name == "nothing" else f"; what bound first: {bound.name} ({bound.evidence})"


def _percentiles(axes: Axes, result: TrialResult, floors: Sequence[TrialResult]) -> None:
    axes.set_title("How long fans waited for their first event")
    lines = (
        (f"response: from the intended start{'' if result.is_moment else GENERATORS}", result.seen.response.intended),
        ("as in the talk: from the connect", result.seen.response.art),
    )
    curves = [
        (label, series_style(index), () if times is None else (times,)) for index, (label, times) in enumerate(lines)
    ]
    responses = tuple(times for floor in floors if (times := floor.seen.response.intended) is not None)
    percentile_axes(axes, [*curves, ("the floor, response", floor_style(), responses)])
    if axes.lines:
        axes.legend(loc="best")


def _fan_out(axes: Axes, result: TrialResult, floors: Sequence[TrialResult]) -> None:
    axes.set_title("How events reached the fans")
    delivery = result.seen.delivery
    if delivery is None or delivery.fanout is None:
        nothing(axes, "no events were posted" if delivery is None else "no event arrived")
        axes.set_xticks([])
        return
    shares = np.linspace(0, 1, 400)
    value_s = ribbon((delivery.fanout,), shares).merged_s
    arrived = 100 * shares
    axes.plot(value_s, arrived, color=BLUE, label=f"all {delivery.expected:,} deliveries")
    if delivery.last_mean_s is not None:
        label = f"last fan, mean: {show_time(delivery.last_mean_s)}"
        axes.axvline(delivery.last_mean_s, color=ORANGE, linestyle="--", label=label)
    first_s, last_s = float(value_s[0]), delivery.fanout.max_s
    times = tuple(each.fanout for floor in floors if (each := floor.seen.delivery) is not None and each.fanout)
    if times:
        floor_s = ribbon(times, shares).merged_s
        axes.plot(floor_s, 100 * shares, label="the floor", **floor_style().line)
        first_s, last_s = min(first_s, float(floor_s[0])), max(last_s, float(floor_s[-1]))
    time_axis(axes, "x", first_s, last_s)
    axes.set_ylim(0, 104)
    axes.set_xlabel("time since the event was to be posted")
    axes.set_ylabel("% of deliveries made")
    axes.legend(loc="best")

"""Fan-out curves: how many of the fans have an event, a time after it was to be posted; a lost one never came."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from harness.records.distribution import Distribution
from harness.records.trial import TrialResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.floor import Floor, with_floors
from harness.show.charts.series import Series, group, rank, ribbon, series_styles, with_load
from harness.show.charts.style import LEGEND_IN, SeriesStyle, legend_beside, nothing, time_axis
from harness.units import show_time

_INCHES: Final = (12.0, 6.0)
_POINTS: Final = 400


def chart_fanout(results: Sequence[TrialResult], floors: Sequence[Floor] = ()) -> Chart:
    """Return how many fans have an event after t, a curve a target; repeats are merged, their range is a ribbon.

    Of `floors`, those under a load of the results are drawn, too.
    """
    series = group(with_floors(results, floors))
    with page(with_load("How an event reaches the fans", series), *_INCHES) as figure:
        axes = figure.add_subplot(grid(figure, 1, 1, Margins(right=LEGEND_IN, above=0.65))[0])
        shown = [each for each in series if each.times(_fanout)]
        if not shown:
            nothing(axes, "no event arrived")
        for each, how in zip(shown, series_styles(shown), strict=True):
            _curve(axes, each, how)
        if shown:
            _frame(axes, [one for each in shown for one in each.times(_fanout)])
    return Chart(figure, fanout_finding(series), made_on(results[0].machine) if results else "")


def fanout_finding(series: Sequence[Series]) -> str:
    """Return in one sentence when the last fan had an event: of the targets that served every fan, first and last."""
    ranking = rank([each for each in series if each.is_whole], lambda each: each.figures(last_fan_s))
    if not ranking.servers:
        return "No event of a server that served every fan was received."
    (least_s, best), (most_s, worst) = ranking.servers[0], ranking.servers[-1]
    aside = ranking.aside(show_time)
    if len(ranking.servers) == 1:
        return f"With {best}, the last fan had an event after {show_time(least_s)} on average{aside}."
    return (
        f"The last fan had an event after {show_time(least_s)} on average with {best}, "
        f"and after {show_time(most_s)} with {worst}{aside}."
    )


def last_fan_s(result: TrialResult) -> float | None:
    """Return the time until the last fan had an event, its mean over the events, or None where none arrived."""
    return None if result.seen.delivery is None else result.seen.delivery.last_mean_s


def _curve(axes: Axes, series: Series, style: SeriesStyle) -> None:
    times = series.times(_fanout)
    shares = np.linspace(0, 1, _POINTS)
    drawn = ribbon(times, shares)
    arrived = 100 * shares
    axes.plot(drawn.merged_s, arrived, label=series.name, **style.line)
    if len(times) > 1:
        axes.fill_betweenx(arrived, drawn.low_s, drawn.high_s, color=style.colour, alpha=0.2, linewidth=0)


def _frame(axes: Axes, times: Sequence[Distribution]) -> None:
    fastest = min(float(ribbon([one], np.array([0.0])).low_s[0]) for one in times)
    time_axis(axes, "x", fastest, max(one.max_s for one in times))
    axes.set_ylim(0, 104)
    axes.set_xlabel("time since the event was to be posted")
    axes.set_ylabel("% of deliveries made")
    legend_beside(axes)


def _fanout(result: TrialResult) -> Distribution | None:
    return None if result.seen.delivery is None else result.seen.delivery.fanout

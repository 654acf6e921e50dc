"""Percentile curves: how long the slowest fans waited, on an axis that gives them as much room as all the others."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from harness.records.distribution import Distribution
from harness.records.trial import TrialResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.floor import Floor, with_floors
from harness.show.charts.series import Series, group, rank, ribbon, series_styles, with_load
from harness.show.charts.style import LEGEND_IN, SeriesStyle, legend_beside, nothing, time_axis
from harness.units import GENERATORS, show_time

_INCHES: Final = (12.0, 6.0)
_NINES: Final = (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
_POINTS: Final = 400

Curve = tuple[str, SeriesStyle, Sequence[Distribution]]
"""A line: its label, its style, and the times of each repeat."""


def chart_percentiles(results: Sequence[TrialResult], floors: Sequence[Floor] = ()) -> Chart:
    """Return the response time from the intended start of each target over 1/(1-p).

    Repeats are merged, with their range as a ribbon. Of `floors`, those under a load of the results are drawn, too.
    """
    series = group(with_floors(results, floors))
    with page(with_load("How long fans waited for their first event", series), *_INCHES) as figure:
        axes = figure.add_subplot(grid(figure, 1, 1, Margins(right=LEGEND_IN, above=0.65))[0])
        percentile_axes(
            axes,
            [
                (_label(each), how, each.times(_response))
                for each, how in zip(series, series_styles(series), strict=True)
            ],
        )
        if axes.lines:
            legend_beside(axes)
    source = made_on(results[0].machine) if results else ""
    return Chart(figure, percentiles_finding(series), source)


def percentiles_finding(series: Sequence[Series]) -> str:
    """Return in one sentence which of the targets that served every fan made 1 % wait least, and which longest."""
    ranking = rank([each for each in series if each.is_whole], _slowest_p99_s)
    if not ranking.servers:
        return "No server served every fan."
    (least_s, best), (most_s, worst) = ranking.servers[0], ranking.servers[-1]
    aside = ranking.aside(show_time)
    if len(ranking.servers) == 1:
        return f"With {best}, 1 % of the fans waited {show_time(least_s)} or more{aside}."
    least, most = show_time(least_s), show_time(most_s)
    return f"1 % of the fans waited {least} or more with {best}, and {most} or more with {worst}{aside}."


def percentile_axes(axes: Axes, curves: Sequence[Curve]) -> None:
    """Draw times over 1/(1-p), as HdrHistogram's own plots do; lines without times are left out.

    A line ends where those begin who were not answered.
    """
    shown = [(label, style, times) for label, style, times in curves if times]
    if not shown:
        nothing(axes, "nobody was answered")
        axes.set_xticks([])
        return
    most = max(max(one.asked for one in times) for _, _, times in shown) + 1
    low_s, high_s = np.inf, 0.0
    for label, style, times in shown:
        place, shares = _places(max(one.asked for one in times))
        drawn = ribbon(times, shares)
        axes.step(place, drawn.merged_s, where="pre", label=label, **style.line)
        if len(times) > 1:
            axes.fill_between(place, drawn.low_s, drawn.high_s, step="pre", color=style.colour, alpha=0.2, linewidth=0)
        low_s, high_s = min(low_s, float(drawn.low_s[0])), max(high_s, *(one.max_s for one in times))
    time_axis(axes, "y", low_s, high_s)
    _share_axis(axes, most)


def _places(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return 1/(1-p) and p; the largest sample stands where that of one fan more would: 1/(1-1) is on no axis."""
    place = np.unique(np.concatenate((np.geomspace(1, count + 1, _POINTS), [count + 1.0])))
    return place, np.append(1 - 1 / place[:-1], 1.0)


def _share_axis(axes: Axes, most: int) -> None:
    axes.set_xscale("log")
    axes.set_xlim(1, most * 1.1)
    nines = [share for share in _NINES if 1 / (1 - share) <= most * 1.1]
    axes.set_xticks(
        [1 / (1 - share) for share in nines], [f"{share:.10%}".rstrip("0%").rstrip(".") or "0" for share in nines]
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("% of fans that waited no longer")


def _slowest_p99_s(series: Series) -> tuple[float, ...]:
    """Of the repeat that made them wait longest."""
    found = series.times(_response)
    return (max(math.inf if times.p99_s is None else times.p99_s for times in found),) if found else ()


def _label(series: Series) -> str:
    return series.name if all(result.is_moment for result in series.results) else f"{series.name}{GENERATORS}"


def _response(result: TrialResult) -> Distribution | None:
    return result.seen.response.intended

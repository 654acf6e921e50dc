"""Who of all fans had the first event, and when: a line a server, which never reaches N where some were not served."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from harness.records.distribution import curve
from harness.records.trial import TrialResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.style import GREY, SeriesStyle, count_axis, nothing, series_style, time_axis
from harness.show.demo import what_stopped
from harness.units import show_load

_INCHES: Final = (10.0, 5.0)
_SHORTEST_S: Final = 1e-3
"""The axis begins here, or sooner."""


def chart_arrivals(results: Sequence[TrialResult]) -> Chart:
    """Return how many fans had their first event after how long, for trials under the same load, one at least."""
    load = results[0].asked.load
    with page(f"Who got the first event, and when: {show_load(load)}", *_INCHES) as figure:
        axes = figure.add_subplot(grid(figure, 1, 1, Margins(above=0.7))[0])
        axes.axhline(load.n, color=GREY, linewidth=0.8, linestyle=":")
        longest_s = max((times.max_s for one in results if (times := one.seen.response.intended)), default=None)
        if longest_s is None:
            nothing(axes, "nobody was answered")
        else:
            time_axis(axes, "x", _SHORTEST_S, longest_s)
            for index, result in enumerate(results):
                _line(axes, result, series_style(index))
            axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.5))
        axes.set_ylim(0, load.n * 1.08)
        count_axis(axes, "y")
        axes.set_xlabel("time since a fan was to start")
        axes.set_ylabel("fans")
    return Chart(figure, " ".join(map(what_stopped, results)), made_on(results[0].machine))


def _line(axes: Axes, result: TrialResult, style: SeriesStyle) -> None:
    fans, times, name = result.seen.fans, result.seen.response.intended, result.asked.target.name
    label = f"{name}: {fans.answered:,} of {fans.asked:,}{'' if result.validity.valid else ' (INVALID)'}"
    if times is None:
        axes.plot((), (), label=label, **style.line)
        return
    value_s, shares = curve(times)
    # From nobody on the left to the right end: who had no event then never had one.
    at_s = np.concatenate(([0.0], value_s, [axes.get_xlim()[1]]))
    axes.step(at_s, np.concatenate(([0.0], shares, shares[-1:])) * times.asked, where="post", label=label, **style.line)
    never = times.missing
    if never:
        text = f"{never:,} never: {result.bound.name}"
        place = (1.0, times.count), (-4, 5)
        where = axes.get_yaxis_transform()
        axes.annotate(
            text, *place, xycoords=where, textcoords="offset points", ha="right", va="bottom", color=style.colour
        )

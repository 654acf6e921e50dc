"""Growth: what a fan costs, and how long fans wait, as there are more fans, more events a second or more workers.

A curve has the trials of one stage that differ in nothing but that. Where it bends, a note says so: there something
else begins to bind.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from harness.records.trial import TrialResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.fanout import last_fan_s
from harness.show.charts.peers import art_s
from harness.show.charts.style import nothing, series_style, time_axis
from harness.units import show_time

BEND: Final = 1.5
"""A curve bends where a point is so many times as high as the one before."""

_FEWEST: Final = 3  # points of a curve
_INCHES: Final = (15.0, 8.0)


@dataclass(frozen=True, slots=True)
class Point:
    """The mean of a figure over the repeats of a trial."""

    x: float
    y_s: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The points of trials that are alike but in what the axis counts; at least three, by ascending x."""

    label: str
    points: tuple[Point, ...]

    @property
    def bend(self) -> tuple[Point, Point] | None:
        """The first point that is much higher than the one before, after that one; None where there is none."""
        return next(((a, b) for a, b in pairwise(self.points) if b.y_s > BEND * a.y_s), None)


@dataclass(frozen=True, slots=True)
class _Panel:
    """A figure over what grows. Trials of a curve are alike in `alike`."""

    title: str
    axis: str
    x: Callable[[TrialResult], float | None]
    y_s: Callable[[TrialResult], float | None]
    alike: Callable[[TrialResult], Hashable]


def cpu_a_fan_s(result: TrialResult) -> float | None:
    """Return the CPU that the server used from the first start to the last event, over N; None if it was not seen."""
    if result.server is None:
        return None
    seen = result.seen
    return result.server.cpu_mean * (seen.connect_phase_s + seen.events_phase_s) / result.asked.load.n


def _fans(result: TrialResult) -> float:
    return float(result.asked.load.n)


def _rate(result: TrialResult) -> float | None:
    return None if result.asked.events is None else result.asked.events.rate_per_s


def _processes(result: TrialResult) -> float:
    return float((result.asked.target.nodes or 1) * (result.asked.target.workers or 1))


def _alike_but_fans(result: TrialResult) -> Hashable:
    asked = result.asked
    return asked.target.stage, asked.target.peer, asked.load.c, asked.load.interval_s, _rate(result), _besides(result)


def _alike_but_rate(result: TrialResult) -> Hashable:
    return result.asked.target.name, result.asked.load, _besides(result)


def _alike_but_processes(result: TrialResult) -> Hashable:
    return result.asked.target.stage, result.asked.target.peer, result.asked.load, _rate(result), _besides(result)


def _besides(result: TrialResult) -> Hashable:
    return result.asked.disturbances


_PANELS: Final = (
    _Panel("CPU a fan", "fans (N)", _fans, cpu_a_fan_s, _alike_but_fans),
    _Panel("ART", "fans (N)", _fans, art_s, _alike_but_fans),
    _Panel("Fan-out, last fan", "events a second", _rate, last_fan_s, _alike_but_rate),
    _Panel("ART", "processes", _processes, art_s, _alike_but_processes),
    _Panel("Fan-out, last fan", "processes", _processes, last_fan_s, _alike_but_processes),
)


def has_growth(results: Sequence[TrialResult]) -> bool:
    """Whether there is any curve to draw."""
    return any(_curves(results, panel) for panel in _PANELS)


def chart_growth(results: Sequence[TrialResult]) -> Chart:
    """Return the chart of all curves in these trials; those that are invalid are left out."""
    with page("Growth", *_INCHES) as figure:
        cells = grid(figure, 2, 3, Margins(above=0.8), wspace=0.3, hspace=0.4)
        for place, panel in enumerate(_PANELS):
            _draw(figure.add_subplot(cells[place]), panel, _curves(results, panel))
    return Chart(figure, growth_finding(results), made_on(results[0].machine) if results else "")


def growth_finding(results: Sequence[TrialResult]) -> str:
    """Return in a sentence or more where which curve bends."""
    bends = [
        f"{panel.title} of {curve.label} grows from {show_time(bend[0].y_s)} at {_count(bend[0].x)} {panel.axis} "
        f"to {show_time(bend[1].y_s)} at {_count(bend[1].x)}."
        for panel in _PANELS
        for curve in _curves(results, panel)
        if (bend := curve.bend) is not None
    ]
    return " ".join(bends) if bends else "No curve bends."


def _curves(results: Sequence[TrialResult], panel: _Panel) -> tuple[Curve, ...]:
    alike: dict[Hashable, list[TrialResult]] = {}
    for result in results:
        if result.validity.valid:
            alike.setdefault(panel.alike(result), []).append(result)
    curves = [Curve(_label(same[0]), _points(same, panel)) for same in alike.values()]
    return tuple(curve for curve in curves if len(curve.points) >= _FEWEST)


def _label(result: TrialResult) -> str:
    target = result.asked.target
    return target.name if target.stage is None else f"stage {target.stage}"


def _points(results: Sequence[TrialResult], panel: _Panel) -> tuple[Point, ...]:
    found: dict[float, list[float]] = {}
    for result in results:
        x, y_s = panel.x(result), panel.y_s(result)
        if x is not None and y_s is not None:
            found.setdefault(x, []).append(y_s)
    return tuple(Point(x, sum(found[x]) / len(found[x])) for x in sorted(found))


def _count(number: float) -> str:
    return f"{number:,.10g}"


def _draw(axes: Axes, panel: _Panel, curves: Sequence[Curve]) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(panel.axis)
    if not curves:
        nothing(axes, "not measured at three")
        return
    for index, curve in enumerate(curves):
        x, y_s = [point.x for point in curve.points], [point.y_s for point in curve.points]
        style = series_style(index)
        axes.plot(x, y_s, label=curve.label, marker="o", **style.line)
        if curve.bend is not None:
            _, after = curve.bend
            axes.annotate(
                f"bends: {show_time(after.y_s)}", (after.x, after.y_s), (-6, 4), textcoords="offset points", ha="right"
            )
    every = [point for curve in curves for point in curve.points]
    time_axis(axes, "y", min(point.y_s for point in every), max(point.y_s for point in every))
    axes.set_xscale("log")
    ticks = np.unique([point.x for point in every])
    axes.set_xticks(ticks, [_count(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend()

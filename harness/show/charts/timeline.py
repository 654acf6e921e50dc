"""One trial over time: every response and delivery as heat, and what the server used meanwhile, on the same axis."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Patch
from numpy.typing import NDArray

from common.otp.loop_lag import PERIOD_S
from harness.records.seen import Heat, Timeline
from harness.records.trial import TrialResult
from harness.records.usage import LoopLag
from harness.show.charts.chart import Chart, grid, made_on, page
from harness.show.charts.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    count_axis,
    nothing,
    short_time,
    time_axis,
)
from harness.trial.figures.heat import grid_of
from harness.units import show_bytes, show_time, show_wave

_WIDTH_IN: Final = 12.0
_HEIGHT_IN: Final = 10.0
LAG_PANEL_IN: Final = 1.9
"""How much higher a page is that has a panel for the loop lag, so that the others are as large as without."""

_SHORTEST_S: Final = 0.01
_LAG_FLOOR_S: Final = 1e-4
_LAG_TOP_S: Final = 1e-2
"""The axis of the loop lag goes at least up to here, so that a healthy loop does not look like one with stalls."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One kind of times in the heat map; `palette` goes from light to dark."""

    heat: Heat
    label: str
    palette: str
    colour: str


def chart_timeline(result: TrialResult) -> Chart:
    """Return latency over time with the events marked, and under it connections, CPU, memory and, if told, loop lag.

    The result is one that has time lines still.
    """
    load = result.asked.load
    c = show_wave(load.c, result.within_s)
    title = f"{result.asked.target.name} over time: N = {load.n:,}, C = {c} every {short_time(load.interval_s)}"
    lag = result.loop_lag
    count = 4 if lag is None else 5
    with page(title, _WIDTH_IN, _HEIGHT_IN + (count - 4) * LAG_PANEL_IN) as figure:
        cells = grid(figure, count, 1, height_ratios=(2.4, *[1] * (count - 1)), hspace=0.34)
        panels = panels_over_time(figure, cells, count)
        latency_panel(panels[0], result)
        connections_panel(panels[1], result)
        cpu_panel(panels[2], result)
        memory_panel(panels[3], result)
        if lag is not None:
            loop_lag_panel(panels[4], lag)
    return Chart(figure, timeline_finding(result), made_on(result.machine))


def timeline_finding(result: TrialResult) -> str:
    """Return in one sentence when the slowest response was, what the server used, and when its loop was latest."""
    if not result.validity.valid:
        return f"INVALID, says nothing about the server: {result.validity.reasons[0]}."
    line, server = result.seen.timeline, result.server
    slowest = [(value, at) for at, value in zip(line.at_s, line.slowest_s, strict=True) if value is not None]
    if not slowest:
        return "Nobody was answered."
    value_s, at_s = max(slowest)
    text = f"The slowest response, {show_time(value_s)}, came {show_time(at_s)} after the first start"
    late = "" if result.loop_lag is None else f"its event loop was {_latest(result.loop_lag)}"
    if server is None:
        return f"{text}; the server was not observed{late and f', but {late}'}."
    trace = server.trace
    step = min(int(np.searchsorted(trace.at_s, at_s)), len(trace.at_s) - 1)
    return (
        f"{text}, while the server used {trace.cpu_share[step]:.0%} of a core; its memory grew from "
        f"{show_bytes(server.rss_before_bytes)} to {show_bytes(server.rss_peak_bytes)}{late and f', and {late}'}."
    )


def _latest(lag: LoopLag) -> str:
    late_s, at_s = max(zip(lag.late_s, lag.at_s, strict=True))
    return f"{show_time(late_s)} late at most, {show_time(at_s)} after the first start"


def panels_over_time(figure: Figure, cells: GridSpec, count: int) -> list[Axes]:
    """Return `count` panels, one below the other, on one axis of time that is labelled at the lowest."""
    first = figure.add_subplot(cells[0])
    panels = [first, *(figure.add_subplot(cells[row], sharex=first) for row in range(1, count))]
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    panels[-1].set_xlabel("seconds from the first fan's intended start")
    return panels


def latency_panel(axes: Axes, result: TrialResult) -> None:
    """Draw how long what arrived at each moment had taken: dark where many fans did."""
    line = result.seen.timeline
    layers = []
    if line.responses is not None:
        layers.append(_Layer(line.responses, "responses", "Blues", BLUE))
    if line.deliveries is not None:
        layers.append(_Layer(line.deliveries, "deliveries", "Oranges", ORANGE))
    _whole_trial(axes, line)
    if not layers:
        _slowest(axes, result)
        return
    axes.set_title("Latency, at the moment of arrival: the darker, the more fans")
    for layer in layers:
        _heat(axes, layer)
    edges = [edge for layer in layers for edge in (layer.heat.edges_s[0], layer.heat.edges_s[-1])]
    time_axis(axes, "y", min(edges), max(edges))
    mark_posts(axes, result)
    patches = [Patch(color=layer.colour, label=layer.label) for layer in layers]
    legend_above(axes, patches)


def _whole_trial(axes: Axes, line: Timeline) -> None:
    """Show all of a trial; one that was interrupted before its first fan has no length, which no axis can have."""
    axes.set_xlim(0.0, max(line.at_s[-1], _SHORTEST_S))


def _heat(axes: Axes, layer: _Layer) -> None:
    counts = grid_of(layer.heat)
    at_s = layer.heat.step_s * np.arange(counts.shape[0] + 1)
    shown = np.ma.masked_equal(counts.T, 0)
    # Starting below 1 keeps a single fan from being as white as none.
    scale = LogNorm(0.2, max(int(counts.max()), 2))
    axes.pcolormesh(at_s, layer.heat.edges_s, shown, cmap=layer.palette, norm=scale, rasterized=True)


def _slowest(axes: Axes, result: TrialResult) -> None:
    """Draw what a result has that was stored before all times of each step were."""
    line = result.seen.timeline
    axes.set_title("Slowest response among the fans answered then")
    points = [(at, slowest) for at, slowest in zip(line.at_s, line.slowest_s, strict=True) if slowest is not None]
    if not points:
        nothing(axes, "nobody was answered")
        return
    at_s, slowest_s = zip(*points, strict=True)
    axes.plot(at_s, slowest_s, ".", color=BLUE, markersize=5)
    time_axis(axes, "y", min(slowest_s), max(slowest_s))
    mark_posts(axes, result)


def connections_panel(axes: Axes, result: TrialResult) -> None:
    """Draw how many fans were connected and answered at each moment, beside the N that was asked for."""
    line = result.seen.timeline
    axes.set_title("Connections")
    axes.axhline(result.asked.load.n, color=GREY, linewidth=0.8, linestyle=":", label="N asked")
    axes.step(line.at_s, line.connected, where="post", color=ORANGE, linestyle="--", label="connected")
    axes.step(line.at_s, line.answered, where="post", color=BLUE, label="answered")
    axes.set_ylim(0, result.asked.load.n * 1.1)
    _whole_trial(axes, line)
    count_axis(axes, "y")
    mark_posts(axes, result)
    legend_above(axes)


def cpu_panel(axes: Axes, result: TrialResult) -> None:
    """Draw what the server's processes used of the CPU together; 100 % is one core."""
    axes.set_title("CPU of the server, % of a core")
    server = result.server
    if server is None:
        nothing(axes, "the server was not observed")
        return
    at_s, share = np.array(server.trace.at_s), 100 * np.array(server.trace.cpu_share)
    axes.fill_between(at_s, share, step="pre", color=GREEN, alpha=0.35, linewidth=0)
    axes.step(at_s, share, where="pre", color=GREEN, linewidth=1.2)
    axes.axhline(100, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(0, max(110.0, float(share.max()) * 1.1))


def memory_panel(axes: Axes, result: TrialResult) -> None:
    """Draw the resident memory of the server's processes together."""
    axes.set_title("Memory of the server, MiB")
    server = result.server
    if server is None:
        nothing(axes, "the server was not observed")
        return
    size_mib = np.array(server.trace.rss_bytes) / 2**20
    axes.step(server.trace.at_s, size_mib, where="pre", color=PURPLE)
    axes.set_ylim(0, max(1.0, float(size_mib.max())) * 1.15)
    count_axis(axes, "y")


def loop_lag_panel(axes: Axes, lag: LoopLag) -> None:
    """Draw how late the server's event loop was at each moment: a stall for as long as it was one.

    What is less than 0.1 ms is drawn as that. There is nothing where the server did not tell.
    """
    axes.set_title("Loop lag of the server: how late its event loop came to a timer")
    edges_s, late_s = _lateness(lag)
    time_axis(axes, "y", _LAG_FLOOR_S, max(_LAG_TOP_S, *lag.late_s))
    axes.fill_between(edges_s, late_s, axes.get_ylim()[0], step="post", color=AMBER, alpha=0.35, linewidth=0)
    axes.step(edges_s, late_s, where="post", color=AMBER, linewidth=1.2)


def _lateness(lag: LoopLag) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return moments, and how late the loop was from each to the next: the worst of the samples that speak of it.

    A sample does of the time since its timer was set, a period before it was due. Half a period is added, since where
    the latest of several was kept the distances are not equal, and a curve with a gap says that nothing was told.
    """
    at_s, late_s = np.array(lag.at_s), np.array(lag.late_s)
    period_s = max(PERIOD_S, float(np.median(np.diff(at_s))) if at_s.size > 1 else 0.0)
    step_s = period_s / 2
    begins = np.maximum((at_s - late_s - 1.5 * period_s) // step_s, 0).astype(int)
    ends = (at_s // step_s).astype(int) + 1
    worst = np.full(ends[-1] + 1, np.nan)
    for begin, end, late in zip(begins, ends, np.maximum(late_s, _LAG_FLOOR_S), strict=True):
        worst[begin:end] = np.fmax(worst[begin:end], late)
    worst[-1] = worst[-2]  # a step is drawn as far as the next moment
    return np.linspace(0.0, step_s * (worst.size - 1), worst.size), worst


def mark_posts(axes: Axes, result: TrialResult) -> None:
    """Mark on the lower edge when events were posted."""
    events = () if result.seen.delivery is None else result.seen.delivery.events
    if events:
        posted, lower = [event.sent_s for event in events], axes.get_ylim()[0]
        axes.plot(posted, [lower] * len(posted), "|", color=GREY, markersize=9, clip_on=False, label="event posted")


def legend_above(axes: Axes, more: list[Patch] | None = None) -> None:
    """Put the legend above the panel, opposite its title, with `more` before what the lines say of themselves."""
    handles = [*(more or ()), *axes.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2, fontsize=9)

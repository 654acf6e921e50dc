"""The chart of one trial: how long fans waited, how events spread, and what went on meanwhile, on one page."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from harness.charts.style import BLUE, GREEN, GREY, ORANGE, STYLE, short_time, time_axis
from harness.histogram import curve
from harness.result import TrialResult
from harness.table import show_time

_INCHES = (10.0, 11.0)
_DPI = 120
_LONG = 65  # characters of a title
_NINES = (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


def draw_trial(result: TrialResult, path: Path) -> None:
    """Write the chart of a result as a PNG. Raise OSError if it cannot be written."""
    with mpl.rc_context(dict(STYLE)):
        figure = Figure(figsize=_INCHES)
        FigureCanvasAgg(figure)
        above = figure.add_gridspec(1, 2, left=0.09, right=0.97, top=0.905, bottom=0.63, wspace=0.25)
        _percentiles(figure.add_subplot(above[0]), result)
        _fan_out(figure.add_subplot(above[1]), result)
        below = figure.add_gridspec(3, 1, left=0.09, right=0.97, top=0.54, bottom=0.13, hspace=0.32)
        connections = figure.add_subplot(below[0])
        _connections(connections, result)
        waiting = figure.add_subplot(below[1], sharex=connections)
        _waiting(waiting, result)
        cpu = figure.add_subplot(below[2], sharex=connections)
        _cpu(cpu, result)
        for axes in (connections, waiting):
            axes.tick_params(labelbottom=False)
        cpu.set_xlabel("seconds from the first fan's intended start")
        _captions(figure, result)
        figure.savefig(path, dpi=_DPI, format="png")


def finding(result: TrialResult) -> str:
    """Return what a reader should take from the chart, in one sentence."""
    fans, response, delivery = result.seen.fans, result.seen.response, result.seen.delivery
    if not result.validity.valid:
        return f"INVALID, says nothing about the server: {result.validity.reasons[0]}."
    if response.honest is None:
        return f"None of {fans.asked:,} fans was answered{_bound(result)}."
    served = (
        f"{fans.served:,} of {fans.asked:,} fans were served" if fans.failed else f"All {fans.asked:,} fans were served"
    )
    waited = f"1 % of the answered waited {show_time(response.honest.p99_s)} or more"
    spread = ""
    if delivery is not None and delivery.fanout is not None:
        spread = f", and an event took {show_time(delivery.last_max_s)} at most to reach its last fan"
        if delivery.lost:
            spread = f", and {delivery.lost:,} of {delivery.expected:,} deliveries were lost"
    return f"{served}, {waited}{spread}{_bound(result)}."


def _bound(result: TrialResult) -> str:
    bound = result.bound
    return "" if bound.name == "nothing" else f"; what bound first: {bound.name} ({bound.evidence})"


def _captions(figure: Figure, result: TrialResult) -> None:
    load = result.asked.load
    name = result.asked.target.name
    title = f"{name[:1].upper()}{name[1:]}: N = {load.n:,}, C = {load.c:,} every {short_time(load.interval_s)}"
    figure.text(0.09, 0.955, title, fontsize=15 if len(title) < _LONG else 10, fontweight="bold", va="center")
    figure.text(0.09, 0.055, finding(result), fontsize=11, va="center", wrap=True)
    machine = result.machine
    when = f"{result.started_at:%Y-%m-%d %H:%M} UTC"
    foot = f"{machine.cores} cores, {machine.cpu_model}, {machine.kernel}, {machine.python}; {when}"
    figure.text(0.09, 0.015, foot, fontsize=8, color=GREY, va="center")
    if not result.validity.valid:
        figure.text(0.5, 0.5, "INVALID", fontsize=110, color=GREY, alpha=0.3, rotation=35, ha="center", va="center")


def _percentiles(axes: Axes, result: TrialResult) -> None:
    """Draw time over 1/(1-p), as HdrHistogram's own plots do: it gives the slowest fans as much room as the others."""
    axes.set_title("How long fans waited for their first event")
    lines = (
        (result.seen.response.honest, "honest: from the intended start", BLUE, "-"),
        (result.seen.response.art, "as in the talk: from the connect", ORANGE, "--"),
    )
    shown = [(times, label, colour, dashes) for times, label, colour, dashes in lines if times is not None]
    if not shown:
        _nothing(axes, "nobody was answered")
        axes.set_xticks([])
        return
    low, high, most = np.inf, 0.0, 2
    for times, label, colour, dashes in shown:
        value_s, share = curve(times)
        # The largest sample stands at the place that one fan more would have: 1/(1-1) is not on any axis.
        place = 1 / (1 - np.minimum(share, 1 - 1 / (times.count + 1)))
        axes.step(place, value_s, where="pre", label=label, color=colour, linestyle=dashes)
        low, high, most = min(low, float(value_s[0])), max(high, times.max_s), max(most, times.count + 1)
    time_axis(axes, "y", low, high)
    axes.set_xscale("log")
    axes.set_xlim(1, most * 1.1)
    nines = [share for share in _NINES if 1 / (1 - share) <= most * 1.1]
    axes.set_xticks(
        [1 / (1 - share) for share in nines], [f"{share:.10%}".rstrip("0%").rstrip(".") or "0" for share in nines]
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("% of fans that waited no longer")
    axes.legend(loc="best")


def _fan_out(axes: Axes, result: TrialResult) -> None:
    axes.set_title("How events reached the fans")
    delivery = result.seen.delivery
    if delivery is None or delivery.fanout is None:
        _nothing(axes, "no events were posted" if delivery is None else "no event arrived")
        axes.set_xticks([])
        return
    value_s, share = curve(delivery.fanout)
    arrived = delivery.received / delivery.expected
    axes.step(
        np.concatenate(([value_s[0]], value_s)),
        100 * arrived * np.concatenate(([0.0], share)),
        where="post",
        color=BLUE,
        label=f"all {delivery.expected:,} deliveries",
    )
    if delivery.last_mean_s is not None:
        axes.axvline(
            delivery.last_mean_s,
            color=ORANGE,
            linestyle="--",
            label=f"last fan, mean: {show_time(delivery.last_mean_s)}",
        )
    time_axis(axes, "x", float(value_s[0]), delivery.fanout.max_s)
    axes.set_ylim(0, 104)
    axes.set_xlabel("time since the event was posted")
    axes.set_ylabel("% of deliveries made")
    axes.legend(loc="best")


def _connections(axes: Axes, result: TrialResult) -> None:
    line = result.seen.timeline
    axes.set_title("Connections")
    axes.axhline(result.asked.load.n, color=GREY, linewidth=0.8, linestyle=":", label="N asked")
    axes.step(line.at_s, line.connected, where="post", color=ORANGE, linestyle="--", label="connected")
    axes.step(line.at_s, line.answered, where="post", color=BLUE, label="answered")
    axes.set_ylim(0, result.asked.load.n * 1.1)
    axes.set_xlim(min(0.0, line.at_s[0]), line.at_s[-1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _mark_posts(axes, result)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)


def _waiting(axes: Axes, result: TrialResult) -> None:
    line = result.seen.timeline
    axes.set_title("Slowest response among the fans answered then")
    points = [(at, slowest) for at, slowest in zip(line.at_s, line.slowest_s, strict=True) if slowest is not None]
    if not points:
        _nothing(axes, "nobody was answered")
        return
    at_s, slowest_s = zip(*points, strict=True)
    axes.plot(at_s, slowest_s, ".", color=BLUE, markersize=5)
    time_axis(axes, "y", min(slowest_s), max(slowest_s))


def _cpu(axes: Axes, result: TrialResult) -> None:
    axes.set_title("CPU of the server, % of a core")
    server = result.server
    if server is None:
        _nothing(axes, "the server was not observed")
        return
    at_s, share = np.array(server.trace.at_s), 100 * np.array(server.trace.cpu_share)
    axes.fill_between(at_s, share, step="pre", color=GREEN, alpha=0.35, linewidth=0)
    axes.step(at_s, share, where="pre", color=GREEN, linewidth=1.2)
    axes.axhline(100, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(0, max(110.0, float(share.max()) * 1.1))


def _mark_posts(axes: Axes, result: TrialResult) -> None:
    events = () if result.seen.delivery is None else result.seen.delivery.events
    if events:
        posted = [event.sent_s for event in events]
        axes.plot(posted, [0] * len(posted), "|", color=GREY, markersize=9, clip_on=False, label="event posted")


def _nothing(axes: Axes, why: str) -> None:
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set_yticks([])

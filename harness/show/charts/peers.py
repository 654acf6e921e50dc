"""Servers side by side: stages, other people's servers, and the floor, under the same load."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator

from harness.records.asked import AskedLoad
from harness.records.trial import TrialResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, names_in, page
from harness.show.charts.fanout import last_fan_s
from harness.show.charts.floor import Floor, with_floors
from harness.show.charts.series import Ranking, Series, by_target, group, rank, with_load
from harness.show.charts.style import AMBER, BLUE, count_axis, floor_line, floor_style, nothing, short_time, time_axis
from harness.units import show_growth, show_time

_ROW_IN: Final = 0.42
_WIDTH_IN: Final = 15.0
_MEMORY_WIDTH_IN: Final = 10.0

_WIDE: Final = 50.0
"""A ratio of the ends of an axis of times: above it only decades have their figures."""

_WHITE: Final = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}


@dataclass(frozen=True, slots=True)
class _Panel:
    """One figure of every server: how it is got, and how its mean over a series is written."""

    title: str
    of: Callable[[TrialResult], float | None]
    show: Callable[[float, Series], str]
    is_time: bool


def art_s(result: TrialResult) -> float | None:
    """Return the mean ART, or None where nobody was answered."""
    return None if result.seen.response.art is None else result.seen.response.art.mean_s


def memory_kib(result: TrialResult) -> float | None:
    """Return the server's memory a connection in KiB, or None where it was not observed."""
    each = None if result.server is None else result.server.memory_per_connection_bytes
    return None if each is None else each / 1024


def _show_kib(value: float, series: Series) -> str:
    return show_growth(value * 1024, min(result.asked.load.n for result in series.results))


_PANELS: Final = (
    _Panel("ART", art_s, lambda value, _: show_time(value), is_time=True),
    _Panel(
        "Connections a second",
        lambda result: result.seen.answered_per_s,
        lambda value, _: f"{value:,.0f}",
        is_time=False,
    ),
    _Panel("Fan-out, last fan", last_fan_s, lambda value, _: show_time(value), is_time=True),
    _Panel("KiB a connection", memory_kib, _show_kib, is_time=False),
)


def loads_measured(results: Sequence[TrialResult]) -> tuple[AskedLoad, ...]:
    """Return the loads, each once, the one at which most servers were measured first."""
    names: dict[AskedLoad, set[str]] = {}
    for result in results:
        names.setdefault(result.asked.load, set()).add(result.asked.target.name)
    return tuple(sorted(names, key=lambda load: (-len(names[load]), -load.n, -load.c)))


def chart_peers(results: Sequence[TrialResult], load: AskedLoad, floors: Sequence[Floor] = ()) -> Chart:
    """Return ART, connections a second and the last fan's fan-out of every server at a load, in their order.

    A point is the mean over the repeats, a line reaches from the smallest to the largest. Invalid trials are left out.
    The floor, of the results or of `floors`, is a line besides.
    """
    series = group(with_floors([result for result in results if result.asked.load == load], floors))
    title = f"Against the others: N = {load.n:,}, C = {load.c:,} every {short_time(load.interval_s)}"
    with page(title, _WIDTH_IN, 2.0 + _ROW_IN * max(len(series), 3)) as figure:
        cells = grid(
            figure, 1, len(_PANELS), Margins(left=names_in(each.name for each in series), below=0.4), wspace=0.12
        )
        for place, panel in enumerate(_PANELS):
            axes = figure.add_subplot(cells[place])
            _dots(axes, series, panel)
            axes.set_yticks(range(len(series)), [each.name for each in series] if place == 0 else [])
            axes.set_ylim(len(series) - 0.5, -0.7)
    return Chart(figure, peers_finding(series), made_on(results[0].machine) if results else "")


def chart_memory(results: Sequence[TrialResult], floors: Sequence[Floor] = ()) -> Chart:
    """Return the memory that a connection takes in every server: a bar each, the mean over its repeats.

    The floor, of the results or of `floors`, is a line besides.
    """
    series = [each for each in by_target(with_floors(results, floors)) if each.figures(memory_kib)]
    values = [_mean(each.figures(memory_kib)) for each in series]
    with page(
        with_load("Memory a connection", series), _MEMORY_WIDTH_IN, 1.6 + _ROW_IN * max(len(series), 3)
    ) as figure:
        axes = figure.add_subplot(
            grid(figure, 1, 1, Margins(left=names_in(each.name for each in series), right=0.9, above=0.65))[0]
        )
        if not series:
            nothing(axes, "no server was observed")
        for place, (each, value) in enumerate(zip(series, values, strict=True)):
            axes.barh([place], [max(value, 0)], color=_colour(each), height=0.6)
            axes.annotate(
                f" {_show_kib(value, each)}", (max(value, 0), place), (2, 0), textcoords="offset points", va="center"
            )
            if each.is_floor:
                floor_line(axes, "x", max(value, 0))
        axes.set_yticks(range(len(series)), [each.label for each in series])
        axes.set_ylim(max(len(series), 1) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.set_xlabel("KiB a connection")
        axes.yaxis.grid(visible=False)
    return Chart(figure, memory_finding(series), made_on(results[0].machine) if results else "")


def peers_finding(series: Sequence[Series]) -> str:
    """Return in one sentence who of those that served every fan answered fastest, and reached the last fan first."""
    parts = []
    for panel, text in ((_PANELS[0], "answered fastest"), (_PANELS[2], "reached its last fan first")):
        ranking = _ranking([each for each in series if each.is_whole], panel)
        if len(ranking.servers) > 1:
            (best_s, best), (worst_s, worst) = ranking.servers[0], ranking.servers[-1]
            last = f"{worst} last ({show_time(worst_s)})"
            parts.append(f"{best} {text} ({show_time(best_s)}), {last}{ranking.aside(show_time)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else "Fewer than two servers served every fan at this load."


def _ranking(series: Sequence[Series], panel: _Panel) -> Ranking:
    return rank(series, lambda each: each.figures(panel.of))


def memory_finding(series: Sequence[Series]) -> str:
    """Return in one sentence which server needs least memory a connection, and which most."""
    ranking = rank(series, lambda each: each.figures(memory_kib))
    if not ranking.servers:
        return "No server's memory was observed."
    named = {each.label: each for each in series}
    (least, best), (most, worst) = (
        (_show_kib(kib, named[name]), name) for kib, name in (ranking.servers[0], ranking.servers[-1])
    )
    floor = ranking.floor
    aside = "" if floor is None else ranking.aside(lambda kib: _show_kib(kib, named[floor[1]]))
    if len(ranking.servers) == 1:
        return f"A connection takes {least} in {best}{aside}."
    return f"A connection takes least memory in {best} ({least}) and most in {worst} ({most}){aside}."


def _dots(axes: Axes, series: Sequence[Series], panel: _Panel) -> None:
    axes.set_title(panel.title)
    drawn: list[float] = []
    for place, each in enumerate(series):
        values = each.figures(panel.of)
        if not values:
            axes.text(
                0.02, place, "not measured", transform=axes.get_yaxis_transform(), va="center", fontsize=8, color="grey"
            )
            continue
        mean, colour = _mean(values), _colour(each)
        axes.plot([min(values), max(values)], [place, place], color=colour, linewidth=2)
        filled = colour if each.is_whole else "white"
        axes.plot([mean], [place], _marker(each), color=colour, mfc=filled, markersize=8)
        axes.annotate(
            panel.show(mean, each),
            (mean, place),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            bbox=_WHITE,
        )
        drawn += values
        if each.is_floor:
            floor_line(axes, "x", mean)
    if not drawn:
        axes.set_xticks([])
    elif panel.is_time:
        time_axis(axes, "x", min(drawn) / 1.4, max(drawn) * 1.4)
        linear, wide = axes.get_xscale() == "linear", max(drawn) > _WIDE * min(drawn)
        subs = (1.0,) if wide else (1.0, 3.0)
        axes.xaxis.set_major_locator(MaxNLocator(3) if linear else LogLocator(10, subs=subs, numticks=5))
    else:
        axes.set_xlim(-0.15 * max(drawn), max(drawn) * 1.25)  # what stands above a point at 0 is as wide as one
        axes.xaxis.set_major_locator(MaxNLocator(4))
        count_axis(axes, "x")


def _colour(series: Series) -> str:
    return floor_style().colour if series.is_floor else BLUE if _is_stage(series) else AMBER


def _marker(series: Series) -> str:
    return floor_style().marker if series.is_floor else "o" if _is_stage(series) else "s"


def _is_stage(series: Series) -> bool:
    return series.results[0].asked.target.stage is not None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""The staircase: N, C and ART of every stage, with the talk's figures and the floor beside them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.campaign.figures import SAME_FANS
from harness.campaign.plan import DIMENSIONS
from harness.records.asked import AskedLoad
from harness.records.campaign import FoundLimit, Repeats, Staircase, StaircaseStep
from harness.records.search import Dimension
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.floor import is_floor
from harness.show.charts.style import (
    BLUE,
    GREY,
    ORANGE,
    SeriesStyle,
    count_axis,
    floor_line,
    floor_style,
    nothing,
    series_style,
    time_axis,
)
from harness.show.charts.talk import TalkRow, said
from harness.units import show_load, show_time

_INCHES: Final = (14.0, 6.0)
_DODGE: Final = 0.2
"""How far, in stages, the points of one load stand beside those of another."""

_BESIDE: Final = -0.3
"""Where, in stages, the talk's figure stands beside the one measured."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a limit is drawn: `shift` is how far, in stages, its bracket stands beside the middle of the step."""

    dimension: Dimension
    label: str
    colour: str
    dashes: Literal["-", "--"]
    shift: float
    filled: bool
    of_floor: str = ""


_HELD: Final = _Kind("N", "N, sustained C: largest that passed, the median", BLUE, "-", 0, filled=True)
_SUSTAINED: Final = replace(_HELD, dimension="C", shift=-0.12)
_BURST: Final = _Kind("burst C", "burst C: one wave, all at once", ORANGE, "--", 0.16, filled=False, of_floor="burst ")


def chart_staircase(staircase: Staircase) -> Chart:
    """Return the chart of a staircase: three panels over the stages in their order.

    N and C are drawn as steps at their last pass, the median of the searches, with a broad bar from the lowest last
    pass of them to the highest, and a line up to the highest first fail; an arrow where the limit is higher than what
    could be tried. Burst C stands beside sustained C. ART is the mean over the repeats, with their smallest and
    largest: at the loads that all stages had, and at each stage's own.
    """
    with page("The staircase: what each stage holds, starts at once, and how fast it answers", *_INCHES) as figure:
        cells = grid(figure, 1, 3, Margins(right=0.7, above=1.65, below=0.65), wspace=0.32)
        stages, floor = stages_of(staircase), floor_of(staircase)
        panels = [figure.add_subplot(cells[0, column]) for column in range(3)]
        panels[0].set_title("N: connections held")
        panels[1].set_title("C: connections started at once")
        burst = (_BURST,) if any(limit_of(step, "burst C") for step in stages) else ()
        _limits(panels[0], stages, floor, (_HELD,), lambda row: row.n)
        _limits(panels[1], stages, floor, (_SUSTAINED, *burst), lambda row: row.c)
        _art(panels[2], stages, floor)
        _legend(figure, panels, (_HELD, *burst))
    return Chart(figure, staircase_finding(staircase), _source(staircase))


def stages_of(staircase: Staircase) -> tuple[StaircaseStep, ...]:
    """Return the steps that are stages, in their order."""
    return tuple(step for step in staircase.steps if step.target.stage is not None)


def floor_of(staircase: Staircase) -> StaircaseStep | None:
    """Return the step of the bare server that does nothing else, or None where it was not measured."""
    return next((step for step in staircase.steps if is_floor(step.target)), None)


def limit_of(step: StaircaseStep | None, dimension: Dimension) -> FoundLimit | None:
    """Return the limit that was searched for in a dimension, or None."""
    return None if step is None else next((limit for limit in step.limits if limit.dimension == dimension), None)


def loads_of(steps: Sequence[StaircaseStep]) -> tuple[AskedLoad, ...]:
    """Return the loads that most of the steps had, each once, the lightest first: by them steps can be compared."""
    counts = Counter(repeats.load for step in steps for repeats in step.loads)
    common = [load for load, count in counts.items() if 2 * count > len(steps)]
    return tuple(sorted(common, key=lambda load: (load.n, load.c, -load.interval_s)))


def arts(repeats: Repeats | None) -> tuple[float, ...]:
    """Return the ART of each valid trial in which any fan was answered."""
    trials = () if repeats is None else repeats.trials
    return tuple(trial.art_mean_s for trial in trials if trial.valid and trial.art_mean_s is not None)


def at_load(step: StaircaseStep, load: AskedLoad) -> Repeats | None:
    """Return what the step did at a load, or None."""
    return next((repeats for repeats in step.loads if repeats.load == load), None)


def all_served(repeats: Repeats) -> bool:
    """Whether every valid trial served every fan, or as good as: times of fewer are not to be compared."""
    return all(trial.served >= SAME_FANS * repeats.load.n for trial in repeats.trials if trial.valid)


def staircase_finding(staircase: Staircase) -> str:
    """Return in one sentence how far the stages came, and which of them brought most."""
    stages = stages_of(staircase)
    parts = [part for dimension in DIMENSIONS if (part := _risen(stages, dimension))]
    parts += [part for load in loads_of(stages)[:1] if (part := _answered(stages, load))]
    if not parts:
        return "No stage was measured well enough to say anything."
    return f"{'; '.join(parts)}."


def _risen(stages: Sequence[StaircaseStep], dimension: Dimension) -> str | None:
    found = [(step.target.stage, limit) for step in stages if (limit := limit_of(step, dimension)) is not None]
    known = [(stage, limit.last_pass, limit) for stage, limit in found if limit.last_pass]
    if len(known) < 2:
        return None
    (first, low, _), (last, high, limit) = known[0], known[-1]
    text = (
        f"{dimension} went from {low:,.0f} at stage {first} to {_at_least(limit)}{high:,.0f} at stage {last} "
        f"({_times(high / low)})"
    )
    factor, stage = max(((now / before, stage) for (_, before, _), (stage, now, _) in pairwise(known)))
    return f"{text}, most of it by stage {stage} ({_times(factor)})" if factor > 1 and len(known) > 2 else text


def _answered(stages: Sequence[StaircaseStep], load: AskedLoad) -> str | None:
    known = [(step.target.stage, sum(values) / len(values)) for step in stages if (values := arts(at_load(step, load)))]
    if len(known) < 2:
        return None
    (first, before_s), (last, now_s) = known[0], known[-1]
    return (
        f"at {show_load(load)}, ART went from {show_time(before_s)} at stage {first} to {show_time(now_s)} "
        f"at stage {last}"
    )


def _at_least(limit: FoundLimit) -> str:
    return "at least " if is_open(limit) else ""


def is_open(limit: FoundLimit) -> bool:
    """Whether the limit may be higher than the last pass by nobody knows how much."""
    return limit.at_least or limit.first_fail is None


def _times(factor: float) -> str:
    return f"{factor:,.0f} times" if factor >= 9.95 else f"{factor:.1f} times"


def _source(staircase: Staircase) -> str:
    notes = ["measured with --quick"] if staircase.quick else []
    notes += [staircase.state] if staircase.state != "done" else []
    when = f"{staircase.started_at:%Y-%m-%d}"
    return "; ".join((made_on(staircase.machine), when, f"SLO {staircase.slo}", *notes))


def _limits(
    axes: Axes,
    stages: Sequence[StaircaseStep],
    floor: StaircaseStep | None,
    kinds: Sequence[_Kind],
    of: Callable[[TalkRow], int],
) -> None:
    _stage_axis(axes, stages)
    found = [
        (kind, {place: limit for place, step in enumerate(stages) if (limit := limit_of(step, kind.dimension))})
        for kind in kinds
    ]
    limits = [limit for _, each in found for limit in each.values()]
    tried = [level for limit in limits for level in (limit.lowest_pass, limit.last_pass, limit.first_fail) if level]
    talk = [(place + _BESIDE, of(row)) for place, step in enumerate(stages) if (row := said(step.target.stage))]
    if not tried:
        nothing(axes, "no limit was searched for")
        return
    axes.set_yscale("log")
    everything = [*tried, *(value for _, value in talk)]
    # Below the lowest step there is room for what each of them says of itself, in lines where no mark can be.
    axes.set_ylim(min(everything) / 4 ** len(kinds), max(everything) * 2)
    for line, (kind, each) in enumerate(found):
        _steps(axes, kind, {place: limit.last_pass for place, limit in each.items() if limit.last_pass})
        for place, limit in each.items():
            _bracket(axes, kind, place, limit)
            _foot(axes, place, _said_of(limit), line, kind.colour)
    if talk:
        axes.plot(*zip(*talk, strict=True), "D", color=GREY, mfc="white", markersize=6, zorder=4)
    bounds = [(kind, limit) for kind in kinds if (limit := limit_of(floor, kind.dimension)) is not None]
    _floors(axes, [(limit.last_pass, f"{kind.of_floor}{_said_of(limit)}") for kind, limit in bounds if limit.last_pass])
    count_axis(axes, "y")


def _steps(axes: Axes, kind: _Kind, values: Mapping[int, float]) -> None:
    """Draw a stair as high as the values of the stages at those places; a stage without one is a gap."""
    low = axes.get_ylim()[0]
    for place, value in values.items():
        ends = [place - 0.5, place + 0.5]
        if kind.filled:
            axes.fill_between(ends, low, value, color=kind.colour, alpha=0.13, linewidth=0)
        axes.plot(ends, [value, value], kind.dashes, color=kind.colour, linewidth=2.4, solid_capstyle="butt")
        if place - 1 in values:
            axes.plot([place - 0.5] * 2, [values[place - 1], value], kind.dashes, color=kind.colour, linewidth=1.0)


def _bracket(axes: Axes, kind: _Kind, place: int, limit: FoundLimit) -> None:
    """Draw the range of the last passes, and up to the highest first fail, or an arrow where nobody knows where it is.

    A search of which nothing passed has no last pass: its range begins at the foot.
    """
    x, low = place + kind.shift, limit.lowest_pass or axes.get_ylim()[0]
    top = limit.highest_pass or limit.last_pass
    if top and top > low:
        axes.plot([x, x], [low, top], color=kind.colour, linewidth=5, alpha=0.5, solid_capstyle="butt")
    high = limit.highest_fail or limit.first_fail
    if top and is_open(limit):
        arrow = {"arrowstyle": "<|-", "color": kind.colour, "lw": 1.6}
        axes.annotate("", (x, top), (0, 22), textcoords="offset points", arrowprops=arrow)
    elif high:
        axes.plot([x, x], [top or high, high], color=kind.colour, linewidth=1.4)
        axes.plot([x], [high], "_", color=kind.colour, markersize=9, mew=1.4)


def _said_of(limit: FoundLimit) -> str:
    if limit.last_pass:
        return f"{'≥' if is_open(limit) else ''}{_short_count(limit.last_pass)}"
    return f"<{_short_count(limit.first_fail)}" if limit.first_fail else ""


def _foot(axes: Axes, place: float, text: str, line: int, colour: str) -> None:
    """Write at the foot of a step, in that line from below."""
    at: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "color": colour}
    axes.annotate(text, (place, 0), (0, 4 + 10 * line), ha="center", va="bottom", fontsize=6.8, **at)


def _floors(axes: Axes, found: Sequence[tuple[float, str]]) -> None:
    """Draw the floor's figures, and say what they are beside the panel, where no mark can be.

    Of several, which may lie close to each other, the lowest is said below its line and the highest above.
    """
    at: dict[str, Any] = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
    for rank, (value, text) in enumerate(sorted(found)):
        floor_line(axes, "y", value)
        side = "center" if len(found) == 1 else "top" if rank == 0 else "bottom" if rank == len(found) - 1 else "center"
        axes.annotate(f"floor\n{text}", (1, value), (4, 0), ha="left", va=side, fontsize=7.5, color=GREY, **at)


def _short_count(value: float) -> str:
    return f"{value / 1000:.3g}k" if value >= 9_999.5 else f"{value:,.0f}"


def _art(axes: Axes, stages: Sequence[StaircaseStep], floor: StaircaseStep | None) -> None:
    axes.set_title("ART: average response time")
    _stage_axis(axes, stages)
    loads = loads_of(stages)
    # Each stage's own load, of the talk's waves, is one series more.
    series: list[Sequence[AskedLoad]] = [[load] for load in loads]
    own = [repeats.load for step in stages for repeats in step.loads if repeats.load not in loads]
    series += [own] if own else []
    seen = [
        value
        for index, same in enumerate(series)
        for value in _art_at(axes, stages, same, series_style(index), _DODGE * (index - (len(series) - 1) / 2))
    ]
    if not seen:
        nothing(axes, "no response was measured")
        return
    talk = [(place + 1.5 * _BESIDE, row.art_s) for place, step in enumerate(stages) if (row := said(step.target.stage))]
    if talk:
        axes.plot(*zip(*talk, strict=True), "D", color=GREY, mfc="white", markersize=6, zorder=1.5)
    of_floor = [arts(None if floor is None else at_load(floor, load)) for load in loads]
    floors_s = [sum(values) / len(values) for values in of_floor if values]
    everything = [*seen, *(art_s for _, art_s in talk), *floors_s]
    time_axis(axes, "y", min(everything), max(everything))
    _floors(axes, [(mean_s, show_time(mean_s)) for mean_s in floors_s])


def _art_at(
    axes: Axes, stages: Sequence[StaircaseStep], loads: Sequence[AskedLoad], style: SeriesStyle, shift: float
) -> list[float]:
    """Draw the mean over the repeats of a load, hollow where fans were not served, and return what was drawn."""
    drawn: list[float] = []
    for place, step in enumerate(stages):
        repeats = next((repeats for repeats in step.loads if repeats.load in loads), None)
        values = arts(repeats)
        if repeats is None or not values:
            continue
        mean_s = sum(values) / len(values)
        axes.errorbar(
            [place + shift],
            [mean_s],
            yerr=[[max(mean_s - min(values), 0.0)], [max(max(values) - mean_s, 0.0)]],  # a mean is rounded
            fmt=style.marker,
            color=style.colour,
            markerfacecolor=style.colour if all_served(repeats) else "white",
            capsize=3,
            markersize=6,
        )
        drawn += values
        if not all_served(repeats):
            least = min(trial.served for trial in repeats.trials if trial.valid)
            _sideways(axes, f"{least / repeats.load.n:.0%} served", place + shift, max(values))
    if drawn:
        label = f"ART at {show_load(loads[0])}" if len(set(loads)) == 1 else "ART at the talk's waves of the stage"
        axes.plot([], [], style.marker, color=style.colour, label=label)
    return drawn


def _sideways(axes: Axes, text: str, x: float, y: float) -> None:
    """Write above a point, upwards."""
    at: dict[str, Any] = {"textcoords": "offset points", "rotation": 90, "fontsize": 7, "color": ORANGE}
    axes.annotate(text, (x, y), (0, 5), ha="center", va="bottom", **at)


def _legend(figure: Figure, panels: Sequence[Axes], kinds: Sequence[_Kind]) -> None:
    """Put one legend for all panels under the title, where no mark can lie behind it."""
    handles = [
        *(Line2D([], [], color=kind.colour, linestyle=kind.dashes, linewidth=2.4, label=kind.label) for kind in kinds),
        Line2D([], [], color=BLUE, linewidth=5, alpha=0.5, label="from the smallest of the searches to the largest"),
        Line2D([], [], color=BLUE, marker="_", markersize=9, linewidth=1.4, label="up to where one failed"),
        Line2D([], [], color=BLUE, marker=r"$\uparrow$", markersize=9, linestyle="", label="or more"),
        Line2D([], [], color=GREY, marker="D", mfc="white", linestyle="", label="the talk, 2012, at its own loads"),
        Line2D([], [], label="the floor: a bare loop in C", **floor_style().line),
        *(handle for axes in panels for handle in axes.get_legend_handles_labels()[0]),
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.012, 1 - 0.5 / _INCHES[1]),
        ncols=(len(handles) + 2) // 3,
        fontsize=8.5,
        handletextpad=0.5,
        columnspacing=1.4,
    )


def _stage_axis(axes: Axes, stages: Sequence[StaircaseStep]) -> None:
    names = [_short_name(step) for step in stages]
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.85, max(len(names), 1) - 0.4)
    several = any("\n" in name for name in names)
    axes.set_xlabel("stage (its nodes, or workers)" if several else "stage")
    axes.xaxis.grid(visible=False)


def _short_name(step: StaircaseStep) -> str:
    processes = step.target.nodes or step.target.workers
    return str(step.target.stage) if processes is None else f"{step.target.stage}\n({processes})"

"""The staircase: N, C and ART of every stage, with the talk's figures and the floor beside them."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes

from harness.campaign.figures import SAME_FANS
from harness.records.campaign import FoundLimit, Repeats, Staircase, Step
from harness.records.search import Dimension
from harness.records.trial import AskedLoad
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.floor import is_floor
from harness.show.charts.style import BLUE, GREY, ORANGE, count_axis, floor_line, look, nothing, time_axis
from harness.show.charts.talk import TalkRow, said
from harness.units import show_load, show_time

_INCHES: Final = (14.0, 6.0)
_DODGE: Final = 0.2
"""How far, in stages, the points of one load stand beside those of another."""

_BESIDE: Final = -0.3
"""Where, in stages, the talk's figure stands beside the one measured."""


def chart_staircase(staircase: Staircase) -> Chart:
    """Return the chart of a staircase: three panels over the stages in their order.

    N and C are drawn as their last pass, with a line up to the first fail; an arrow where the limit is higher than
    what could be tried. ART is the mean over the repeats at each fixed load, with their smallest and largest.
    """
    with page("The staircase: what each stage holds, starts at once, and how fast it answers", *_INCHES) as figure:
        cells = grid(figure, 1, 3, Margins(above=1.75, below=0.65), wspace=0.22)
        stages, floor = stages_of(staircase), floor_of(staircase)
        _limits(figure.add_subplot(cells[0]), stages, floor, "N", lambda row: row.n)
        _limits(figure.add_subplot(cells[1]), stages, floor, "C", lambda row: row.c)
        _art(figure.add_subplot(cells[2]), stages, floor)
    return Chart(figure, staircase_finding(staircase), _source(staircase))


def stages_of(staircase: Staircase) -> tuple[Step, ...]:
    """Return the steps that are stages, in their order."""
    return tuple(step for step in staircase.steps if step.target.stage is not None)


def floor_of(staircase: Staircase) -> Step | None:
    """Return the step of the bare server that does nothing else, or None where it was not measured."""
    return next((step for step in staircase.steps if is_floor(step.target)), None)


def limit_of(step: Step | None, dimension: Dimension) -> FoundLimit | None:
    """Return the limit that was searched for in a dimension, or None."""
    return None if step is None else next((limit for limit in step.limits if limit.dimension == dimension), None)


def loads_of(steps: Sequence[Step]) -> tuple[AskedLoad, ...]:
    """Return the fixed loads, each once, the lightest first."""
    loads = {repeats.load for step in steps for repeats in step.loads}
    return tuple(sorted(loads, key=lambda load: (load.n, load.c, -load.interval_s)))


def arts(repeats: Repeats | None) -> tuple[float, ...]:
    """Return the ART of each valid trial in which any fan was answered."""
    trials = () if repeats is None else repeats.trials
    return tuple(trial.art_mean_s for trial in trials if trial.valid and trial.art_mean_s is not None)


def at_load(step: Step, load: AskedLoad) -> Repeats | None:
    """Return what the step did at a load, or None."""
    return next((repeats for repeats in step.loads if repeats.load == load), None)


def all_served(repeats: Repeats) -> bool:
    """Whether every valid trial served every fan, or as good as: times of fewer are not to be compared."""
    return all(trial.served >= SAME_FANS * repeats.load.n for trial in repeats.trials if trial.valid)


def staircase_finding(staircase: Staircase) -> str:
    """Return in one sentence how far the stages came, and which of them brought most."""
    stages = stages_of(staircase)
    parts = [part for dimension in ("N", "C") if (part := _risen(stages, dimension))]
    parts += [part for load in loads_of(stages)[:1] if (part := _answered(stages, load))]
    if not parts:
        return "No stage was measured well enough to say anything."
    return f"{'; '.join(parts)}."


def _risen(stages: Sequence[Step], dimension: Dimension) -> str | None:
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


def _answered(stages: Sequence[Step], load: AskedLoad) -> str | None:
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
    axes: Axes, stages: Sequence[Step], floor: Step | None, dimension: Dimension, of: Callable[[TalkRow], int]
) -> None:
    axes.set_title({"N": "N: connections held", "C": "C: connections started at once"}.get(dimension, dimension))
    _stage_axis(axes, stages)
    axes.set_yscale("log")
    drawn = [_bracket(axes, place, limit) for place, step in enumerate(stages) if (limit := limit_of(step, dimension))]
    talk = [(place + _BESIDE, of(row)) for place, step in enumerate(stages) if (row := said(step.target.stage))]
    if not any(drawn):
        nothing(axes, "no limit was searched for")
        return
    if talk:
        axes.plot(*zip(*talk, strict=True), "D", color=GREY, mfc="white", markersize=6, zorder=1.5, label="the talk")
    bound = limit_of(floor, dimension)
    if bound is not None and bound.last_pass:
        floor_line(axes, "y", bound.last_pass, f"floor: {_at_least(bound)}{bound.last_pass:,.0f}")
    axes.plot([], [], "o", color=BLUE, label="last pass")
    axes.plot([], [], "_", color=BLUE, markersize=11, mew=1.8, label="first fail")
    axes.plot([], [], marker=r"$\uparrow$", color=BLUE, markersize=9, linestyle="", label="or more")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.3, high * 1.3)
    count_axis(axes, "y")
    _legend(axes)


def _bracket(axes: Axes, place: int, limit: FoundLimit) -> bool:
    """Draw `[last pass, first fail]`, and say whether there was anything to draw."""
    low, high = limit.last_pass, limit.first_fail
    if low:
        axes.plot([place], [low], "o", color=BLUE, markersize=7, zorder=3)
        mark = f"{'≥' if is_open(limit) else ''}{_short_count(low)}"
        axes.annotate(mark, (place, low), (0, -7), textcoords="offset points", ha="center", va="top", fontsize=7.5)
    if low and is_open(limit):
        arrow = {"arrowstyle": "-|>", "color": BLUE, "lw": 1.8}
        axes.annotate("", (place, low), (0, 24), textcoords="offset points", arrowprops=arrow | {"arrowstyle": "<|-"})
    elif low and high:
        axes.plot([place, place], [low, high], color=BLUE, linewidth=1.8)
    if high and not (low and is_open(limit)):
        axes.plot([place], [high], "_", color=BLUE, markersize=11, mew=1.8)
        if not low:
            mark = f"<{_short_count(high)}"
            axes.annotate(mark, (place, high), (0, -5), textcoords="offset points", ha="center", va="top", fontsize=7.5)
    return bool(low or high)


def _short_count(value: float) -> str:
    return f"{value / 1000:.3g}k" if value >= 9_999.5 else f"{value:,.0f}"


def _art(axes: Axes, stages: Sequence[Step], floor: Step | None) -> None:
    axes.set_title("ART: average response time at fixed loads")
    _stage_axis(axes, stages)
    loads = loads_of(stages)
    seen = [
        value
        for index, load in enumerate(loads)
        for value in _art_at(axes, stages, load, index, _DODGE * (index - (len(loads) - 1) / 2))
    ]
    if not seen:
        nothing(axes, "no response was measured")
        return
    talk = [(place + 1.5 * _BESIDE, row.art_s) for place, step in enumerate(stages) if (row := said(step.target.stage))]
    if talk:
        label = "the talk, at its own N and C"
        axes.plot(*zip(*talk, strict=True), "D", color=GREY, mfc="white", markersize=6, zorder=1.5, label=label)
    for load in loads:
        values = arts(None if floor is None else at_load(floor, load))
        if values:
            mean_s = sum(values) / len(values)
            floor_line(axes, "y", mean_s, f"floor at C = {load.c:,}: {show_time(mean_s)}")
            seen.append(mean_s)
    everything = [*seen, *(art_s for _, art_s in talk)]
    time_axis(axes, "y", min(everything), max(everything))
    _legend(axes)


def _art_at(axes: Axes, stages: Sequence[Step], load: AskedLoad, index: int, shift: float) -> list[float]:
    """Draw one load's mean over the repeats, hollow where fans were not served, and return what was drawn."""
    drawn: list[float] = []
    style = look(index)
    for place, step in enumerate(stages):
        repeats = at_load(step, load)
        values = arts(repeats)
        if repeats is None or not values:
            continue
        mean_s = sum(values) / len(values)
        axes.errorbar(
            [place + shift],
            [mean_s],
            yerr=[[mean_s - min(values)], [max(values) - mean_s]],
            fmt=style.marker,
            color=style.colour,
            markerfacecolor=style.colour if all_served(repeats) else "white",
            capsize=3,
            markersize=6,
        )
        drawn += values
        if not all_served(repeats):
            least = min(trial.served for trial in repeats.trials if trial.valid)
            text = f"{least / load.n:.0%} served"
            _sideways(axes, text, place + shift, max(values))
    if drawn:
        axes.plot([], [], style.marker, color=style.colour, label=f"N = {load.n:,}, C = {load.c:,}")
    return drawn


def _sideways(axes: Axes, text: str, x: float, y: float) -> None:
    """Write above a point, upwards."""
    axes.annotate(
        text,
        (x, y),
        (0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        rotation=90,
        fontsize=7,
        color=ORANGE,
    )


def _legend(axes: Axes) -> None:
    """Put the legend above the panel, where no point can lie behind it."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.08), ncols=2, fontsize=8.5, handletextpad=0.4, columnspacing=1.0
    )


def _stage_axis(axes: Axes, stages: Sequence[Step]) -> None:
    names = [_short_name(step) for step in stages]
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.85, max(len(names), 1) - 0.4)
    axes.set_xlabel("stage")
    axes.xaxis.grid(visible=False)


def _short_name(step: Step) -> str:
    nodes = step.target.nodes
    return f"{step.target.stage}" if nodes is None else f"{step.target.stage}\n{nodes} nodes"

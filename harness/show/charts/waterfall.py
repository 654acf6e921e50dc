"""From stage to stage: each bar goes from what a figure was before to what it became; grey if that may be no change."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal

from matplotlib.axes import Axes

from harness.campaign.figures import TIMES, mean
from harness.campaign.verdicts import is_a_change
from harness.records.asked import AskedLoad
from harness.records.campaign import Figure, Step
from harness.show.charts.forest import FIGURES
from harness.show.charts.staircase import all_served, at_load, is_open, limit_of, loads_of
from harness.show.charts.style import BLUE, GREY, ORANGE, count_axis, floor_line, nothing, time_axis
from harness.units import show_load, show_time

_MORE_IS_BETTER: Final = frozenset({"N", "C", "served"})
_WIDTH: Final = 0.7
_TIMES: Final = "\N{MULTIPLICATION SIGN}"


def draw_waterfall(axes: Axes, stages: Sequence[Step], floor: Step | None, figure: Figure) -> None:
    """Draw the mean of a figure, stage after stage, each with its ratio to the one before.

    Except for limits it is that at the heaviest of the loads at which most stages served every fan. The floor's is a
    line.
    """
    load = None if figure in {"N", "C"} else _common_load(stages, figure)
    measured = [(step, value) for step in stages if (value := _value(step, load, figure)) is not None and value > 0]
    found = [(f"{step.target.stage}", value) for step, value in measured]
    axes.set_title(_title(figure, load))
    if len(found) < 2:
        nothing(axes, "no two stages were measured")
        axes.set_xticks([])
        return
    _frame(axes, found, figure)
    if floor is not None and (least := _value(floor, load, figure)) is not None:
        _floor(axes, least, f"floor: {_at_least(floor, figure)}{_show(least, figure)}", figure)
    bottom, values = axes.get_ylim()[0], [value for _, value in found]
    axes.bar([0], [values[0] - bottom], bottom=bottom, color=GREY, width=_WIDTH)
    _label(axes, 0, values[0], _show(values[0], figure), shift=13)
    for place, (before, now) in enumerate(pairwise(values), start=1):
        better = (now > before) == (figure in _MORE_IS_BETTER)
        low, high = sorted((before, now))
        colour, hatch = (BLUE, None) if better else (ORANGE, "//")
        if _is_unjudged(measured[place][0], load, figure):
            colour, hatch = GREY, None
        axes.bar([place], [high - low], bottom=low, edgecolor="white", width=_WIDTH, color=colour, hatch=hatch)
        axes.plot([place - 1.35, place + 0.35], [before, before], color=GREY, linewidth=0.8)
        _label(axes, place, high, f"{_TIMES}{now / before:.2g}")
    last = f"{_at_least(measured[-1][0], figure)}{_show(values[-1], figure)}"
    _label(axes, len(values) - 1, min(values[-2:]), last, shift=-3)


def _is_unjudged(step: Step, load: AskedLoad | None, figure: Figure) -> bool:
    """Whether no change was seen from the step before, or there were too few runs to tell."""
    of = None if load is None else show_load(load)
    return any(not is_a_change(ratio) for ratio in step.ratios if (ratio.figure, ratio.of) == (figure, of))


def _title(figure: Figure, load: AskedLoad | None) -> str:
    name, unit = FIGURES[figure], ", KiB" if figure == "memory" else ""
    at = "" if load is None else f", N = {load.n:,}, C = {load.c:,}"
    return f"{name[:1].upper()}{name[1:]}{unit}{at}"


def _frame(axes: Axes, found: Sequence[tuple[str, float]], figure: Figure) -> None:
    values = [value for _, value in found]
    low, high = min(values), max(values)
    if figure in TIMES:
        time_axis(axes, "y", low / 1.4, high * 1.5)
        if axes.get_yscale() == "linear":
            axes.set_ylim(0, high * 1.2)  # the first bar stands on it: its height is to be the figure
    else:
        if high / low > 10:
            axes.set_yscale("log")
        axes.set_ylim(low / 1.6 if high / low > 10 else 0, high * 1.2)
        count_axis(axes, "y")
    axes.set_xticks(range(len(found)), [name for name, _ in found])
    axes.set_xlabel("stage")
    axes.xaxis.grid(visible=False)


def _floor(axes: Axes, value: float, label: str, figure: Figure) -> None:
    """Draw the floor, and have the axis reach it; of a logarithmic one 0 is no part."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        if value <= 0:
            return
        low = min(low, value / 1.4)
    axes.set_ylim(low, max(high, value * 1.1))
    # Where there are no bars: limits grow from the left, and times shrink.
    side: Literal["left", "right"] = "left" if figure in _MORE_IS_BETTER else "right"
    floor_line(axes, "y", value, label, to=side)


def _label(axes: Axes, place: float, value: float, text: str, *, shift: int = 3) -> None:
    """Write so many points above a bar, or below it: what stands above the first bar leaves a line for the second."""
    side: Literal["bottom", "top"] = "bottom" if shift > 0 else "top"
    axes.annotate(text, (place, value), (0, shift), textcoords="offset points", ha="center", va=side, fontsize=7.5)


def _at_least(step: Step, figure: Figure) -> str:
    """Return what stands before a limit that nobody reached."""
    limit = limit_of(step, figure) if figure in {"N", "C"} else None
    return "≥ " if limit is not None and is_open(limit) else ""


def _show(value: float, figure: Figure) -> str:
    if figure in TIMES:
        return show_time(value)
    return f"{value:.3g} KiB" if figure == "memory" else f"{value:,.0f}"


def _common_load(stages: Sequence[Step], figure: Figure) -> AskedLoad | None:
    """Return the heaviest of the loads at which most stages served every fan."""
    return max(
        loads_of(stages),
        key=lambda load: (sum(_value(step, load, figure) is not None for step in stages), load.n),
        default=None,
    )


def _value(step: Step, load: AskedLoad | None, figure: Figure) -> float | None:
    """Return the mean of a figure, sizes in KiB; None where it was not measured, or not every fan was served."""
    match figure:
        case "N" | "C":
            limit = limit_of(step, figure)
            return None if limit is None else limit.last_pass
    repeats = None if load is None else at_load(step, load)
    if repeats is None or (figure != "served" and not all_served(repeats)):
        return None
    value = mean(repeats.trials, figure)
    return value / 1024 if value is not None and figure == "memory" else value

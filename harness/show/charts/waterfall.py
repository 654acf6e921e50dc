"""From stage to stage: each bar goes from what a figure was to what it became; grey if not known to be a change."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

from matplotlib.axes import Axes

from harness.campaign.figures import TIMES, mean
from harness.campaign.verdicts import is_a_change
from harness.records.asked import AskedLoad
from harness.records.campaign import Figure, StaircaseStep
from harness.show.charts.forest import FIGURES
from harness.show.charts.staircase import all_served, at_load, is_open, limit_of, loads_of
from harness.show.charts.style import BLUE, GREY, ORANGE, count_axis, floor_line, nothing, time_axis
from harness.units import show_growth, show_load, show_time

_MORE_IS_BETTER: Final = frozenset({"N", "C", "served"})
_UNITS: Final[Mapping[Figure, tuple[int, str]]] = MappingProxyType(
    {"memory": (2**10, "KiB"), "server_memory": (2**20, "MiB")}
)
_WIDTH: Final = 0.7
_LEFT: Final = 2.1  # stages before the first bar, for what it stands for
_TIMES: Final = "\N{MULTIPLICATION SIGN}"


def draw_waterfall(axes: Axes, stages: Sequence[StaircaseStep], floor: StaircaseStep | None, figure: Figure) -> None:
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
        shown = show_growth(least * 1024, load.n) if figure == "memory" and load is not None else _show(least, figure)
        _floor(axes, max(least, 0.0), f"floor: {_at_least(floor, figure)}{shown}", figure)
    bottom, values = axes.get_ylim()[0], [value for _, value in found]
    axes.bar([0], [values[0] - bottom], bottom=bottom, color=GREY, width=_WIDTH)
    axes.set_xlim(-_LEFT, len(values) - 0.3)
    axes.text(-0.45, values[0], _show(values[0], figure), ha="right", va="center", fontsize=7.5)
    for place, (before, now) in enumerate(pairwise(values), start=1):
        better = (now > before) == (figure in _MORE_IS_BETTER)
        low, high = sorted((before, now))
        colour, hatch = (BLUE, None) if better else (ORANGE, "//")
        if not _is_a_change(measured[place][0], load, figure):
            colour, hatch = GREY, None
        axes.bar([place], [high - low], bottom=low, edgecolor="white", width=_WIDTH, color=colour, hatch=hatch)
        axes.plot([place - 1.35, place + 0.35], [before, before], color=GREY, linewidth=0.8)
        _label(axes, place, high, f"{_TIMES}{now / before:.2g}")
    last = f"{_at_least(measured[-1][0], figure)}{_show(values[-1], figure)}"
    _label(axes, len(values) - 1, min(values[-2:]), last, shift=-3)


def _is_a_change(step: StaircaseStep, load: AskedLoad | None, figure: Figure) -> bool:
    """Whether the step was judged better or worse than the one before."""
    of = None if load is None else show_load(load)
    return any(is_a_change(ratio) for ratio in step.ratios if (ratio.figure, ratio.of) == (figure, of))


def _title(figure: Figure, load: AskedLoad | None) -> str:
    name, unit = FIGURES[figure], f", {_UNITS[figure][1]}" if figure in _UNITS else ""
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
    """Write so many points above a bar, or below it."""
    side: Literal["bottom", "top"] = "bottom" if shift > 0 else "top"
    axes.annotate(text, (place, value), (0, shift), textcoords="offset points", ha="center", va=side, fontsize=7.5)


def _at_least(step: StaircaseStep, figure: Figure) -> str:
    """Return what stands before a limit that nobody reached."""
    limit = limit_of(step, figure) if figure in {"N", "C"} else None
    return "≥ " if limit is not None and is_open(limit) else ""


def _show(value: float, figure: Figure) -> str:
    if figure in TIMES:
        return show_time(value)
    if figure in _UNITS:
        return f"{value:.3g} {_UNITS[figure][1]}"
    return f"{value:.0%}" if figure == "server_cpu" else f"{value:,.0f}"


def _common_load(stages: Sequence[StaircaseStep], figure: Figure) -> AskedLoad | None:
    """Return the heaviest of the loads at which most stages served every fan."""
    return max(
        loads_of(stages),
        key=lambda load: (sum(_value(step, load, figure) is not None for step in stages), load.n),
        default=None,
    )


def _value(step: StaircaseStep, load: AskedLoad | None, figure: Figure) -> float | None:
    """Return the mean of a figure, sizes in its unit; None where it was not measured, or not every fan was served."""
    match figure:
        case "N" | "C":
            limit = limit_of(step, figure)
            return None if limit is None else limit.last_pass
    repeats = None if load is None else at_load(step, load)
    if repeats is None or (figure != "served" and not all_served(repeats)):
        return None
    value = mean(repeats.trials, figure)
    return value / _UNITS[figure][0] if value is not None and figure in _UNITS else value

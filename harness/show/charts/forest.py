"""Ratios with their intervals, a row each, as reviews of many trials draw them: what holds 1 is no change seen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.records.campaign import Figure, Ratio
from harness.show.charts.style import BLUE, GREY, ORANGE, floor_line, nothing

FIGURES: Final[Mapping[Figure, str]] = MappingProxyType(
    {
        "N": "N",
        "C": "C",
        "served": "number of fans served",
        "art": "ART",
        "response_p99": "p99 of the response",
        "fanout": "mean fan-out",
        "fanout_last": "fan-out to the last fan",
        "memory": "memory a connection",
    }
)
"""What a figure is called on an axis."""

Tone = Literal["good", "bad", "none"]

_LOOKS: Final[Mapping[Tone, tuple[str, str]]] = MappingProxyType(
    {"good": (BLUE, "^"), "bad": (ORANGE, "v"), "none": (GREY, "o")}
)
_WHITE: Final = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}

_BEYOND: Final = 2.0
"""How many times as long the axis may become to reach the floor: a longer one would hide what the rows show."""

_NARROW, _WIDE = 8.0, 80.0
"""Ratios of the ends of the axis: below the first it is marked in tenths, above the second in decades only."""


@dataclass(frozen=True, slots=True)
class Row:
    """A ratio, or `missing`, which says why there is none; `note` is a warning that stands beside either."""

    name: str
    ratio: Ratio | None
    tone: Tone
    missing: str = "not measured"
    note: str = ""


def draw_forest(axes: Axes, rows: Sequence[Row], empty: str, floor: float | None = None) -> None:
    """Draw the rows from above; the point of one with a note is hollow. Without rows, say `empty`.

    `floor`, the ratio that nobody gets below by magic, is a line: at the edge where it lies far beyond the rows.
    """
    if not rows:
        nothing(axes, empty)
        axes.set_xticks([])
        return
    axes.set_xscale("log")
    axes.axvline(1, color=GREY, linewidth=1.0)
    ends = [1.0, *(end for place, row in enumerate(rows) for end in _draw_row(axes, place, row))]
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    shown = _with_floor(min(ends), max(ends), floor)
    _ratio_axis(axes, *shown)
    if floor is not None:
        _draw_floor(axes, floor)


def key(texts: Mapping[Tone, str]) -> list[Line2D]:
    """Return a legend's entries, with what each tone means."""
    return [Line2D([], [], color=colour, marker=marker, label=texts[tone]) for tone, (colour, marker) in _LOOKS.items()]


def show_factor(value: float) -> str:
    """Return a ratio in words, such as `1.76 times`."""
    return f"{value:,.0f} times" if value >= 99.5 else f"{value:.3g} times"


def _draw_row(axes: Axes, place: int, row: Row) -> tuple[float, ...]:
    """Draw a row, and return what must lie within the axis."""
    beside, ratio = axes.get_yaxis_transform(), row.ratio
    if row.note:
        axes.text(1.01, place, row.note, transform=beside, va="center", fontsize=8, color=ORANGE)
    if ratio is None or not ratio.value:
        axes.text(0.02, place, row.missing, transform=beside, va="center", fontsize=8, color=GREY, bbox=_WHITE)
        return ()
    low, high = (ratio.value if end is None else end for end in (ratio.low, ratio.high))
    colour, marker = _LOOKS[row.tone]
    if high > low > 0:
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
    axes.plot([ratio.value], [place], marker, color=colour, markersize=8, mfc="white" if row.note else colour)
    return tuple(end for end in (low, ratio.value, high) if end > 0)


def _with_floor(low: float, high: float, floor: float | None) -> tuple[float, float]:
    """Return the ends of the axis, with the floor between them if that does not make it much longer."""
    if floor is None or floor <= 0:
        return low, high
    wider = min(low, floor), max(high, floor)
    length, longer = (math.log(max(end / start, 1.6)) for start, end in ((low, high), wider))
    return wider if longer <= _BEYOND * length else (low, high)


def _draw_floor(axes: Axes, floor: float) -> None:
    low, high = axes.get_xlim()
    beyond = "← " if floor < low else "→ " if floor > high else ""
    floor_line(axes, "x", min(max(floor, low), high), f"{beyond}floor: {floor:.2g}")


def _ratio_axis(axes: Axes, low: float, high: float) -> None:
    axes.set_xlim(min(low / 1.15, 0.8), max(high * 1.15, 1.25))
    decade = (
        (0.6, 0.8, 1.0, 1.5, 2.0, 3.0) if high / low < _NARROW else (1.0, 2.0, 5.0) if high / low < _WIDE else (1.0,)
    )
    axes.xaxis.set_major_locator(LogLocator(10, subs=decade))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())

"""What all charts share: colours that colour-blind readers can tell apart, sizes that survive print, axes with units.

The colours are those of Okabe and Ito ("Color Universal Design", 2008), and after them three of Paul Tol's "muted"
scheme, so that every stage has one of its own. Lines differ in their dashes and points in their shapes, too, so that a
copy in grey can be read.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.units import show_time

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#CC79A7"
AMBER: Final = "#E69F00"
SKY: Final = "#56B4E9"
WINE: Final = "#882255"
OLIVE: Final = "#999933"
INDIGO: Final = "#332288"
BLACK: Final = "#000000"
GREY: Final = "#666666"

STYLE: Final[Mapping[Any, Any]] = MappingProxyType(
    {
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "legend.edgecolor": "none",
        "legend.framealpha": 0.9,
        "legend.fancybox": False,
        "lines.linewidth": 1.8,
        "figure.facecolor": "white",
    }
)


@dataclass(frozen=True, slots=True)
class SeriesStyle:
    """How one of several series is drawn: unlike the others in colour, in dashes and in the shape of its points."""

    colour: str
    dashes: Any
    marker: str
    width: float = 1.8

    @property
    def line(self) -> dict[str, Any]:
        """What matplotlib is told of a line that looks so."""
        return {"color": self.colour, "linestyle": self.dashes, "linewidth": self.width}


_STYLES: Final = (
    SeriesStyle(BLUE, "-", "o"),
    SeriesStyle(ORANGE, "--", "s"),
    SeriesStyle(GREEN, "-.", "^"),
    SeriesStyle(PURPLE, ":", "D"),
    SeriesStyle(BLACK, (0, (6, 1, 1, 1, 1, 1)), "v"),
    SeriesStyle(AMBER, (0, (3, 1)), "P"),
    SeriesStyle(SKY, (0, (1, 2)), "X"),
    SeriesStyle(WINE, (0, (8, 2)), "<"),
    SeriesStyle(OLIVE, (0, (4, 1, 1, 1)), ">"),
    SeriesStyle(INDIGO, (0, (2, 1)), "h"),
)

_FLOOR_DASHES: Final = ((0, (5, 3)), (0, (2, 2)), (0, (9, 3, 2, 3)))
_FLOOR_WIDTH: Final = 1.0

_DECADE = 10.0
"""A ratio of the ends of an axis: below it a logarithmic one has too few round numbers."""

_TICKS = 5
_LEGEND_CHARACTERS = 30

LEGEND_IN: Final = 3.3
"""Inches that `legend_beside` needs."""


def series_style(index: int) -> SeriesStyle:
    """Return the style of the series of that index; after ten the colours come again, with other dashes and points."""
    again, place = divmod(index, len(_STYLES))
    other = _STYLES[(place + again) % len(_STYLES)]
    return SeriesStyle(_STYLES[place].colour, other.dashes, other.marker)


def floor_style(index: int = 0) -> SeriesStyle:
    """Return the style of the floor in every chart: thin, dashed, grey; of several, under several loads, one each."""
    return SeriesStyle(GREY, _FLOOR_DASHES[index % len(_FLOOR_DASHES)], "d", _FLOOR_WIDTH)


def floor_line(
    axes: Axes, along: Literal["x", "y"], value: float, label: str = "", *, to: Literal["left", "right"] = "left"
) -> None:
    """Draw the floor, the figure of a server that does nothing else, at a value of the axis `along`.

    The label stands on a horizontal line, at its left or right end as `to` says, and upwards beside a vertical one.
    """
    style = floor_style()
    text: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7.5, "color": style.colour, "zorder": 1.4}
    if along == "x":
        axes.axvline(value, zorder=1.4, **style.line)
        axes.annotate(label, (value, 0), (3, 3), xycoords=axes.get_xaxis_transform(), rotation=90, va="bottom", **text)
    else:
        axes.axhline(value, zorder=1.4, **style.line)
        place, shift = (0, 3) if to == "left" else (1, -3)
        axes.annotate(
            label, (place, value), (shift, 2), xycoords=axes.get_yaxis_transform(), va="bottom", ha=to, **text
        )


def legend_beside(axes: Axes) -> None:
    """Put the legend to the right of the axes, for which the page must keep room; long labels take several lines."""
    handles, labels = axes.get_legend_handles_labels()
    wrapped = [textwrap.fill(label, _LEGEND_CHARACTERS) for label in labels]
    axes.legend(handles, wrapped, loc="upper left", bbox_to_anchor=(1.01, 1.02), fontsize=9, handlelength=2.6)


def time_axis(axes: Axes, which: str, low_s: float, high_s: float) -> None:
    """Make an axis (`x` or `y`) one of times, from below `low_s` to above `high_s`, its ticks with units.

    It is logarithmic where the times differ much, else linear.
    """
    low_s = max(low_s, 1e-6)
    high_s = max(high_s, low_s)
    axis = axes.xaxis if which == "x" else axes.yaxis
    if high_s / low_s < _DECADE:
        room_s = (high_s - low_s or low_s) * 0.15
        axes.set(**{f"{which}lim": (max(low_s - room_s, 0.0), high_s + room_s)})
        axis.set_major_locator(MaxNLocator(_TICKS))
    else:
        axes.set(**{f"{which}scale": "log", f"{which}lim": (low_s / 1.3, high_s * 1.3)})
        subs = (1.0, 2.0, 5.0) if high_s / low_s < _DECADE**2 else (1.0,)
        axis.set_major_locator(LogLocator(10, subs=subs, numticks=2 * _TICKS))
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: short_time(seconds)))
    axis.set_minor_formatter(NullFormatter())


def count_axis(axes: Axes, which: str) -> None:
    """Give an axis (`x` or `y`) whose limits are set ticks that are counts, such as `17,000`."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    if axis.get_scale() == "log":
        subs = (1.0, 2.0, 5.0) if high / low < _DECADE**2 else (1.0,)
        axis.set_major_locator(LogLocator(10, subs=subs, numticks=3 * _TICKS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}" if value < 1e6 else f"{value:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


def nothing(axes: Axes, why: str) -> None:
    """Say in empty axes why they are empty."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set_yticks([])


def short_time(seconds: float) -> str:
    """Return a time without zeros that say nothing: `2 ms`, not `2.00 ms`."""
    if seconds <= 0:
        return "0"
    number, _, unit = show_time(seconds).partition(" ")
    return f"{float(number.replace(',', '')):g} {unit}"

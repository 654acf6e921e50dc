"""What all charts share: colours that colour-blind readers can tell apart, sizes that survive print, axes with units.

The colours are those of Okabe and Ito ("Color Universal Design", 2008); lines differ in their dashes, too, so that a
copy in grey can be read.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.table import show_time

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
GREY: Final = "#666666"

STYLE: Final[Mapping[Any, Any]] = MappingProxyType(
    {
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
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

_DECADE = 10.0
"""A ratio of the ends of an axis: below it a logarithmic one has too few round numbers."""

_TICKS = 5


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


def short_time(seconds: float) -> str:
    """Return a time without zeros that say nothing: `2 ms`, not `2.00 ms`."""
    if seconds <= 0:
        return "0"
    number, _, unit = show_time(seconds).partition(" ")
    return f"{float(number.replace(',', '')):g} {unit}"

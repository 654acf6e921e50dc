"""Ratios with their intervals, as reviews of many trials draw them; a hollow point is a placebo, or has a note."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.campaign.verdicts import has_too_few_runs, is_a_failure
from harness.records.campaign import Figure, Ratio
from harness.show.campaign import show_factor
from harness.show.charts.style import BLUE, GREY, ORANGE, nothing

FIGURES: Final[Mapping[Figure, str]] = MappingProxyType(
    {
        "N": "N",
        "C": "sustained C",
        "burst C": "burst C",
        "served": "number of fans served",
        "art": "ART",
        "response_p99": "p99 of the response",
        "newcomers": "mean response to newcomers",
        "newcomers_art": "ART of newcomers",
        "fanout": "mean fan-out",
        "fanout_p99": "p99 of the fan-out",
        "fanout_last": "fan-out to the last fan",
        "memory": "memory a connection",
        "server_memory": "the server's memory",
        "server_cpu": "the server's CPU",
        "loop_lag_p99": "p99 of the loop lag",
        "api": "answer of the API",
        "cut": "number of fans cut",
        "recovery": "time to recover",
        "open_files": "open files held",
        "refusal": "time until refused",
        "returns": "mean response to who comes back",
        "missed": "number of events missed",
    }
)
"""What a figure is called on an axis."""

Tone = Literal["good", "bad", "none"]

_LOOKS: Final[Mapping[Tone, tuple[str, str]]] = MappingProxyType(
    {"good": (BLUE, "^"), "bad": (ORANGE, "v"), "none": (GREY, "o")}
)
_WHITE: Final = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}

_NARROW, _WIDE = 8.0, 80.0
"""Ratios of the ends of the axis: below the first it is marked in tenths, above the second in decades only."""


@dataclass(frozen=True, slots=True)
class Row:
    """A ratio, or `missing`, which says why it was not measured; `note` is a warning that stands beside either.

    `hollow`: its point is drawn hollow, as is that of a row with a note.
    """

    name: str
    ratio: Ratio | None
    tone: Tone
    missing: str = "not measured"
    note: str = ""
    hollow: bool = False


def draw_forest(axes: Axes, rows: Sequence[Row], empty: str) -> None:
    """Draw the rows from above. Without rows, say `empty`."""
    if not rows:
        nothing(axes, empty)
        axes.set_xticks([])
        return
    axes.set_xscale("log")
    axes.axvline(1, color=GREY, linewidth=1.0)
    ends = [1.0, *(end for place, row in enumerate(rows) for end in _draw_row(axes, place, row))]
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("ratio, with its 95 % interval", fontsize=8.5)
    _ratio_axis(axes, min(ends), max(ends))


def key(texts: Mapping[Tone, str]) -> list[Line2D]:
    """Return a legend's entries, with what each tone means."""
    return [Line2D([], [], color=colour, marker=marker, label=texts[tone]) for tone, (colour, marker) in _LOOKS.items()]


def show_times(value: float) -> str:
    """Return a ratio in words, such as `1.76 times`."""
    return f"{value:,.0f} times" if value >= 99.5 else f"{value:.3g} times"


def _draw_row(axes: Axes, place: int, row: Row) -> tuple[float, ...]:
    """Draw a row, and return what must lie within the axis."""
    beside, ratio = axes.get_yaxis_transform(), row.ratio
    colour, marker = _LOOKS[row.tone]
    if row.note:
        axes.text(1.01, place, row.note, transform=beside, va="center", fontsize=8, color=ORANGE)
    elif ratio is not None and has_too_few_runs(ratio):
        axes.text(1.01, place, ratio.judgement, transform=beside, va="center", fontsize=8, color=GREY)
    if ratio is None or not ratio.value:
        missing = row.missing if ratio is None else ratio.judgement if is_a_failure(ratio) else show_factor(ratio)
        axes.text(0.02, place, missing, transform=beside, va="center", fontsize=8, color=colour, bbox=_WHITE)
        return ()
    low, high = (ratio.value if end is None else end for end in (ratio.low, ratio.high))
    if high > low > 0:
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
    axes.plot(
        [ratio.value], [place], marker, color=colour, markersize=8, mfc="white" if row.note or row.hollow else colour
    )
    return tuple(end for end in (low, ratio.value, high) if end > 0)


def _ratio_axis(axes: Axes, low: float, high: float) -> None:
    axes.set_xlim(min(low / 1.15, 0.8), max(high * 1.15, 1.25))
    decade = (
        (0.6, 0.8, 1.0, 1.5, 2.0, 3.0) if high / low < _NARROW else (1.0, 2.0, 5.0) if high / low < _WIDE else (1.0,)
    )
    axes.xaxis.set_major_locator(LogLocator(10, subs=decade))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())

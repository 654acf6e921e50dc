"""A capacity search: every level that was tried, in the order of the trials, and the interval that they left."""

from collections.abc import Callable, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.records.search import SearchResult, SearchTrial
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.floor import Floor, belongs
from harness.show.charts.style import BLUE, GREY, ORANGE, count_axis, floor_line, legend_beside, nothing
from harness.show.search import sentence

_INCHES: Final = (11.0, 5.5)
_LEGEND_IN: Final = 2.6

_MARKS: Final[tuple[tuple[str, Callable[[SearchTrial], bool], str, str, str], ...]] = (
    ("passed, short", lambda trial: trial.passed and trial.kind == "short", "o", BLUE, "white"),
    ("passed, full or soak", lambda trial: trial.passed and trial.kind != "short", "o", BLUE, BLUE),
    ("failed", lambda trial: trial.valid and trial.is_moment and not trial.met, "X", ORANGE, ORANGE),
    ("no moment", lambda trial: trial.valid and not trial.is_moment, "D", GREY, "white"),
    ("invalid", lambda trial: not trial.valid, "s", GREY, "white"),
)


def chart_search(search: SearchResult, floors: Sequence[Floor] = ()) -> Chart:
    """Return the trials of a search, and its interval from the last pass to the first fail as a band.

    Of `floors`, the last pass of a search for the same under the same SLO is a line.
    """
    asked = search.asked
    with page(f"{asked.target.name}: the search for {asked.dimension}", *_INCHES) as figure:
        axes = figure.add_subplot(grid(figure, 1, 1, Margins(right=_LEGEND_IN, above=0.65))[0])
        if search.trials:
            _trials(axes, search)
            _floors(axes, search, floors)
            count_axis(axes, "y")
            legend_beside(axes)
        else:
            nothing(axes, "no trial was made")
    return Chart(figure, f"{sentence(search)}.", f"{made_on(search.machine)}; SLO {asked.slo}")


def _trials(axes: Axes, search: SearchResult) -> None:
    numbered = list(enumerate(search.trials, start=1))
    for label, is_one, marker, colour, inside in _MARKS:
        points = [(number, trial.level) for number, trial in numbered if is_one(trial)]
        if points:
            axes.plot(*zip(*points, strict=True), marker, color=colour, mfc=inside, markersize=8, label=label)
    low, high = search.last_pass, search.first_fail
    if low is not None and high is not None:
        axes.axhspan(low, high, color=BLUE, alpha=0.12, linewidth=0, label=f"{low:,.0f} to {high:,.0f}")
    levels = [trial.level for trial in search.trials]
    axes.set_yscale("log")
    axes.set_ylim(min(levels) / 1.3, max(levels) * 1.3)
    axes.set_xlim(0.3, len(numbered) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(search.asked.dimension)


def _floors(axes: Axes, search: SearchResult, floors: Sequence[Floor]) -> None:
    for floor in floors:
        if not isinstance(floor, SearchResult) or not belongs(floor, search) or not floor.last_pass or floor == search:
            continue
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, floor.last_pass / 1.3), max(high, floor.last_pass * 1.3))
        least = "at least " if floor.at_least else ""
        floor_line(axes, "y", floor.last_pass, f"floor: {least}{floor.last_pass:,.0f}")

"""The picture of a lesson: each figure by which it was judged, without it over with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.show.campaign import TITLES
from harness.show.charts.ablation import worth
from harness.show.charts.chart import Chart, Margins, grid, names_in, page
from harness.show.charts.forest import Row, draw_forest, key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.campaign import LessonWorth

_ROW_IN: Final = 0.3
_AXES_IN: Final = 3.6
_NOTE_IN: Final = 1.0
"""For what stands beside a row."""


def chart_lesson(name: str, worths: Sequence[LessonWorth]) -> Chart | None:
    """Return the chart of a lesson that was left out; None where nothing was measured."""
    rows = [
        Row(f"{TITLES[ratio.figure]}, {one.scenario}, {one.stage}", ratio, worth(one, ratio))
        for one in worths
        if one.change == "left out"
        for ratio in one.ratios
        if ratio.judgement != "not measured"
    ]
    if not rows:
        return None
    left = names_in(row.name for row in rows)
    with page(f"{name}: without it ÷ with it", left + _AXES_IN + _NOTE_IN, 1.6 + _ROW_IN * len(rows)) as drawing:
        cells = grid(drawing, 1, 1, Margins(left=left, right=_NOTE_IN, above=0.95, below=0.6))
        draw_forest(drawing.add_subplot(cells[0]), rows, "")
        entries = key({"good": "it helps", "bad": "it hurts", "none": "no change seen, or too few runs to tell"})
        drawing.legend(
            handles=entries, loc="upper right", bbox_to_anchor=(0.985, 1 - 0.45 / drawing.get_figheight()), ncols=3
        )
    return Chart(
        drawing, f"What each figure is without {name}, over what it is with it; each by its scenario and stage."
    )

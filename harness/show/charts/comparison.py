"""What changed from one result to another, figure by figure."""

from typing import Final

from harness.campaign.verdicts import is_a_failure
from harness.records.campaign import Comparison, Judgement, Ratio
from harness.show.charts.chart import Chart, Margins, grid, names_in, page
from harness.show.charts.forest import FIGURES, Row, Tone, draw_forest, key, show_times

_WIDTH_IN: Final = 10.0
_ROW_IN: Final = 0.36
_TONES: Final[dict[Judgement, Tone]] = {
    "better": "good",
    "reference fails": "good",
    "worse": "bad",
    "fails": "bad",
}


def chart_comparison(comparison: Comparison) -> Chart:
    """Return the ratio of every figure of B to that of A, with its interval; warnings stand under it."""
    rows = [
        Row(f"{FIGURES[ratio.figure]}{_place(ratio)}", ratio, _TONES.get(ratio.judgement, "none"))
        for ratio in comparison.ratios
    ]
    height_in = 2.1 + _ROW_IN * max(len(rows), 4)
    with page(f"{comparison.b} over {comparison.a}", _WIDTH_IN, height_in) as figure:
        left_in = names_in(row.name for row in rows)
        draw_forest(
            figure.add_subplot(grid(figure, 1, 1, Margins(left=left_in, above=1.0))[0]), rows, "nothing was compared"
        )
        entries = key({"good": "better", "bad": "worse", "none": "no change seen"})
        figure.legend(handles=entries, loc="upper right", bbox_to_anchor=(0.985, 1 - 0.45 / height_in), ncols=3)
    return Chart(figure, comparison_finding(comparison), "; ".join(comparison.warnings))


def comparison_finding(comparison: Comparison) -> str:
    """Return in one sentence what became better, and what worse."""
    parts = []
    for judgement in ("better", "worse"):
        named = [
            f"{FIGURES[ratio.figure]}{_place(ratio)} ({show_times(ratio.value)})"
            for ratio in comparison.ratios
            if ratio.judgement == judgement and ratio.value is not None
        ]
        if named:
            parts.append(f"{judgement} by {', '.join(named)}")
    told = [f"B is {' and '.join(parts)}."] if parts else []
    told += [
        f"{FIGURES[ratio.figure]}{_place(ratio)}: {ratio.judgement.replace('reference', 'A')}."
        for ratio in comparison.ratios
        if is_a_failure(ratio)
    ]
    return " ".join(told) or "No change was seen."


def _place(ratio: Ratio) -> str:
    return "" if ratio.of is None else f", {ratio.of}"

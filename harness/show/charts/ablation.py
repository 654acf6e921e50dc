"""What each lesson is worth, by one figure: the stages' way, beside each lesson left out, and each added alone.

Lessons are measured in several scenarios, and each is compared with its own reference there. So every scenario has a
placebo among the rows: a second row of the same server, which shows how far chance alone moves a ratio.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Final

from harness.campaign.figures import SAME_FANS, mean, values
from harness.campaign.verdicts import is_a_change
from harness.records.campaign import Ablation, Figure, Judgement, LessonWorth, Ratio, Staircase
from harness.show.campaign import show_factor, show_placebos
from harness.show.charts.chart import Chart, Margins, grid, made_on, names_in, page
from harness.show.charts.forest import FIGURES, Row, Tone, draw_forest, key, show_times
from harness.show.charts.staircase import floor_of, stages_of
from harness.show.charts.waterfall import draw_waterfall

_PANEL_IN: Final = 3.2
_NOTE_IN: Final = 0.85  # for what stands beside a row
_ROW_IN: Final = 0.32
_NAMED: Final = 5  # lessons that a finding names
_REASON: Final = 44  # characters that fit beside a lesson which was refused

_UNCHANGED: Final[dict[Judgement, str]] = {
    "no change seen": "no change was seen",
    "too few runs": "there were too few runs to tell",
    "fails": "it is infinite without the lesson",
    "reference fails": "it is infinite with the lesson",
    "both fail": "it is infinite with the lesson and without",
}
"""What a finding says of those that are neither worse nor better."""


def chart_ablation(ablation: Ablation, staircase: Staircase | None, figure: Figure = "art") -> Chart:
    """Return a figure from stage to stage, and each lesson's ratio of it where it was compared by that figure.

    A lesson that helps is worse to be without, or better to be with. Without a staircase there are no stages. Rows of
    placebos are hollow.
    """
    panels = _panels(ablation, figure)
    height_in = 2.2 + _ROW_IN * max(8, *(len(rows) for _, rows in panels))
    columns = len(panels) + (staircase is not None)
    title = f"What each lesson is worth: {FIGURES[figure]}"
    names = names_in(row.name for _, rows in panels for row in rows)
    left, between = names if staircase is None else 0.9, names + _NOTE_IN
    with page(title, left + _PANEL_IN * columns + between * (columns - 1) + _NOTE_IN, height_in) as drawing:
        margins = Margins(left=left, right=_NOTE_IN, above=1.3, below=0.6)
        cells = grid(drawing, 1, columns, margins, wspace=between / _PANEL_IN)
        if staircase is not None:
            draw_waterfall(drawing.add_subplot(cells[0]), stages_of(staircase), floor_of(staircase), figure)
        for place, (name, rows) in enumerate(panels, start=columns - len(panels)):
            axes = drawing.add_subplot(cells[place])
            axes.set_title(name, fontsize=10)
            draw_forest(axes, rows, "no lesson was measured")
        entries = key(
            {"good": "the lesson helps", "bad": "the lesson hurts", "none": "no change seen, or too few runs to tell"}
        )
        drawing.legend(handles=entries, loc="upper right", bbox_to_anchor=(0.985, 1 - 0.5 / height_in), ncols=3)
    when = f"{ablation.started_at:%Y-%m-%d}"
    source = f"{made_on(ablation.machine)}; {when}; 95 % intervals; {show_placebos(ablation.placebo_verdicts)}"
    return Chart(drawing, ablation_finding(ablation, figure), source)


def _panels(ablation: Ablation, figure: Figure) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Return the title of each panel, and its rows: lessons, and the placebos of what they are compared with."""
    lessons = (*compared(ablation, figure), *(one for one in ablation.lessons if one.scenario is None))
    last = [one for one in lessons if one.change == "left out" and one.stage == ablation.stage]
    first = [one for one in lessons if one.change == "left out" and one.stage != ablation.stage]
    added = [one for one in lessons if one.change == "added"]
    return tuple(
        (name, (*(_row(ablation, one, figure) for one in these), *_placebos(ablation, these, figure)))
        for name, these in (
            (f"Left out of stage {ablation.stage}: without ÷ with", last),
            ("Left out of the stage that introduced it", first),
            ("Added to the baseline: with ÷ without", added),
        )
    )


def compared(ablation: Ablation, figure: Figure) -> tuple[LessonWorth, ...]:
    """Return the lessons that were, or would have been, compared by a figure in a scenario, in their order."""
    found = [(one.scenario, one.ratios) for one in ablation.references]
    found += [(one.scenario or "", one.ratios) for one in ablation.lessons]
    scenarios = {scenario for scenario, ratios in found if ratio_of(ratios, figure) is not None} - {""}
    return tuple(one for one in ablation.lessons if one.scenario in scenarios)


def ratio_of(ratios: Sequence[Ratio], figure: Figure) -> Ratio | None:
    """Return the ratio of a figure, or None where it was not measured."""
    return next((ratio for ratio in ratios if ratio.figure == figure and ratio.judgement != "not measured"), None)


def measured_figures(ablation: Ablation) -> tuple[Figure, ...]:
    """Return the figures by which any lesson was compared."""
    return tuple(figure for figure in FIGURES if any(ratio_of(one.ratios, figure) for one in ablation.lessons))


def worth(lesson: LessonWorth, ratio: Ratio) -> Tone:
    """Return what the judgement on the changed server says of the lesson itself: good if it helps."""
    if not is_a_change(ratio) and ratio.judgement not in {"fails", "reference fails"}:
        return "none"
    return "good" if (ratio.judgement in {"better", "reference fails"}) == (lesson.change == "added") else "bad"


def ablation_finding(ablation: Ablation, figure: Figure = "art") -> str:
    """Return in one sentence which lessons still pay, by `figure`, when they are left out of the last stage.

    Where not every fan was served, that is said instead of a time: it would be that of the others.
    """
    lessons = [one for one in compared(ablation, figure) if one.change == "left out" and one.stage == ablation.stage]
    short = [one for one in lessons if _note(ablation, one, figure)]
    whole = [(one, ratio) for one in lessons if one not in short and (ratio := ratio_of(one.ratios, figure))]
    if not short and not whole:
        return f"No lesson's {FIGURES[figure]} was measured."
    parts = [f"without {_name(one)} only {_note(ablation, one, figure)}" for one in short]
    for found, word in (("good", "worse"), ("bad", "better")):
        judged = [(one, ratio) for one, ratio in whole if is_a_change(ratio) and worth(one, ratio) == found]
        if judged:
            parts.append(f"{FIGURES[figure]} is {word} without {_furthest(judged)}")
    asked = len(short) + len(whole)
    for judgement, text in _UNCHANGED.items():
        if count := sum(ratio.judgement == judgement for _, ratio in whole):
            parts.append(f"{text} in {count} of {asked}")
    return f"Stage {ablation.stage}: {'; '.join(parts)}."


def _furthest(judged: Sequence[tuple[LessonWorth, Ratio]]) -> str:
    """Name the lessons whose ratios are furthest from 1, and say how many there are besides."""
    ordered = sorted(judged, key=lambda each: -abs(math.log(max(each[1].value or 0.0, 1e-9))))
    named = [
        f"{_name(one)} ({show_times(ratio.value) if ratio.value else show_factor(ratio)})"
        for one, ratio in ordered[:_NAMED]
    ]
    more = [f"{len(ordered) - _NAMED} more"] if len(ordered) > _NAMED else []
    return _list([*named, *more])


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _name(lesson: LessonWorth) -> str:
    return f"{lesson.lesson} in {lesson.scenario}"


def _row(ablation: Ablation, lesson: LessonWorth, figure: Figure) -> Row:
    ratio, note = ratio_of(lesson.ratios, figure), _note(ablation, lesson, figure)
    tone = "none" if ratio is None else worth(lesson, ratio)
    if lesson.refused is None:
        missing = "not exercised" if lesson.scenario is None else "not compared" if note else "not measured"
    else:
        missing = textwrap.shorten(f"refused: {lesson.refused}", _REASON, placeholder=" …")
    name = lesson.lesson if lesson.scenario is None else f"{lesson.lesson}, {lesson.scenario}"
    return Row(name, ratio, tone, missing, note)


def _placebos(ablation: Ablation, lessons: Sequence[LessonWorth], figure: Figure) -> tuple[Row, ...]:
    where = {(one.stage, one.scenario) for one in lessons}
    return tuple(
        Row(f"placebo {one.stage}, {one.scenario}", ratio, "bad" if is_a_change(ratio) else "none", hollow=True)
        for one in ablation.references
        if (one.stage, one.scenario) in where and (ratio := ratio_of(one.ratios, figure)) is not None
    )


def _note(ablation: Ablation, lesson: LessonWorth, figure: Figure) -> str:
    """Say of a server that served fewer fans than the unchanged one that it did: other figures are those of the rest.

    In some scenarios not all fans are to be served: they leave, or do not read.
    """
    served = [] if lesson.measured is None else values(lesson.measured.trials, "served")
    usual = next(
        (
            mean(one.measured.trials, "served")
            for one in ablation.references
            if (one.stage, one.scenario) == (lesson.stage, lesson.scenario) and one.measured is not None
        ),
        None,
    )
    if figure == "served" or not served or not usual or min(served) >= SAME_FANS * usual:
        return ""
    return f"{min(served) / usual:.0%} served"

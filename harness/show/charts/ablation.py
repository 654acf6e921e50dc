"""What each lesson is worth, by one figure: the stages' way, beside each lesson left out, and each added alone.

Lessons are measured in several scenarios, and each is compared with its own reference there. So every scenario has a
placebo among the rows: a second row of the same server, which shows how far chance alone moves a ratio.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Final

from harness.campaign.verdicts import is_a_change
from harness.records.campaign import Ablation, Figure, LessonWorth, Ratio, Staircase
from harness.show.campaign import show_placebos
from harness.show.charts.chart import Chart, Margins, grid, made_on, names_in, page
from harness.show.charts.forest import FIGURES, Row, Tone, draw_forest, key, show_factor
from harness.show.charts.staircase import all_served, floor_of, stages_of
from harness.show.charts.waterfall import draw_waterfall

_PANEL_IN: Final = 4.9
_ROW_IN: Final = 0.32
_REASON: Final = 44  # characters that fit beside a lesson which was refused


def chart_ablation(ablation: Ablation, staircase: Staircase | None, figure: Figure = "art") -> Chart:
    """Return a figure from stage to stage, and each lesson's ratio of it where it was compared by that figure.

    A lesson that helps is worse to be without, or better to be with. Without a staircase there are no stages. Rows of
    placebos are hollow.
    """
    panels = _panels(ablation, figure)
    height_in = 2.2 + _ROW_IN * max(8, *(len(rows) for _, rows in panels))
    columns = len(panels) + (staircase is not None)
    title = f"What each lesson is worth: {FIGURES[figure]}"
    with page(title, _PANEL_IN * columns, height_in) as drawing:
        left = names_in(row.name for _, rows in panels for row in rows)
        margins = Margins(left=0.9 if staircase is not None else left, right=0.75, above=1.3, below=0.6)
        cells = grid(drawing, 1, columns, margins, wspace=0.75)
        if staircase is not None:
            draw_waterfall(drawing.add_subplot(cells[0]), stages_of(staircase), floor_of(staircase), figure)
        for place, (name, rows) in enumerate(panels, start=columns - len(panels)):
            axes = drawing.add_subplot(cells[place])
            axes.set_title(name, fontsize=10)
            draw_forest(axes, rows, "no lesson was measured")
        entries = key({"good": "the lesson helps", "bad": "the lesson hurts", "none": "no change seen"})
        drawing.legend(handles=entries, loc="upper right", bbox_to_anchor=(0.985, 1 - 0.5 / height_in), ncols=3)
    when = f"{ablation.started_at:%Y-%m-%d}"
    source = f"{made_on(ablation.machine)}; {when}; 95 % intervals; {show_placebos(ablation.placebo_verdicts)}"
    return Chart(drawing, ablation_finding(ablation, figure), source)


def _panels(ablation: Ablation, figure: Figure) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Return the title of each panel, and its rows: lessons, and the placebos of what they are compared with."""
    last = [one for one in compared(ablation, figure) if one.change == "left out" and one.stage == ablation.stage]
    first = [one for one in compared(ablation, figure) if one.change == "left out" and one.stage != ablation.stage]
    added = [one for one in compared(ablation, figure) if one.change == "added"]
    return tuple(
        (name, (*(_row(one, figure) for one in lessons), *_placebos(ablation, lessons, figure)))
        for name, lessons in (
            (f"Left out of stage {ablation.stage}: without ÷ with", last),
            ("Left out of the stage that introduced it", first),
            ("Added to the baseline: with ÷ without", added),
        )
    )


def compared(ablation: Ablation, figure: Figure) -> tuple[LessonWorth, ...]:
    """Return the lessons that were, or would have been, compared by a figure, in their order.

    Where no scenario exercised a lesson there is nothing to draw: tables say so.
    """
    found = [(one.scenario, one.ratios) for one in ablation.references]
    found += [(one.scenario or "", one.ratios) for one in ablation.lessons]
    scenarios = {scenario for scenario, ratios in found if ratio_of(ratios, figure) is not None}
    return tuple(one for one in ablation.lessons if one.scenario in scenarios)


def ratio_of(ratios: Sequence[Ratio], figure: Figure) -> Ratio | None:
    """Return the ratio of a figure, or None where it was not measured."""
    return next((ratio for ratio in ratios if ratio.figure == figure and ratio.judgement != "not measured"), None)


def measured_figures(ablation: Ablation) -> tuple[Figure, ...]:
    """Return the figures by which any lesson was compared."""
    return tuple(figure for figure in FIGURES if any(ratio_of(one.ratios, figure) for one in ablation.lessons))


def worth(lesson: LessonWorth, ratio: Ratio) -> Tone:
    """Return what the judgement on the changed server says of the lesson itself: good if it helps."""
    if not is_a_change(ratio):
        return "none"
    return "good" if (ratio.judgement == "better") == (lesson.change == "added") else "bad"


def ablation_finding(ablation: Ablation, figure: Figure = "art") -> str:
    """Return in one sentence which lessons still pay, by `figure`, when they are left out of the last stage.

    Where not every fan was served, that is said instead of a time: it would be that of the others.
    """
    lessons = [one for one in compared(ablation, figure) if one.change == "left out" and one.stage == ablation.stage]
    short = [one for one in lessons if _note(one, figure)]
    judged = [
        (worth(one, ratio), ratio.value or 1.0, _name(one))
        for one in lessons
        if one not in short and (ratio := ratio_of(one.ratios, figure)) is not None
    ]
    if not short and not judged:
        return f"No lesson's {FIGURES[figure]} was measured."
    parts = [f"without {_name(one)} only {_note(one, figure)}" for one in short]
    for found, word in (("good", "worse"), ("bad", "better")):
        named = sorted(((value, name) for tone, value, name in judged if tone == found), key=_furthest)
        if named:
            each = _list([f"{name} ({show_factor(value)})" for value, name in named])
            parts.append(f"{FIGURES[figure]} is {word} without {each}")
    unchanged = sum(found == "none" for found, _, _ in judged)
    if unchanged:
        parts.append(f"no change was seen in {unchanged} of {len(short) + len(judged)}")
    return f"Stage {ablation.stage}: {'; '.join(parts)}."


def _furthest(ratio: tuple[float, str]) -> float:
    """Order ratios by how far they are from 1, the furthest first."""
    return -abs(math.log(max(ratio[0], 1e-9)))


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _name(lesson: LessonWorth) -> str:
    return f"{lesson.lesson} in {lesson.scenario}"


def _row(lesson: LessonWorth, figure: Figure) -> Row:
    ratio, note = ratio_of(lesson.ratios, figure), _note(lesson, figure)
    tone = "none" if ratio is None else worth(lesson, ratio)
    if lesson.refused is None:
        missing = "none" if ratio is not None else "not compared" if note else "not measured"
    else:
        missing = textwrap.shorten(f"refused: {lesson.refused}", _REASON, placeholder=" …")
    return Row(f"{lesson.lesson}, {lesson.scenario}", ratio, tone, missing, note)


def _placebos(ablation: Ablation, lessons: Sequence[LessonWorth], figure: Figure) -> tuple[Row, ...]:
    where = {(one.stage, one.scenario) for one in lessons}
    return tuple(
        Row(f"placebo {one.stage}, {one.scenario}", ratio, "bad" if is_a_change(ratio) else "none", hollow=True)
        for one in ablation.references
        if (one.stage, one.scenario) in where and (ratio := ratio_of(one.ratios, figure)) is not None
    )


def _note(lesson: LessonWorth, figure: Figure) -> str:
    """Say of a server that did not serve every fan that it did not: the figures are then those of the others.

    Except for how many were served.
    """
    if figure == "served" or lesson.measured is None or all_served(lesson.measured):
        return ""
    served = min(trial.served for trial in lesson.measured.trials if trial.valid)
    return f"{served / lesson.measured.load.n:.0%} served"

"""What each lesson is worth: ART from stage to stage, beside each lesson left out, and each added alone."""

import math
import textwrap
from collections.abc import Sequence
from typing import Final, Literal

from harness.campaign.figures import TIMES, mean
from harness.records.campaign import Ablation, Figure, LessonWorth, Measurement, Ratio, Repeats, Staircase, measurement
from harness.records.trial import AskedLoad, TrialResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, names_in, page
from harness.show.charts.floor import Floor
from harness.show.charts.forest import FIGURES, Row, Tone, draw_forest, key, show_factor
from harness.show.charts.staircase import all_served, at_load, floor_of, stages_of
from harness.show.charts.waterfall import draw_waterfall

Change = Literal["left out", "added"]

_WIDTHS_IN: Final = (12.5, 14.5)
"""Of a page without the stages, and with them."""

_ROW_IN: Final = 0.32
_REASON: Final = 44  # characters that fit beside a lesson which was refused


def chart_ablation(
    ablation: Ablation, staircase: Staircase | None, figure: Figure = "art", floors: Sequence[Floor] = ()
) -> Chart:
    """Return a figure from stage to stage, and each lesson's ratio of it: left out, and added alone.

    A lesson that helps is worse to be without, or better to be with. Without a staircase there are no stages. The
    floor, over what the lessons are compared with, is drawn where the staircase or `floors` has it under that load.
    """
    left_out, added = of_change(ablation, "left out"), of_change(ablation, "added")
    height_in = 2.2 + _ROW_IN * max(len(left_out), len(added), 8)
    title, name = f"What each lesson of stage {ablation.stage} is worth: {FIGURES[figure]}", FIGURES[figure]
    with page(title, _WIDTHS_IN[staircase is not None], height_in) as drawing:
        columns = 2 if staircase is None else 3
        left = 0.9 if staircase is not None else names_in(lesson.lesson for lesson in ablation.lessons)
        cells = grid(drawing, 1, columns, Margins(left=left, right=0.75, above=1.3, below=0.6), wspace=0.45)
        if staircase is not None:
            draw_waterfall(drawing.add_subplot(cells[0]), stages_of(staircase), floor_of(staircase), figure)
        for place, lessons, of, reference in (
            (-2, left_out, "Left out, without ÷ with", ablation.whole),
            (-1, added, "Added, with ÷ without", ablation.baseline),
        ):
            axes = drawing.add_subplot(cells[place])
            axes.set_title(f"{of}: {name}", fontsize=10)
            measured = _floors_at(reference.load, staircase, floors)
            floor = floor_ratio(reference, measured, figure)
            draw_forest(axes, [_row(lesson, figure) for lesson in lessons], "no lesson was measured", floor)
        entries = key({"good": "the lesson helps", "bad": "the lesson hurts", "none": "no change seen"})
        drawing.legend(handles=entries, loc="upper right", bbox_to_anchor=(0.985, 1 - 0.5 / height_in), ncols=3)
    intervals = "what one search each leaves open" if figure in {"N", "C"} else "95 % bootstrap intervals"
    source = f"{made_on(ablation.machine)}; {ablation.started_at:%Y-%m-%d}; {intervals}"
    return Chart(drawing, ablation_finding(ablation, figure), source)


def of_change(ablation: Ablation, change: Change) -> tuple[LessonWorth, ...]:
    """Return the lessons that were left out, or added, in their order."""
    return tuple(lesson for lesson in ablation.lessons if lesson.change == change)


def ratio_of(lesson: LessonWorth, figure: Figure) -> Ratio | None:
    """Return the ratio of a figure, or None where it was not measured."""
    found = next((ratio for ratio in lesson.ratios if ratio.figure == figure), None)
    return None if found is None or found.value is None else found


def measured_figures(ablation: Ablation) -> tuple[Figure, ...]:
    """Return the figures by which any lesson was compared."""
    return tuple(figure for figure in FIGURES if any(ratio_of(lesson, figure) for lesson in ablation.lessons))


def floor_ratio(reference: Repeats, floors: Sequence[Measurement], figure: Figure) -> float | None:
    """Return the floor's figure over that of a reference, both means; None where either was not measured.

    Nor is there one of what the floor is no floor of: a count of fans, or a limit that was searched for.
    """
    if figure not in TIMES | {"memory"} or not all_served(reference):
        return None
    least, whole = mean(floors, figure), mean(reference.trials, figure)
    return None if least is None or not whole else least / whole


def worth(lesson: LessonWorth, ratio: Ratio) -> Tone:
    """Return what the judgement on the changed server says of the lesson itself: good if it helps."""
    if ratio.judgement not in {"better", "worse"}:
        return "none"
    return "good" if (ratio.judgement == "better") == (lesson.change == "added") else "bad"


def ablation_finding(ablation: Ablation, figure: Figure = "art") -> str:
    """Return in one sentence which lessons still pay, by `figure`, when they are left out of the stage.

    Where not every fan was served, that is said instead of a figure: it would be that of the others.
    """
    left_out = of_change(ablation, "left out")
    short = [lesson for lesson in left_out if _note(lesson, figure)]
    lessons = [lesson for lesson in left_out if lesson in short or ratio_of(lesson, figure) is not None]
    if not lessons:
        return f"No lesson's {FIGURES[figure]} was measured."
    judged = [
        (worth(lesson, ratio), ratio.value or 1.0, lesson.lesson)
        for lesson in lessons
        if lesson not in short and (ratio := ratio_of(lesson, figure)) is not None
    ]
    parts = [f"without {lesson.lesson} only {_note(lesson, figure)}" for lesson in short]
    for found, word in (("good", "worse"), ("bad", "better")):
        named = sorted(((value, name) for worth_, value, name in judged if worth_ == found), key=_furthest)
        if named:
            each = _list([f"{name} ({show_factor(value)})" for value, name in named])
            parts.append(f"{FIGURES[figure]} is {word} without {each}")
    unchanged = sum(found == "none" for found, _, _ in judged)
    if unchanged:
        parts.append(f"no change was seen without {unchanged} of {len(lessons)} lessons")
    return f"Stage {ablation.stage}: {'; '.join(parts)}."


def _floors_at(load: AskedLoad, staircase: Staircase | None, floors: Sequence[Floor]) -> tuple[Measurement, ...]:
    """Return what the floor did under a load."""
    step = None if staircase is None else floor_of(staircase)
    repeats = None if step is None else at_load(step, load)
    given = (floor for floor in floors if isinstance(floor, TrialResult) and floor.asked.load == load)
    stored = () if repeats is None else repeats.trials
    return (*stored, *(measurement(floor, "") for floor in given))


def _furthest(ratio: tuple[float, str]) -> float:
    """Order ratios by how far they are from 1, the furthest first."""
    return -abs(math.log(max(ratio[0], 1e-9)))


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _row(lesson: LessonWorth, figure: Figure) -> Row:
    ratio, note = ratio_of(lesson, figure), _note(lesson, figure)
    tone = "none" if ratio is None else worth(lesson, ratio)
    if lesson.refused is None:
        missing = "not compared" if note else "not measured"
    else:
        missing = textwrap.shorten(f"refused: {lesson.refused}", _REASON, placeholder=" …")
    return Row(lesson.lesson, ratio, tone, missing, note)


def _note(lesson: LessonWorth, figure: Figure) -> str:
    """Say of a server that did not serve every fan that it did not: the figures are then those of the others.

    Except for how many were served, and for limits, which were searched for.
    """
    if figure in {"N", "C", "served"} or lesson.measured is None or all_served(lesson.measured):
        return ""
    served = min(trial.served for trial in lesson.measured.trials if trial.valid)
    return f"{served / lesson.measured.load.n:.0%} served"

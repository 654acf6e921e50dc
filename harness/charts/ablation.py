"""What each lesson is worth: ART from stage to stage, beside each lesson left out, and each added alone."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.campaign.record import Ablation, Figure, LessonWorth, Ratio, Staircase, Step
from harness.charts.chart import Chart, Margins, grid, made_on, page
from harness.charts.staircase import all_served, arts, at_load, loads_of, stages_of
from harness.charts.style import BLUE, GREY, ORANGE, nothing, time_axis
from harness.result import AskedLoad
from harness.table import show_time

Change = Literal["left out", "added"]
Worth = Literal["helps", "hurts", "no change seen"]

FIGURES: Final[dict[Figure, str]] = {
    "N": "N",
    "C": "C",
    "served": "fans served",
    "art": "ART",
    "response_p99": "p99 of the response",
    "fanout": "fan-out, mean",
    "fanout_last": "fan-out, last fan",
    "memory": "memory a connection",
}
"""What a figure is called on an axis."""

_LOOKS: Final[dict[Worth, tuple[str, str]]] = {
    "helps": (BLUE, "^"),
    "hurts": (ORANGE, "v"),
    "no change seen": (GREY, "o"),
}
_WIDTH_IN: Final = 14.0
_ROW_IN: Final = 0.32
_REASON: Final = 44  # characters that fit beside a lesson which was refused


def chart_ablation(ablation: Ablation, staircase: Staircase | None, figure: Figure = "art") -> Chart:
    """Return three panels: ART from stage to stage, and each lesson's ratio of `figure`, left out and added alone.

    A lesson that helps is worse to be without, or better to be with. The stages' ART is that of the heaviest load at
    which most of them served every fan; without a staircase that panel says so.
    """
    rows = max((len(of_change(ablation, "left out")), len(of_change(ablation, "added")), 8))
    height_in = 2.2 + _ROW_IN * rows
    title = f"What each lesson of stage {ablation.stage} is worth: {FIGURES[figure]}"
    with page(title, _WIDTH_IN, height_in) as drawing:
        cells = grid(drawing, 1, 3, Margins(right=0.75, above=1.3, below=0.6), wspace=0.42, width_ratios=(1, 1, 1))
        _waterfall(drawing.add_subplot(cells[0]), stages_of(staircase) if staircase is not None else ())
        names = FIGURES[figure]
        left_out, added = drawing.add_subplot(cells[1]), drawing.add_subplot(cells[2])
        left_out.set_title(f"Left out: {names}, without ÷ with")
        _forest(left_out, of_change(ablation, "left out"), figure)
        added.set_title(f"Added to stage 0: {names}, with ÷ without")
        _forest(added, of_change(ablation, "added"), figure)
        drawing.legend(
            handles=[
                Line2D([], [], color=colour, marker=marker, label=f"the lesson {worth}" if worth[0] == "h" else worth)
                for worth, (colour, marker) in _LOOKS.items()
            ],
            loc="upper right",
            bbox_to_anchor=(0.985, 1 - 0.5 / height_in),
            ncols=3,
        )
    source = f"{made_on(ablation.machine)}; {ablation.started_at:%Y-%m-%d}; 95 % bootstrap intervals"
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


def worth(lesson: LessonWorth, ratio: Ratio) -> Worth:
    """Return what the judgement on the changed server says of the lesson itself."""
    if ratio.judgement not in {"better", "worse"}:
        return "no change seen"
    return "helps" if (ratio.judgement == "better") == (lesson.change == "added") else "hurts"


def ablation_finding(ablation: Ablation, figure: Figure = "art") -> str:
    """Return in one sentence which lessons still pay, by `figure`, when they are left out of the stage.

    Where not every fan was served, that is said instead of a figure: it would be that of the others.
    """
    left_out = of_change(ablation, "left out")
    short = [lesson for lesson in left_out if figure not in {"N", "C", "served"} and _note(lesson)]
    lessons = [lesson for lesson in left_out if lesson in short or ratio_of(lesson, figure) is not None]
    if not lessons:
        return f"No lesson's {FIGURES[figure]} was measured."
    judged = [
        (worth(lesson, ratio), ratio.value or 1.0, lesson.lesson)
        for lesson in lessons
        if lesson not in short and (ratio := ratio_of(lesson, figure)) is not None
    ]
    parts = [f"without {lesson.lesson} only {_note(lesson)}" for lesson in short]
    for found, word in (("helps", "worse"), ("hurts", "better")):
        named = sorted(((value, name) for worth_, value, name in judged if worth_ == found), key=_furthest)
        if named:
            each = _list([f"{name} ({value:.3g} times)" for value, name in named])
            parts.append(f"{FIGURES[figure]} is {word} without {each}")
    unchanged = sum(found == "no change seen" for found, _, _ in judged)
    if unchanged:
        parts.append(f"no change was seen without {unchanged} of {len(lessons)} lessons")
    return f"Stage {ablation.stage}: {'; '.join(parts)}."


def _furthest(ratio: tuple[float, str]) -> float:
    """Order ratios by how far they are from 1, the furthest first."""
    return -abs(math.log(max(ratio[0], 1e-9)))


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _forest(axes: Axes, lessons: Sequence[LessonWorth], figure: Figure) -> None:
    """Draw a row a lesson: its ratio with the interval, or why there is none."""
    if not lessons:
        nothing(axes, "no lesson was measured")
        axes.set_xticks([])
        return
    axes.set_xscale("log")
    axes.axvline(1, color=GREY, linewidth=1.0)
    beside = axes.get_yaxis_transform()
    ends = [1.0]
    for row, lesson in enumerate(lessons):
        ratio, note = ratio_of(lesson, figure), _note(lesson)
        if note:
            axes.text(1.01, row, note, transform=beside, va="center", fontsize=8, color=ORANGE)
        if ratio is None or ratio.value is None or ratio.value <= 0:
            axes.text(0.02, row, _why_not(lesson), transform=beside, va="center", fontsize=8, color=GREY)
            continue
        low, high = (ratio.value if end is None else end for end in (ratio.low, ratio.high))
        colour, marker = _LOOKS[worth(lesson, ratio)]
        axes.plot([max(low, 1e-6), high], [row, row], color=colour, linewidth=2)
        axes.plot([ratio.value], [row], marker, color=colour, markersize=8, mfc="white" if note else colour)
        ends += [low, ratio.value, high]
    axes.set_yticks(range(len(lessons)), [lesson.lesson for lesson in lessons])
    axes.set_ylim(len(lessons) - 0.4, -0.6)
    _ratio_axis(axes, min(end for end in ends if end > 0), max(ends))


def _ratio_axis(axes: Axes, low: float, high: float) -> None:
    axes.set_xlim(min(low / 1.15, 0.8), max(high * 1.15, 1.25))
    width = high / low
    axes.xaxis.set_major_locator(
        LogLocator(10, subs=(0.6, 0.8, 1.0, 1.5, 2.0, 3.0) if width < 8 else (1.0, 2.0, 5.0) if width < 80 else (1.0,))
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _why_not(lesson: LessonWorth) -> str:
    if lesson.refused is None:
        return "not compared" if _note(lesson) else "not measured"
    reason = f"refused: {lesson.refused}"
    return reason if len(reason) <= _REASON else f"{reason[: _REASON - 1].rstrip()}…"


def _note(lesson: LessonWorth) -> str:
    """Say of a server that did not serve every fan that it did not: the figures are then those of the others."""
    if lesson.measured is None or all_served(lesson.measured):
        return ""
    served = min(trial.served for trial in lesson.measured.trials if trial.valid)
    return f"{served / lesson.measured.load.n:.0%} served"


def _waterfall(axes: Axes, stages: Sequence[Step]) -> None:
    """Draw ART from stage to stage: each bar goes from what it was before to what it became."""
    load = _common_load(stages)
    found = [
        (f"{step.target.stage}", sum(values) / len(values))
        for step in stages
        if load is not None and (values := _served_arts(step, load))
    ]
    if load is None or len(found) < 2:
        axes.set_title("ART of the stages")
        nothing(axes, "no staircase was measured")
        axes.set_xticks([])
        return
    axes.set_title(f"ART of the stages, N = {load.n:,}, C = {load.c:,}")
    values_s = [value for _, value in found]
    time_axis(axes, "y", min(values_s) / 1.2, max(values_s) * 1.2)
    axes.set_xticks(range(len(found)), [name for name, _ in found])
    axes.set_xlabel("stage")
    axes.xaxis.grid(visible=False)
    bottom = axes.get_ylim()[0]
    axes.bar([0], [values_s[0] - bottom], bottom=bottom, color=GREY, width=0.7)
    _label(axes, 0, values_s[0], show_time(values_s[0]))
    for place, (before_s, now_s) in enumerate(pairwise(values_s), start=1):
        better = now_s < before_s
        low_s, high_s = sorted((before_s, now_s))
        axes.bar(
            [place],
            [high_s - low_s],
            bottom=low_s,
            color=BLUE if better else ORANGE,
            hatch="" if better else "//",
            edgecolor="white",
            width=0.7,
        )
        axes.plot([place - 1.35, place + 0.35], [before_s, before_s], color=GREY, linewidth=0.8)
        _label(axes, place, high_s, f"{now_s / before_s:.2f}")
    axes.annotate(
        show_time(values_s[-1]),
        (len(found) - 1, values_s[-1]),
        (0, -4),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8,
    )


def _label(axes: Axes, place: float, value_s: float, text: str) -> None:
    axes.annotate(text, (place, value_s), (0, 3), textcoords="offset points", ha="center", fontsize=8)


def _common_load(stages: Sequence[Step]) -> AskedLoad | None:
    """Return the heaviest of the loads at which most stages served every fan."""
    loads = loads_of(stages)
    return max(loads, key=lambda load: (sum(bool(_served_arts(step, load)) for step in stages), load.n), default=None)


def _served_arts(step: Step, load: AskedLoad) -> tuple[float, ...]:
    repeats = at_load(step, load)
    return arts(repeats) if repeats is not None and all_served(repeats) else ()

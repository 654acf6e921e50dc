"""Charts of ratios: an ablation beside the stages' way, and a comparison."""

import msgspec
import pytest
from matplotlib.colors import to_rgba

from harness.records.campaign import Ablation, Comparison, Figure, Ratio, Staircase
from harness.show.charts.ablation import ablation_finding, chart_ablation, measured_figures, worth
from harness.show.charts.comparison import chart_comparison, comparison_finding
from harness.show.charts.every import charts
from harness.show.charts.style import GREY
from harness.units import show_load
from tests.harness.made_records import (
    HEAVY,
    LIGHT,
    a_comparison,
    a_ratio,
    a_search,
    a_staircase,
    a_target,
    a_worth,
    an_ablation,
    some_repeats,
)
from tests.harness.show.charts.pictures import fits, is_drawn, texts

EMPTY = an_ablation(lessons=())
UNMEASURED = an_ablation(
    lessons=(
        a_worth("vm", ratios=(a_ratio("art", None),)),
        a_worth("nodes", "added", refused="nodes stand on a lot of things that " + "are " * 20 + "missing", ratios=()),
        a_worth("a-lesson-with-a-very-long-name", ratios=(a_ratio("art", 4_000.0),)),
    )
)
SHORT = some_repeats(a_target("2.5"), HEAVY, (0.002, 0.003), served=974)
ONE_RUN = msgspec.structs.replace(a_ratio("art", 1.3), low=None, high=None, judgement="too few runs")
LESSONS = an_ablation(
    lessons=(
        a_worth("vm", art=1.5),
        a_worth("logging", art=3.0),
        a_worth("repeaters", art=0.8),
        a_worth("hibernate", art=1.01),
        a_worth("backlog", measured=SHORT, ratios=(a_ratio("served", 0.12), a_ratio("art", None))),
        a_worth("tcp-options", ratios=(ONE_RUN,)),
        a_worth("vm", "added", art=0.5),
        a_worth("sysctl", "added", art=2.0),
    )
)


ABLATIONS = (an_ablation(), EMPTY, UNMEASURED, LESSONS, an_ablation(state="interrupted"))
STAIRCASES = (None, a_staircase(), a_staircase(steps=()))
FIGURES: tuple[Figure, ...] = ("art", "N", "served", "memory")
EVERY_PAIR = [
    pytest.param(
        ablation,
        STAIRCASES[(row + column) % len(STAIRCASES)],
        figure,
        marks=() if column == row % len(FIGURES) else pytest.mark.slow,
    )
    for row, ablation in enumerate(ABLATIONS)
    for column, figure in enumerate(FIGURES)
]
"""Each of an ablation, a staircase and a figure with each of the two others; all together would be thrice as many."""


@pytest.mark.parametrize(("ablation", "staircase", "figure"), EVERY_PAIR)
def test_every_ablation_has_a_chart(ablation: Ablation, staircase: Staircase | None, figure: Figure) -> None:
    chart = chart_ablation(ablation, staircase, figure)
    assert is_drawn(chart)
    assert fits(chart)


def test_a_lesson_helps_if_its_absence_is_worse_or_its_presence_better() -> None:
    judged = [(one.lesson, one.change, worth(one, one.ratios[1])) for one in LESSONS.lessons if len(one.ratios) > 2]
    assert judged == [
        ("vm", "left out", "good"),
        ("logging", "left out", "good"),
        ("repeaters", "left out", "bad"),
        ("hibernate", "left out", "none"),
        ("vm", "added", "good"),
        ("sysctl", "added", "bad"),
    ]


def test_the_finding_lists_what_pays_the_most_first() -> None:
    assert ablation_finding(LESSONS) == (
        "Stage 2.5: without backlog in waves only 12% served; ART is worse without logging in waves (3 times) and "
        "vm in waves (1.5 times); ART is better without repeaters in waves (0.8 times); no change was seen in 1 of 6; "
        "there were too few runs to tell in 1 of 6."
    )
    assert ablation_finding(LESSONS, "served") == (
        "Stage 2.5: number of fans served is worse without backlog in waves (0.12 times); no change was seen in 4 of 5."
    )
    assert ablation_finding(EMPTY) == "No lesson's ART was measured."
    assert ablation_finding(LESSONS, "N") == "No lesson's N was measured."


def test_a_reader_sees_why_there_is_no_ratio() -> None:
    seen = texts(chart_ablation(UNMEASURED, a_staircase()).figure)
    assert "not measured" in seen
    assert any(text.startswith("refused: nodes stand on a lot of") and text.endswith("…") for text in seen)
    short = texts(chart_ablation(LESSONS, None).figure)
    assert {"not compared", "12% served", "too few runs"} <= short
    alone = an_ablation(lessons=(a_worth("sysctl", "added", scenario=None, ratios=()), a_worth("vm")))
    assert {"sysctl", "not exercised"} <= texts(chart_ablation(alone, None).figure)


def a_failure(judgement: str) -> Ratio:
    return msgspec.structs.replace(a_ratio("response_p99", None), judgement=judgement)


def test_an_infinite_p99_is_said_and_is_what_a_lesson_is_worth() -> None:
    lessons = [
        a_worth(lesson, change, ratios=(a_failure(judgement),))
        for lesson, change, judgement in (
            ("vm", "left out", "fails"),
            ("backlog", "left out", "reference fails"),
            ("nodes", "left out", "both fail"),
            ("vm", "added", "fails"),
        )
    ]
    found = an_ablation(lessons=tuple(lessons))
    assert [worth(one, one.ratios[0]) for one in lessons] == ["good", "bad", "none", "bad"]
    assert {"fails", "reference fails", "both fail"} <= texts(chart_ablation(found, None, "response_p99").figure)
    assert ablation_finding(found, "response_p99") == (
        "Stage 2.5: it is infinite without the lesson in 1 of 3; it is infinite with the lesson in 1 of 3; "
        "it is infinite with the lesson and without in 1 of 3."
    )


def test_a_figure_of_nothing_has_no_ratio_and_a_finding_names_five_lessons() -> None:
    none = msgspec.structs.replace(a_ratio("art", 0.5), value=0.0, low=None, high=None, judgement="better")
    many = tuple(a_worth(f"lesson-{number}", art=1.5 + number) for number in range(7))
    found = an_ablation(lessons=(*many, a_worth("vm", ratios=(none,))))
    assert "none" in texts(chart_ablation(found, None).figure)
    finding = ablation_finding(found)
    assert "lesson-2 in waves (3.5 times) and 2 more; ART is better without vm in waves (none)." in finding
    assert "lesson-1 " not in finding


def test_where_fans_leave_on_purpose_the_unchanged_server_says_how_many_are_to_be_served() -> None:
    references = tuple(msgspec.structs.replace(one, measured=SHORT) for one in LESSONS.references)
    leaving = msgspec.structs.replace(LESSONS, references=references)
    assert "served" not in ablation_finding(leaving)
    assert "12% served" not in texts(chart_ablation(leaving, None, "art").figure)


def test_the_stages_are_drawn_at_the_heaviest_load_that_most_of_them_served() -> None:
    seen = texts(chart_ablation(an_ablation(), a_staircase(), "art").figure)
    assert {"ART, N = 900, C = 4", "1.93 ms", "813 µs", "\u00d70.89"} <= seen
    assert {"≥ 76,000", "floor: ≥ 19,950"} <= texts(chart_ablation(an_ablation(), a_staircase(), "N").figure)
    assert "Number of fans served, N = 8,000, C = 500" in texts(
        chart_ablation(an_ablation(), a_staircase(), "served").figure
    )
    assert "6.64 KiB" in texts(chart_ablation(an_ablation(), a_staircase(), "memory").figure)
    alone = a_staircase(steps=a_staircase().steps[:1])
    assert "no two stages were measured" in texts(chart_ablation(an_ablation(), alone).figure)


def test_the_floor_is_drawn_beside_the_stages() -> None:
    beside = texts(chart_ablation(an_ablation(), a_staircase(), "art").figure)  # of which one step is the floor
    assert {text for text in beside if "floor" in text} == {"floor: 203 µs"}
    assert not any("floor" in text for text in texts(chart_ablation(an_ablation(), None, "art").figure))


def test_placebos_stand_among_the_lessons_and_what_they_say_of_chance_under_them() -> None:
    chart = chart_ablation(an_ablation(), None, "art")
    assert {"placebo 2.1, waves", "placebo 2.5, waves", "placebo 0, few"} <= texts(chart.figure)
    assert "Of 6 ratios of placebos, which can only be 1, 0 were called better or worse." in chart.source


def test_a_server_that_serves_nobody_has_no_point_and_a_word() -> None:
    nobody = msgspec.structs.replace(a_ratio("served", 0.5), value=0.0, low=None, high=None)
    found = an_ablation(lessons=(a_worth("open-files", ratios=(nobody,)),))
    assert "none" in texts(chart_ablation(found, None, "served").figure)


def test_only_figures_that_were_compared_are_drawn() -> None:
    assert measured_figures(an_ablation()) == ("served", "art", "fanout", "fanout_last", "memory")
    assert measured_figures(EMPTY) == ()
    names = [name for name, _ in charts([("worth", an_ablation()), ("stairs", a_staircase())])]
    assert names == [*(f"worth-{figure}" for figure in measured_figures(an_ablation())), "stairs"]


MANY = tuple(msgspec.structs.replace(a_ratio("art", 1.2), of=f"stage {stage}, N=8,000, C=500") for stage in range(9))


@pytest.mark.parametrize("comparison", [a_comparison(), a_comparison(ratios=()), a_comparison(ratios=MANY)])
def test_every_comparison_has_a_chart(comparison: Comparison) -> None:
    chart = chart_comparison(comparison)
    assert is_drawn(chart)
    assert fits(chart)


def test_a_comparison_says_what_became_better_and_worse() -> None:
    assert comparison_finding(a_comparison()) == "B is better by mean fan-out (0.7 times) and worse by ART (1.4 times)."
    assert comparison_finding(a_comparison(ratios=MANY[:1])) == (
        "B is worse by ART, stage 0, N=8,000, C=500 (1.2 times)."
    )
    assert comparison_finding(a_comparison(ratios=(a_ratio("art", 1.0), a_ratio("N", None)))) == "No change was seen."
    assert comparison_finding(a_comparison(ratios=(a_failure("reference fails"),))) == ("p99 of the response: A fails.")
    assert chart_comparison(a_comparison()).source == "the kernels differ: Linux 6.1, Linux 6.6"


def test_searches_and_comparisons_are_drawn_too() -> None:
    assert [name for name, _ in charts([("s", a_search()), ("c", a_comparison())])] == ["s", "c"]


def test_a_step_of_which_no_change_was_seen_is_grey() -> None:
    found = a_staircase()
    same = msgspec.structs.replace(a_ratio("art", 1.01), of=show_load(LIGHT))
    worse = msgspec.structs.replace(a_ratio("art", 0.8), of=show_load(LIGHT))
    steps = [
        msgspec.structs.replace(step, ratios=ratios)
        for step, ratios in zip(found.steps, ((), (same,), (worse,), *[()] * 6), strict=True)
    ]
    stages, *_ = chart_ablation(an_ablation(), msgspec.structs.replace(found, steps=tuple(steps)), "art").figure.axes
    looks = [patch.get_facecolor() for patch in stages.patches]
    assert looks[0] == looks[1] == looks[3] == to_rgba(GREY)  # of the last nobody judged anything
    assert looks[2] != to_rgba(GREY)

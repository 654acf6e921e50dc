import msgspec
import pytest

from harness.records.campaign import Repeats, Staircase, StaircaseStep
from harness.show.charts.staircase import chart_staircase, staircase_finding
from harness.show.charts.talk import TALK, said
from tests.harness.made_records import (
    HEAVY,
    LIGHT,
    a_floor,
    a_limit,
    a_measurement,
    a_staircase,
    a_step,
    a_target,
    some_repeats,
)
from tests.harness.show.charts.pictures import fits, is_drawn, texts

BARE = a_staircase(steps=(StaircaseStep(target=a_target("0"), limits=(), loads=()),))
NOBODY = a_staircase(
    steps=tuple(
        StaircaseStep(
            target=a_target(stage),
            limits=(a_limit("N", None, 50), a_limit("C", None, None, state="interrupted")),
            loads=(some_repeats(a_target(stage), LIGHT, (None,), served=0),),
        )
        for stage in ("0", "1")
    )
)
INVALID = a_staircase(
    steps=(
        StaircaseStep(
            target=a_target("0"),
            limits=(a_limit("N", 900, 1_000),),
            loads=(Repeats(target=a_target("0"), load=LIGHT, rate_per_s=5.0, trials=(a_measurement(valid=False),)),),
        ),
    )
)
FLOOR_ONLY = a_staircase(steps=(a_step(a_floor(), 19_950, 500, 0.001, 0.002),))


@pytest.mark.parametrize(
    "staircase", [a_staircase(), BARE, NOBODY, INVALID, FLOOR_ONLY, a_staircase(steps=(), state="interrupted")]
)
def test_every_staircase_has_a_chart(staircase: Staircase) -> None:
    chart = chart_staircase(staircase)
    assert is_drawn(chart)
    assert fits(chart)


def test_a_reader_sees_limits_floor_talk_and_loads() -> None:
    seen = texts(chart_staircase(a_staircase()).figure)
    assert {"1,000", "9,000", "≥19.9k", "≥76k", "700"} <= seen  # last passes
    assert {
        "or more",
        "up to where one failed",
        "the talk, 2012, at its own loads",
        "the floor: a bare loop in C",
    } <= seen
    assert {"floor\n≥19.9k", "floor\n19.9k", "floor\n203 µs", "floor\n1.39 ms"} <= seen
    assert {"ART at N=900, C=4 every 25.0 ms", "ART at N=8,000, C=500 every 250 ms", "12% served", "51% served"} <= seen
    assert "3\n(4)" in seen


def test_the_loads_of_single_stages_are_one_series() -> None:
    stages = [
        msgspec.structs.replace(
            step, loads=(*step.loads, some_repeats(step.target, msgspec.structs.replace(HEAVY, c=600 + index), (0.2,)))
        )
        for index, step in enumerate(a_staircase().steps)
    ]
    seen = [
        text for text in texts(chart_staircase(a_staircase(steps=tuple(stages))).figure) if text.startswith("ART at")
    ]
    assert sorted(seen) == [
        "ART at N=8,000, C=500 every 250 ms",
        "ART at N=900, C=4 every 25.0 ms",
        "ART at the talk's waves of the stage",
    ]


def test_burst_c_stands_beside_sustained_c_and_is_left_out_where_nobody_searched_for_it() -> None:
    seen = texts(chart_staircase(a_staircase()).figure)
    assert {"10k", "32k", "floor\nburst 39.9k", "burst C: one wave, all at once"} <= seen
    steps = [
        msgspec.structs.replace(step, limits=tuple(limit for limit in step.limits if limit.dimension != "burst C"))
        for step in a_staircase().steps
    ]
    assert not {text for text in texts(chart_staircase(a_staircase(steps=tuple(steps))).figure) if "burst" in text}


def test_the_range_of_the_last_passes_is_a_bar_beside_the_line_to_the_highest_first_fail() -> None:
    limit = a_limit("N", 1_000, 1_100, lowest_pass=800, highest_pass=1_050, highest_fail=1_300)
    step = StaircaseStep(target=a_target("0"), limits=(limit,), loads=())
    held = chart_staircase(a_staircase(steps=(step,))).figure.axes[0]
    drawn = [tuple(line.get_ydata()) for line in held.get_lines()]
    assert {(800, 1_050), (1_050, 1_300)} <= set(drawn)


def test_there_is_one_legend_and_it_is_no_panels() -> None:
    figure = chart_staircase(a_staircase()).figure
    assert len(figure.legends) == 1
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_what_was_not_seen_is_said() -> None:
    seen = texts(chart_staircase(BARE).figure)
    assert {"no limit was searched for", "no response was measured"} <= seen
    assert "<50" in texts(chart_staircase(NOBODY).figure)


def test_the_finding_names_ends_and_the_largest_step() -> None:
    assert staircase_finding(a_staircase()) == (
        "N went from 1,000 at stage 0 to at least 76,000 at stage 3 (76 times), most of it by stage 1 (4.1 times); "
        "C went from 5 at stage 0 to 16,000 at stage 3 (3,200 times), most of it by stage 2.1 (117 times); "
        "burst C went from 10 at stage 0 to 32,000 at stage 3 (3,200 times), most of it by stage 2.1 (117 times); "
        "at N=900, C=4 every 25.0 ms, ART went from 1.93 ms at stage 0 to 813 µs at stage 3."
    )
    two = a_staircase(steps=a_staircase().steps[:2])
    assert staircase_finding(two).startswith("N went from 1,000 at stage 0 to 4,100 at stage 1 (4.1 times); C went")
    for nothing in (BARE, NOBODY, INVALID):
        assert staircase_finding(nothing) == "No stage was measured well enough to say anything."


def test_a_source_says_how_it_was_measured() -> None:
    rough = a_staircase(quick=True, state="interrupted")
    assert chart_staircase(rough).source.endswith("measured with --quick; interrupted")
    assert not chart_staircase(a_staircase()).source.endswith("interrupted")


def test_the_talk_has_a_row_for_each_of_its_stages() -> None:
    assert [row.stage for row in TALK] == ["0", "1", "2.1", "2.2", "2.3", "2.4", "2.5", "3"]
    last = said("3")
    assert last is not None
    assert (last.n, last.c, last.art_s) == (100_000, 32_000, 0.010)
    assert said("4") is None
    assert said(None) is None


def test_repeats_that_were_not_served_are_hollow_and_say_so() -> None:
    load = msgspec.structs.replace(HEAVY, n=1_000)
    steps = [
        StaircaseStep(target=a_target(stage), limits=(), loads=(some_repeats(a_target(stage), load, (0.1,), served),))
        for stage, served in (("0", 995), ("1", 500))
    ]
    seen = texts(chart_staircase(a_staircase(steps=tuple(steps))).figure)
    assert "50% served" in seen
    assert not {text for text in seen if text.startswith("99")}  # as good as all

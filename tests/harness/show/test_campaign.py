import msgspec
import pytest
from rich.console import Console

from harness.records.campaign import Ablation, FoundLimit, PlaceboVerdicts, Ratio, StaircaseStep
from harness.show.campaign import (
    Sheet,
    ablation_sheets,
    comparison_sheet,
    show_limit,
    show_ratio,
    staircase_sheets,
)
from tests.harness.made_records import a_comparison, a_limit, a_measurement, a_ratio, a_staircase, an_ablation


def a_ratio_of(value: float | None, low: float | None, high: float | None, judgement: str) -> Ratio:
    plain = a_ratio("art", 1.0)
    return msgspec.structs.replace(plain, value=value, low=low, high=high, judgement=judgement)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (a_ratio_of(1.76, 1.7, 1.82, "worse"), "\u00d71.76 [1.70, 1.82] worse"),
        (a_ratio_of(0.12, None, None, "too few runs"), "\u00d70.12 too few runs"),
        (a_ratio_of(0.012, 0.0111, 0.0131, "worse"), "\u00d70.012 [0.011, 0.013] worse"),
        (a_ratio_of(0.0, None, None, "worse"), "none worse"),
        (a_ratio_of(None, None, None, "better"), "from none better"),
        (a_ratio_of(2.0, 0.0, None, "no change seen"), "\u00d72.00 [0, ∞] no change seen"),
        (a_ratio_of(1234.0, 1000.0, 2000.0, "better"), "\u00d71,234 [1,000, 2,000] better"),
        (a_ratio_of(None, None, None, "not measured"), "-"),
        (a_ratio_of(None, None, None, "fails"), "fails"),
        (a_ratio_of(None, None, None, "both fail"), "both fail"),
    ],
)
def test_a_ratio_is_shown_with_its_interval_and_judgement(ratio: Ratio, text: str) -> None:
    assert show_ratio(ratio) == text


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (a_limit("N", 7_900, 8_200), "7,900 … 8,200"),
        (a_limit("N", 20_000, None), "≥ 20,000"),
        (a_limit("N", None, 4), "< 4"),
        (a_limit("N", 100, 110, files=("1", "2"), lowest_pass=90, highest_pass=120), "100 … 110 (90 to 120)"),
        (a_limit("N", None, None), "-"),
        (None, "-"),
    ],
)
def test_a_limit_is_shown_as_people_read_it(limit: FoundLimit | None, text: str) -> None:
    assert show_limit(limit) == text


def test_a_staircase_has_its_limits_and_a_table_for_each_load() -> None:
    limits, light, heavy = staircase_sheets(a_staircase())
    assert limits.rows[0][:4] == ("stage 0", "1,000 … 1,050", "failures=0: 12", "CPU")
    assert limits.rows[2][0] == "stage 2.1"
    assert light.title == "N=900, C=4 every 25.0 ms: means over the valid trials"
    assert heavy.title.startswith("N=8,000, C=500 every 250 ms")
    assert light.rows[0][:4] == ("stage 0", "900", "0", "1.93 ms (1.80 ms to 2.09 ms)")
    assert light.rows[0][-3:] == ("3 of 3", "met", "CPU")
    assert len(light.rows) == len(limits.rows) == 9


def test_a_p99_that_is_infinite_in_a_repeat_is_infinite_in_the_mean() -> None:
    some = a_staircase()
    trials = (a_measurement(0.01), a_measurement(0.01, response_p99_s=None))
    load = msgspec.structs.replace(some.steps[0].loads[0], trials=trials)
    _, light = staircase_sheets(
        msgspec.structs.replace(some, steps=(StaircaseStep(target=load.target, limits=(), loads=(load,)),))
    )
    assert light.rows[0][4] == "∞ (30.0 ms to ∞)"


def test_a_connection_takes_no_less_than_can_be_seen() -> None:
    some = a_staircase()
    trials = (a_measurement(memory_per_connection_bytes=-8.0), a_measurement(memory_per_connection_bytes=-10.0))
    load = msgspec.structs.replace(some.steps[0].loads[0], trials=trials)
    _, light = staircase_sheets(
        msgspec.structs.replace(some, steps=(StaircaseStep(target=load.target, limits=(), loads=(load,)),))
    )
    assert "< 9.00 B" in light.rows[0]


def test_a_step_without_limits_or_figures_has_dashes() -> None:
    some = a_staircase()
    blind = a_measurement(
        None, 0, valid=False, lost=None, memory_per_connection_bytes=None, fanout_mean_s=None, fanout_last_s=None
    )
    load = msgspec.structs.replace(some.steps[0].loads[0], trials=(blind,))
    bare = msgspec.structs.replace(some.steps[0], limits=(), loads=(load,))
    limits, light = staircase_sheets(msgspec.structs.replace(some, steps=(bare,)))
    assert limits.rows == (("stage 0", *["-"] * 7),)
    assert light.rows == (("stage 0", "-", "-", "-", "-", "- / -", "-", "0 of 1", "-", "-"),)


def test_a_staircase_tells_how_each_step_compares_with_the_one_before_and_what_chance_does() -> None:
    some = a_staircase()
    at = "N=900, C=4 every 25.0 ms"
    step = msgspec.structs.replace(some.steps[1], ratios=(msgspec.structs.replace(a_ratio("art", 0.7), of=at),))
    placebo = msgspec.structs.replace(
        some.steps[6], ratios=(msgspec.structs.replace(a_ratio("art", 1.01), of=at),), limits=()
    )
    found = msgspec.structs.replace(
        some,
        steps=(some.steps[0], step),
        placebo=placebo,
        placebo_verdicts=PlaceboVerdicts(compared=12, false=1),
    )
    sheet = staircase_sheets(found)[-1]
    assert "Of 12 ratios of placebos, which can only be 1, 1 were called better or worse." in sheet.title
    assert sheet.rows == (
        ("stage 1", at, "\u00d70.70 [0.66, 0.73] better"),
        ("placebo: stage 2.5 again", at, "\u00d71.01 [0.96, 1.06] no change seen"),
    )


def test_an_ablation_has_its_references_and_both_changes_with_their_placebos() -> None:
    references, left_out, added = ablation_sheets(an_ablation())
    assert [row[:2] for row in references.rows] == [("waves", "stage 2.1"), ("waves", "stage 2.5"), ("few", "stage 0")]
    assert "Of 6 ratios of placebos, which can only be 1, 0 were called better or worse." in references.title
    figures = ("served", "ART", "fan-out", "fan-out, last fan", "a connection")
    assert left_out.columns == ("lesson", "stage", "scenario", *figures, "runs")
    backlog = {row[:2]: row for row in left_out.rows}["backlog", "2.5"]
    assert backlog[3] == "\u00d70.12 [0.11, 0.13] worse"
    assert backlog[5] == "-"
    assert backlog[-1] == "3"
    assert [row[:5] for row in left_out.rows[-2:]] == [
        ("placebo", stage, "waves", "\u00d71.00 [1.00, 1.00] no change seen", "\u00d71.02 [0.97, 1.07] no change seen")
        for stage in ("2.1", "2.5")
    ]
    assert [row[:4] for row in added.rows[-3:-1]] == [
        (
            "repeaters",
            "0",
            "few",
            "refused: repeaters stand on dispatchers, which stage 0 has none of: add dispatchers as well",
        ),
        ("sysctl", "0", "-", "not exercised"),
    ]


def test_an_ablation_that_measured_nothing_yet_is_shown() -> None:
    plain = an_ablation()
    early: Ablation = msgspec.structs.replace(
        plain,
        references=tuple(
            msgspec.structs.replace(one, measured=None, placebo=None, ratios=()) for one in plain.references
        ),
        lessons=(msgspec.structs.replace(plain.lessons[0], measured=None, ratios=()),),
        placebo_verdicts=PlaceboVerdicts(compared=0, false=0),
    )
    references, left_out, _ = ablation_sheets(early)
    assert references.rows == ()
    assert "No placebo was judged yet" in references.title
    assert left_out.rows == (("open-files", "2.5", "waves", "0"),)


def test_a_comparison_has_a_row_for_each_ratio() -> None:
    single = a_ratio_of(2.0, None, None, "too few runs")
    part = msgspec.structs.replace(a_ratio("art", 1.4), of="stage 0")
    sheet = comparison_sheet(a_comparison(ratios=(part, a_ratio("N", None), single)))
    assert sheet.rows == (
        ("stage 0", "ART", "10 / 5", "\u00d71.40", "[1.33, 1.47]", "worse"),
        ("all", "N", "10 / 0", "-", "-", "not measured"),
        ("all", "ART", "10 / 5", "\u00d72.00", "-", "too few runs"),
    )


def test_a_sheet_is_drawn_and_written_as_markdown() -> None:
    sheet = Sheet("Title", ("name", "number"), (("a|b", "1"),))
    assert sheet.markdown() == "Title\n\n| name | number |\n| --- | ---: |\n| a\\|b | 1 |\n"
    console = Console(width=40, record=True, file=None)
    with console.capture() as captured:
        console.print(sheet.drawn())
    assert captured.get().split() == ["Title", "name", "number", "a|b", "1"]

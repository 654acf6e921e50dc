from pathlib import Path

import msgspec
import pytest

from harness.records.directory import ResultsDirectory
from harness.records.files import ResultError, write
from harness.records.trial import TrialResult, Validity, Verdict
from harness.show.page_figures import PageError, filled
from tests.harness.made_records import a_search, a_staircase, an_ablation
from tests.harness.results import a_machine, a_result, a_server

RESULT = a_result()
INVALID = Validity(valid=False, reasons=("the generator was late",))


def slower(result: TrialResult, factor: float) -> TrialResult:
    art = result.seen.response.art
    assert art is not None
    response = msgspec.structs.replace(result.seen.response, art=msgspec.structs.replace(art, mean_s=factor * 0.01))
    return msgspec.structs.replace(result, seen=msgspec.structs.replace(result.seen, response=response))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    stages = ResultsDirectory(tmp_path / "stages", a_machine())
    stages.keep("stage-0-n900-c4-1", slower(RESULT, 1))
    stages.keep("stage-0-n900-c4-2", slower(RESULT, 3))
    stages.keep("stage-0-n900-c4-3", msgspec.structs.replace(slower(RESULT, 99), validity=INVALID))
    for repeat, last_pass in enumerate((1_500, 1_700), start=1):
        stages.keep(f"stage-0-search-c-{repeat}", a_search(last_pass=last_pass))
    stages.keep("stage-1-search-c-1", a_search(last_pass=900, at_least=True))
    stages.keep("stage-2-search-c-1", a_search(last_pass=800, first_fail=None))
    (tmp_path / "staircase").mkdir()
    write(tmp_path / "staircase" / "staircase.json", a_staircase())
    (tmp_path / "ablation").mkdir()
    write(tmp_path / "ablation" / "ablation.json", an_ablation())
    return tmp_path


@pytest.mark.parametrize(
    ("mark", "shown"),
    [
        ("stages/stage-0-n900-c4-* art", "20.0 ms"),  # the mean of both valid ones
        ("stages/stage-0-n900-c4-1 art", "10.0 ms"),
        ("stages/stage-0-n900-c4-* n", "900"),
        ("stages/stage-0-search-c* limit", "1,500 to 1,700"),
        ("stages/stage-0-search-c-1 limit", "1,500"),
        ("stages/stage-1-search-c-* limit", "at least 900"),
        ("stages/stage-2-search-c-* limit", "at least 800"),
    ],
)
def test_a_figure_is_filled_in_whatever_was_there(results: Path, mark: str, shown: str) -> None:
    assert filled(f"takes <!-- {mark} -->7 s<!-- / --> here", results) == f"takes <!-- {mark} -->{shown}<!-- / --> here"


def test_a_comment_before_a_figure_is_left_alone(results: Path) -> None:
    page = "<!-- figures -->\nIt takes <!-- stages/stage-0-n900-c4-1 art -->{}<!-- / -->.\n<!-- end of figures -->\n"
    assert filled(page.format("?"), results) == page.format("10.0 ms")


def test_a_page_that_is_filled_in_again_stays_as_it_is(results: Path) -> None:
    page = "a <!-- stages/stage-0* response_p99 --><!-- / -->\n<!-- table stages -->\n<!-- / -->\n<!-- a comment -->\n"
    once = filled(page, results)
    assert once != page
    assert filled(once, results) == once


def test_a_table_has_a_row_for_each_server_and_no_column_that_says_the_same_of_all(results: Path) -> None:
    other = msgspec.structs.replace(RESULT.asked.target, name="stage 1")
    broken = a_result(
        asked=msgspec.structs.replace(RESULT.asked, target=other),
        verdict=Verdict(met=False, broken=("p99<1s: 2 s",)),
        server=a_server(memory_per_connection_bytes=2048.0),
    )
    ResultsDirectory(results / "stages", a_machine()).keep("stage-1-n900-c4-1", broken)
    rows = filled("<!-- table stages -->\n<!-- / -->", results).splitlines()[1:-1]
    assert rows[0].startswith("| server | ART mean / p99 | ")  # N, C, every, served are the same
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| stage 0", "| stage 1 †"]
    assert rows[3].endswith("| 2.00 KiB |")


def test_a_memory_that_did_not_grow_is_said_to_be_below_what_can_be_seen(results: Path) -> None:
    target = msgspec.structs.replace(RESULT.asked.target, name="lean")
    lean = a_result(
        asked=msgspec.structs.replace(RESULT.asked, target=target), server=a_server(memory_per_connection_bytes=-8.0)
    )
    ResultsDirectory(results / "stages", a_machine()).keep("lean-n900-c4-1", lean)
    assert ">< 8.00 B<" in filled("<!-- stages/lean-* memory --><!-- / -->", results)
    assert "| < 8.00 B |" in filled("<!-- table stages -->\n<!-- / -->", results)


def test_every_server_of_the_staircase_has_a_row_with_its_limits(results: Path) -> None:
    rows = filled("<!-- table limits -->\n<!-- / -->", results).splitlines()[1:-1]
    assert rows[0] == "| server | N | sustained C | what bound it | burst C |"
    assert [row.split(" | ")[0] for row in rows[2:]] == [f"| {step.target.name}" for step in a_staircase().steps]
    assert rows[2].split(" | ")[1].startswith("1,000 … ")


def test_every_lesson_has_a_row(results: Path) -> None:
    table = filled("<!-- table lessons -->\n<!-- / -->", results)
    for worth in an_ablation().lessons:
        assert f"| `{worth.lesson}` |" in table


def test_a_lesson_that_another_needs_is_said_to_be_so(results: Path) -> None:
    found = an_ablation()
    worth = next(worth for worth in found.lessons if worth.change == "left out" and worth.scenario is not None)
    refused = msgspec.structs.replace(worth, refused="another needs it", measured=None, ratios=())
    write(results / "ablation" / "ablation.json", msgspec.structs.replace(found, lessons=(refused,)))
    row = filled("<!-- table lessons -->\n<!-- / -->", results).splitlines()[3]
    assert row == f"| `{worth.lesson}` | {worth.scenario} | cannot be left out alone | - |"


def test_what_was_not_judged_is_not_said_to_be_no_change(results: Path) -> None:
    found = an_ablation()
    worth = next(worth for worth in found.lessons if worth.change == "left out" and worth.scenario is not None)
    few = tuple(msgspec.structs.replace(one, judgement="too few runs", low=None, high=None) for one in worth.ratios)
    lessons = (msgspec.structs.replace(worth, ratios=few),)
    write(results / "ablation" / "ablation.json", msgspec.structs.replace(found, lessons=lessons))
    row = filled("<!-- table lessons -->\n<!-- / -->", results).splitlines()[3]
    assert row == f"| `{worth.lesson}` | {worth.scenario} | too few runs | too few runs |"


@pytest.mark.parametrize(
    "mark", ["stages/stage-9* art", "stages/stage-0* speed", "stages art", "what is it", "ratio sleep 2.5 waves art"]
)
def test_what_nothing_backs_is_told(results: Path, mark: str) -> None:
    with pytest.raises(PageError):
        filled(f"<!-- {mark} -->1<!-- / -->", results)


def test_a_directory_that_is_not_there_is_told(results: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read"):
        filled("<!-- table peers -->\n<!-- / -->", results)

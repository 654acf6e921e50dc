from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rich.console import Console

from harness.search.decide import Bracket, Try
from harness.search.journal import Journal
from harness.search.run import run_search
from harness.show.search import sentence, show_level, show_search
from harness.show.search_progress import SearchBars, SilentSearch
from tests.harness.search.worlds import FAILED, LATE, Notes, World, a_plan, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.search import SearchResult

CPU = "CPU bound: python used 100% of a core in its busiest half second"
BROKE = "p99<1s (1.4 s) broke"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return put(World(), monkeypatch)


def found(world: World, tmp_path: Path, **changes: Any) -> SearchResult:
    return run_search(a_plan(**changes), world, Notes(), Journal(tmp_path / "search.json"), world.clock)


def test_where_the_limit_is(world: World, tmp_path: Path) -> None:
    world.limit = 4_300
    assert sentence(found(world, tmp_path)) == (
        f"stage 2.5 holds N = 4,229 … 4,348 (last pass … first fail); p99<1s (1.4 s) broke; {CPU}"
    )


def test_where_trials_contradict_each_other(world: World, tmp_path: Path) -> None:
    at_435: Iterator[dict[str, Any] | None] = iter([FAILED, FAILED, {}, FAILED])
    world.judge = lambda n: next(at_435) if n == 435 else None
    assert sentence(found(world, tmp_path, repeats=3)) == (
        "stage 2.5 holds N = 417 … 454 (last pass … first fail; from 435 on some trials passed and some failed); "
        f"{BROKE}; {CPU}"
    )


def test_at_least(world: World, tmp_path: Path) -> None:
    assert sentence(found(world, tmp_path, ceiling=400.0)) == (
        "stage 2.5 holds N = 400 at least: the search was to end there (--ceiling)"
    )
    world.judge = lambda n: LATE if n > 150 else None
    assert sentence(found(world, tmp_path)) == (
        "stage 2.5 holds N = 146 at least: the generator was at its end (the generator was late)"
    )


def test_nothing_holds(world: World, tmp_path: Path) -> None:
    world.limit = 0
    assert sentence(found(world, tmp_path)) == f"stage 2.5 does not hold N = 1; p99<1s (1.4 s) broke; {CPU}"


def test_a_generator_that_can_do_nothing(world: World, tmp_path: Path) -> None:
    world.judge = lambda _: LATE
    assert sentence(found(world, tmp_path)) == (
        "no N of stage 2.5 was confirmed; generator bound: the generator was late"
    )


@pytest.mark.parametrize(
    ("budget_s", "trials", "says"),
    [
        (0.1, 0, "no N of stage 2.5 was confirmed"),
        (7.0, 2, "no N of stage 2.5 was confirmed, though short trials passed up to 200"),
        (
            20.0,
            6,
            f"no N of stage 2.5 was confirmed, though short trials passed up to 400; 475 failed: {BROKE}; {CPU}",
        ),
    ],
)
def test_time_is_up(world: World, tmp_path: Path, budget_s: float, trials: int, says: str) -> None:
    end = f"; the search is not over: its time is up after {trials} trials, the same command goes on with it"
    assert sentence(found(world, tmp_path, budget_s=budget_s)) == says + end


def test_a_search_that_was_interrupted_between_its_confirmation_and_its_end(world: World, tmp_path: Path) -> None:
    result = msgspec.structs.replace(found(world, tmp_path, ceiling=400.0), state="interrupted", at_least=False)
    assert sentence(result).startswith(
        "stage 2.5 holds N = 400, and nothing failed so far; the search is not over: it was interrupted after 5 trials"
    )


def test_the_table_has_a_row_for_each_trial(world: World, tmp_path: Path) -> None:
    world.judge = lambda n: LATE if n > 700 else None
    result = found(world, tmp_path)
    console = Console(file=io.StringIO(), width=110, color_system=None)
    console.print(show_search(result))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("stage 2.5: N under failures=0,lost=0,p99<1s")
    rows = lines[2 : 2 + len(result.trials)]
    assert rows[0].split()[:3] == ["100", "short", "passed"]
    assert rows[3].split()[:3] == ["800", "short", "invalid"]
    assert any("broke p99<1s (1.4 s)" in row and "CPU" in row for row in rows)


@pytest.mark.parametrize(
    ("dimension", "level", "text"),
    [
        ("N", 8000.0, "8,000"),
        ("N", 1e6, "1,000,000"),
        ("C", None, "?"),
        ("rate", 12.5, "12.5/s"),
        ("rate", 9999.5, "9,999.5/s"),
    ],
)
def test_levels_for_people(dimension: Any, level: float | None, text: str) -> None:
    assert show_level(dimension, level) == text


def test_the_bars_show_what_is_tried_and_known() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    with SearchBars(console, "N") as bars:
        bars.trying(Try(8_000.0, "full"), Bracket(7_900.0, None, 8_200.0, 7_900.0, is_open=True), 12)
        bars.note("something to know")
        for phase in ("starting", "connecting", "posting"):
            bars.phase(phase, 0)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "N = 8,000, full" in shown
    assert "between 7,900 and 8,200 after 12 trials" in shown
    assert "something to know" in shown
    last = shown.rpartition("posting")
    assert last[1]
    assert "starting" not in last[2]


def test_who_is_shown_nothing_still_gets_the_notes(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = SilentSearch()
    watcher.trying(Try(1.0, "short"), Bracket(None, None, None, None, is_open=True), 0)
    watcher.note("something to know")
    assert capsys.readouterr() == ("", "something to know\n")

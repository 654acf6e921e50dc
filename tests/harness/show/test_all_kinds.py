import io

from rich.console import Console, Group

from harness.records.kinds import Record
from harness.show.all_kinds import drawn, markdown
from tests.harness.made_records import a_comparison, a_search, a_staircase, an_ablation, an_http_load
from tests.harness.results import a_result

EVERY: list[Record] = [a_search(), a_result(), a_staircase(), an_ablation(), a_comparison(), a_result(), an_http_load()]


def test_all_trials_stand_in_one_table_and_the_others_in_their_own() -> None:
    text = markdown(EVERY)
    parts = text.split("\n\n")
    assert parts[0].count("| stage 0 |") == 2
    assert "stage 2.2 holds N = 1,500 … 2,000" in text
    assert "| 2,000 | short | broke p99<1s: 1.4 s | 2.00 ms | 1.40 s | 50.0 ms | CPU |" in text
    assert "| 1,600 | full | invalid | 2.00 ms | ∞ | - | CPU |" in text
    assert "Left out: without the lesson" in text
    assert "B over A" in text
    assert (
        "| stage 0 | GET /1/checkin | 500 | 4 | 200 a second | 500 | 200 | 10.5 ms | 19.8 ms | 20.0 ms | yes |" in text
    )
    assert all(line.startswith("|") and line.endswith("|") for line in parts[0].splitlines())


def test_a_terminal_gets_the_same_tables() -> None:
    console = Console(file=io.StringIO(), width=300)
    console.print(Group(*drawn(EVERY)))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for said in (
        "stage 2.2: N under",
        "Limits under",
        "Left out: without the lesson",
        "B over A",
        "response mean / p99",
        "500 of 500 succeeded",
    ):
        assert said in text
    assert drawn([]) == []
    assert markdown([]) == ""

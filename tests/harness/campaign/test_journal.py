from pathlib import Path

import msgspec
import pytest

from harness.campaign.journal import Journal
from harness.records.asked import Placement
from harness.records.directory import ResultsDirectory
from harness.records.kinds import load_record
from tests.harness.made_records import a_search, a_staircase
from tests.harness.results import a_machine, a_result

TRIAL = a_result().without_time_lines()
SEARCH = a_search()


def a_journal(path: Path) -> Journal:
    return Journal(ResultsDirectory(path, a_machine()))


def test_what_was_kept_is_found_whatever_the_ports_were(tmp_path: Path) -> None:
    journal = a_journal(tmp_path / "new" / "directory")
    journal.keep("a", TRIAL)
    elsewhere = msgspec.structs.replace(TRIAL.asked.target, fans=(), http=None)
    assert journal.trial("a", msgspec.structs.replace(TRIAL.asked, target=elsewhere)) == TRIAL
    assert journal.trial("b", TRIAL.asked) is None


@pytest.mark.parametrize(
    "change",
    [
        {"slo": "failures=0"},
        {"load": msgspec.structs.replace(TRIAL.asked.load, c=5)},
        {"events": None},
        {"placement": Placement(server_cpus=(0,))},
        {"target": msgspec.structs.replace(TRIAL.asked.target, without_lessons=("vm",))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_asked_otherwise_is_not_the_campaigns(tmp_path: Path, change: dict[str, object]) -> None:
    journal = a_journal(tmp_path)
    journal.keep("a", TRIAL)
    assert journal.trial("a", msgspec.structs.replace(TRIAL.asked, **change)) is None


def test_the_settings_of_a_namespace_are_not_asked_for(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    placement = Placement(network="netns", sysctls={"net.core.somaxconn": "65535"})
    result = msgspec.structs.replace(TRIAL, asked=msgspec.structs.replace(TRIAL.asked, placement=placement))
    journal.keep("a", result)
    asked = msgspec.structs.replace(TRIAL.asked, placement=Placement(network="netns"))
    assert journal.trial("a", asked) == result


def test_a_search_that_came_to_an_end_is_found_and_one_that_was_interrupted_is_not(tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    assert journal.search("a", SEARCH.asked) is None
    for state, there in (("done", True), ("out of budget", True), ("interrupted", False)):
        kept = msgspec.structs.replace(SEARCH, state=state)
        journal.keep("a", kept)
        assert journal.search("a", SEARCH.asked) == (kept if there else None)
    journal.keep("a", SEARCH)
    assert journal.search("a", msgspec.structs.replace(SEARCH.asked, precision=0.01)) is None


def test_a_search_is_written_down_again_and_again(tmp_path: Path) -> None:
    line = a_journal(tmp_path).of_search("a")
    assert line.earlier() is None
    for state in ("interrupted", "done"):
        line.save(msgspec.structs.replace(SEARCH, state=state))
    again = a_journal(tmp_path).of_search("a")
    assert again.earlier() == msgspec.structs.replace(SEARCH, state="done")


def test_a_summary_is_beside_them(tmp_path: Path) -> None:
    summary = a_staircase()
    a_journal(tmp_path).keep_summary("staircase.json", summary)
    assert load_record(tmp_path / "staircase.json") == summary

from pathlib import Path

import msgspec
import pytest

from harness.campaign.journal import Journal
from harness.records.files import ResultError
from harness.records.trial import Placement
from tests.harness.made_records import a_search
from tests.harness.results import a_result

TRIAL = a_result()
SEARCH = a_search()


def test_what_was_kept_is_found_whatever_the_ports_were(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "directory")
    journal.keep("a.json", TRIAL)
    elsewhere = msgspec.structs.replace(TRIAL.asked.target, fans=(), http=None)
    assert journal.trial("a.json", msgspec.structs.replace(TRIAL.asked, target=elsewhere)) == TRIAL
    assert journal.trial("b.json", TRIAL.asked) is None


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
    journal = Journal(tmp_path)
    journal.keep("a.json", TRIAL)
    assert journal.trial("a.json", msgspec.structs.replace(TRIAL.asked, **change)) is None


def test_the_settings_of_a_namespace_are_not_asked_for(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    placement = Placement(network="netns", sysctls={"net.core.somaxconn": "65535"})
    result = msgspec.structs.replace(TRIAL, asked=msgspec.structs.replace(TRIAL.asked, placement=placement))
    journal.keep("a.json", result)
    asked = msgspec.structs.replace(TRIAL.asked, placement=Placement(network="netns"))
    assert journal.trial("a.json", asked) == result


def test_a_search_that_came_to_an_end_is_found_and_one_that_was_interrupted_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.search("a.json", SEARCH.asked) is None
    for state, there in (("done", True), ("out of budget", True), ("interrupted", False)):
        kept = msgspec.structs.replace(SEARCH, state=state)
        journal.keep("a.json", kept)
        assert journal.search("a.json", SEARCH.asked) == (kept if there else None)
    journal.keep("a.json", SEARCH)
    assert journal.search("a.json", msgspec.structs.replace(SEARCH.asked, precision=0.01)) is None


def test_forgetting_leaves_what_is_others(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for file in ("a.json", "b.json"):
        journal.keep(file, TRIAL)
    journal.forget(("a.json", "never-there.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_a_directory_that_cannot_be_made() -> None:
    with pytest.raises(ResultError, match="choose another --out"):
        Journal(Path("/dev/null/x"))

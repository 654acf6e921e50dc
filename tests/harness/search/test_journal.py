from pathlib import Path

import pytest

from harness.records.files import ResultError, encode
from harness.records.search import SearchResult
from harness.search.journal import Journal, load_search
from harness.search.run import run_search
from tests.harness.results import a_result
from tests.harness.search.worlds import Notes, World, a_plan, put


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SearchResult:
    world = put(World(), monkeypatch)
    return run_search(a_plan(), world, Notes(), Journal(tmp_path / "made.json"), world.clock)


def test_a_search_is_kept_and_read_back(found: SearchResult, tmp_path: Path) -> None:
    journal = Journal.beside(tmp_path, "stage 2.5 without repeaters, 3 nodes", "rate")
    assert journal.path.name == "stage-2.5-without-repeaters-3-nodes-search-rate.json"
    assert journal.earlier() is None
    journal.save(found)
    assert journal.earlier() == found == load_search(journal.path)
    assert Journal(journal.path, fresh=True).earlier() is None


def test_another_kind_of_result_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trial.json"
    path.write_bytes(encode(a_result()))
    with pytest.raises(ResultError, match="is no search result"):
        Journal(path).earlier()


def test_another_version_is_refused(found: SearchResult, tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    path.write_bytes(encode(found).replace(b"/search/2", b"/search/0"))
    with pytest.raises(ResultError, match=r"has schema matchstream-lab/search/0; this harness reads .*/search/2"):
        load_search(path)

from pathlib import Path

import msgspec
import pytest

from harness.records import directory as directories
from harness.records.directory import ResultsDirectory, is_results, make_directory, read_results
from harness.records.files import ResultError, write
from harness.records.kinds import load_records
from harness.records.machine import Machine
from tests.harness.made_records import a_search, a_staircase
from tests.harness.results import a_loop_lag, a_machine, a_result

MACHINE = a_machine()
CLEAN = msgspec.structs.replace(MACHINE, commit="0123456789abcdef")
CHANGED = msgspec.structs.replace(MACHINE, commit="0123456789abcdef+")
TRIAL = a_result(loop_lag=a_loop_lag())
SEARCH = a_search()


def filled(path: Path) -> ResultsDirectory:
    results = ResultsDirectory(path, MACHINE)
    results.keep("one", TRIAL)
    results.keep("a search", SEARCH)
    results.keep("two", msgspec.structs.replace(TRIAL, harness="0.2.0"))
    return results


def test_what_was_kept_is_there_again_but_for_its_time_lines(tmp_path: Path) -> None:
    filled(tmp_path / "new" / "directory")
    again = ResultsDirectory(tmp_path / "new" / "directory", MACHINE)
    assert again.trial("one") == TRIAL.without_time_lines()
    assert again.search("a search") == SEARCH
    assert again.trial("a search") is None
    assert again.search("one") is None


def test_a_line_has_figures_and_histograms_and_nothing_from_moment_to_moment() -> None:
    kept = TRIAL.without_time_lines()
    assert TRIAL.has_time_lines
    assert not kept.has_time_lines
    assert (kept.seen.fans, kept.seen.response, kept.verdict) == (TRIAL.seen.fans, TRIAL.seen.response, TRIAL.verdict)
    assert kept.seen.delivery is not None
    assert TRIAL.seen.delivery is not None
    assert kept.seen.delivery.fanout == TRIAL.seen.delivery.fanout
    assert kept.loop_lag is None
    assert kept.seen.delivery.events == ()


def test_a_line_a_result_and_the_machine_once(tmp_path: Path) -> None:
    filled(tmp_path)
    lines = (tmp_path / "trials.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line)["name"] for line in lines] == ["one", "two"]
    assert {msgspec.json.decode(line)["result"]["machine"] for line in lines} == {"machine.json"}
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["machine.json", "searches.jsonl", "trials.jsonl"]


def test_a_name_is_there_once(tmp_path: Path) -> None:
    results = filled(tmp_path)
    other = msgspec.structs.replace(TRIAL, harness="0.3.0").without_time_lines()
    results.keep("one", other)
    assert dict(read_results(tmp_path))["one"] == other
    assert [name for name, _ in read_results(tmp_path)] == ["one", "two", "a search"]


def test_to_begin_anew_removes_its_lines_and_nothing_of_others(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "notes.json").write_text("{}")
    ResultsDirectory(tmp_path, CLEAN, fresh=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]


@pytest.mark.parametrize(
    ("here", "says"),
    [
        (CLEAN, "holds results of no commit and this is 0123456: remove it"),
        (CHANGED, "holds results of no commit and this is 0123456\\+: remove it"),
        (msgspec.structs.replace(MACHINE, cores=64), "another machine .*the number of cores differs: 2 in A, 64 in B"),
    ],
)
def test_a_directory_has_one_commit_and_one_machine(tmp_path: Path, here: Machine, says: str) -> None:
    results = filled(tmp_path)
    with pytest.raises(ResultError, match=says):
        ResultsDirectory(tmp_path, here)
    with pytest.raises(ResultError, match=says):
        results.keep("three", msgspec.structs.replace(TRIAL, machine=here))
    assert ResultsDirectory(tmp_path, MACHINE).trial("three") is None


@pytest.mark.parametrize(("here", "says"), [(CHANGED, "files differ from 0123456"), (MACHINE, "here is none")])
def test_what_nobody_can_check_out_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Machine, says: str
) -> None:
    monkeypatch.setattr(directories, "PUBLISHED", tmp_path / "results")
    monkeypatch.setattr(directories, "describe_machine", lambda: here)
    for below in (tmp_path / "results" / "peers", tmp_path / "elsewhere" / ".." / "results"):
        with pytest.raises(ResultError, match=says):
            ResultsDirectory(below, here)
        with pytest.raises(ResultError, match=says):
            make_directory(below)
    ResultsDirectory(tmp_path / "results-of-mine", here)
    ResultsDirectory(tmp_path / "results" / "peers", CLEAN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{}\n", "has a line that is no result"),
        (b'{"name": "one", "result"', "has a line that is no result"),
        (b'{"name": "one", "result": 3}\n', "has a line that is no result"),
        (b'{"name": "one", "result": {"schema": "matchstream-lab/trial/0"}}\n', "has schema matchstream-lab/trial/0"),
    ],
)
def test_a_line_that_cannot_be_read_is_told(tmp_path: Path, line: bytes, says: str) -> None:
    filled(tmp_path)
    (tmp_path / "trials.jsonl").write_bytes(line)
    with pytest.raises(ResultError, match=rf"trials\.jsonl: {says}"):
        list(read_results(tmp_path))
    with pytest.raises(ResultError, match=rf"trials\.jsonl: {says}"):
        ResultsDirectory(tmp_path, MACHINE).trial("one")


def test_other_files_of_lines_are_none_of_its(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "other.jsonl").write_text("")
    with pytest.raises(ResultError, match=r"called trials\.jsonl and searches\.jsonl"):
        list(read_results(tmp_path / "other.jsonl"))


def test_a_directory_is_read_with_its_summary_and_any_of_its_files_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    write(tmp_path / "staircase.json", a_staircase())
    assert is_results(tmp_path)
    assert [name for name, _ in load_records(tmp_path)] == ["one", "two", "a search", "staircase"]
    assert [name for name, _ in load_records(tmp_path / "searches.jsonl")] == ["a search"]
    assert load_records(tmp_path / "staircase.json") == [("staircase", a_staircase())]


def test_a_directory_of_files_is_read_too_and_an_empty_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="has no results"):
        load_records(tmp_path)
    write(tmp_path / "b.json", TRIAL)
    write(tmp_path / "a.json", SEARCH)
    assert load_records(tmp_path) == [("a", SEARCH), ("b", TRIAL)]


def test_a_directory_that_cannot_be_made() -> None:
    with pytest.raises(ResultError, match="choose another --out"):
        make_directory(Path("/dev/null/x"))

from pathlib import Path

import msgspec
import pytest

from harness.commands.options import AskedError
from harness.commands.trial_store import Stored, TrialStore, trial_store
from harness.records.asked import AskedEvents, Disturbances
from harness.records.directory import read_results
from harness.records.machine import describe_machine
from tests.harness.results import a_result, load_result

RESULT = a_result(machine=describe_machine())


def kept(path: Path, repeat: int | None = None) -> TrialStore:
    return trial_store(None, path, repeat)


def test_a_trial_that_is_there_is_not_made_again_and_its_repeat_is(tmp_path: Path) -> None:
    assert kept(tmp_path).earlier(RESULT.asked) is None
    assert kept(tmp_path).put(RESULT) == Stored("kept in", tmp_path / "trials.jsonl")
    earlier = kept(tmp_path).earlier(RESULT.asked)
    assert earlier == RESULT.without_time_lines()
    assert kept(tmp_path).put(earlier) == Stored("measured before, and kept in", tmp_path)
    assert kept(tmp_path, 2).earlier(RESULT.asked) is None
    assert kept(tmp_path).earlier(msgspec.structs.replace(RESULT.asked, slo="failures=0")) is None
    kept(tmp_path, 2).put(RESULT)
    assert [name for name, _ in read_results(tmp_path)] == ["stage-0-n900-c4-rate2-1", "stage-0-n900-c4-rate2-2"]


def test_trials_of_one_load_with_other_events_or_more_that_happens_have_names_of_their_own(tmp_path: Path) -> None:
    asked = msgspec.structs.replace(RESULT.asked, events=AskedEvents(count=3, rate_per_s=5.0))
    events = AskedEvents(count=3, rate_per_s=0.2)
    for changed in (
        msgspec.structs.replace(asked, events=events),
        msgspec.structs.replace(asked, disturbances=Disturbances(joining=5_000, joining_c=500)),
        msgspec.structs.replace(asked, events=None),
    ):
        kept(tmp_path).put(msgspec.structs.replace(RESULT, asked=changed))
    names = [name for name, _ in read_results(tmp_path)]
    assert names == ["stage-0-n900-c4-rate0.2-1", "stage-0-n900-c4-5-000-join-500-at-once-1", "stage-0-n900-c4-1"]


def test_half_a_trial_is_no_line(tmp_path: Path) -> None:
    assert kept(tmp_path).put(msgspec.structs.replace(RESULT, interrupted=True)) is None
    assert list(tmp_path.iterdir()) == []


def test_a_whole_result_has_a_file_of_its_own_and_its_chart_beside_it(tmp_path: Path) -> None:
    store = trial_store(tmp_path / "new", None, None)
    assert store.earlier(RESULT.asked) is None
    store.prepare()
    stored = [store.put(RESULT) for _ in range(3)]
    files = sorted((tmp_path / "new").iterdir(), key=lambda file: (len(file.name), file.name))
    assert [file.stem.rpartition("Z")[2] for file in files] == ["", "-2", "-3"]
    assert stored == [Stored("result", file, file.with_suffix(".png")) for file in files]
    assert [load_result(file) for file in files] == [RESULT] * 3


@pytest.mark.parametrize(("out", "keep", "repeat"), [(Path("a"), Path("b"), None), (Path("a"), None, 2)])
def test_options_that_do_not_go_together(out: Path, keep: Path | None, repeat: int | None) -> None:
    with pytest.raises(AskedError):
        trial_store(out, keep, repeat)

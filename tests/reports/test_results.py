"""What is stored in reports/: results that one can trust, and notebooks that a repository can carry."""

import re
from pathlib import Path

import pytest

from harness.records.directory import read_results
from harness.records.kinds import load_records
from harness.records.machine import Machine
from harness.records.machines import differences
from harness.records.trial import TrialResult

REPORTS = Path(__file__).parents[2] / "reports"
DIRECTORIES = sorted(path for path in (REPORTS / "results").glob("*") if path.is_dir())
MEASURED = any((REPORTS / "results").glob("*/machine.json"))
NOTEBOOK_KB, WHOLE_KB = 300, 150

measured = pytest.mark.skipif(not MEASURED, reason="needs results: make lab report")


def machines(directory: Path) -> list[Machine]:
    found = [record for _, record in load_records(directory)]
    return [machine for record in found if isinstance(machine := getattr(record, "machine", None), Machine)]


@measured
@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_a_directory_has_one_clean_commit_and_one_machine(directory: Path) -> None:
    first, *others = machines(directory)
    assert first.commit is not None
    assert re.fullmatch(r"[0-9a-f]{40}", first.commit)
    for other in others:
        assert (other.commit, differences(first, other)) == (first.commit, ())


@measured
@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_a_directory_has_its_target_in_the_makefile(directory: Path) -> None:
    makefile = (REPORTS.parent / "Makefile").read_text()
    assert re.search(rf"^lab: .*\blab-{directory.name}\b", makefile, re.MULTILINE)
    assert re.search(rf"^lab-{directory.name}: ", makefile, re.MULTILINE)


@measured
@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_what_a_trial_was_from_moment_to_moment_is_kept_of_one(directory: Path) -> None:
    if directory.name == "microscope":
        (whole,) = directory.iterdir()
        assert whole.stat().st_size < WHOLE_KB * 1024
    else:
        trials = [kept for _, kept in read_results(directory) if isinstance(kept, TrialResult)]
        assert trials
        assert not any(trial.has_time_lines for trial in trials)


@measured
@pytest.mark.parametrize("notebook", sorted(REPORTS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_small_enough_to_be_kept(notebook: Path) -> None:
    assert notebook.stat().st_size < NOTEBOOK_KB * 1024

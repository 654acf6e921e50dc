"""`harness demo`: the real stages with a few fans, and fakes of known faults in their place."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.tuning.children import python_module
from harness.cli import main
from harness.commands import demo
from harness.records.trial import TrialResult, Validity
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant
from tests.harness.fake import FAKE
from tests.harness.results import a_result, load_result, seen_by, some_fans

FAST = ("--speed", "60000")


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


def test_the_baseline_and_the_last_stage_serve_a_few(tmp_path: Path) -> None:
    words = ("demo", "-N", "6", "-C", "3", *FAST, "--out", str(tmp_path / "made"))
    done = subprocess.run(python_module("harness", *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert said[0].strip() == "N=6, C=3 every 250 ms"
    assert said[1].split() == ["stage", "0", "stage", "4,", "1", "node"]
    assert said[2].split() == ["fans", "served", "6", "of", "6", "6", "of", "6"]
    assert "stage 4, 1 node: all 6 fans were served." in done.stdout
    results = [load_result(tmp_path / "made" / name) for name in ("stage-0.json", "stage-4-1-node.json")]
    assert [result.asked.target.name for result in results] == ["stage 0", "stage 4, 1 node"]
    for result in results:
        assert result.seen.delivery is not None
        assert (result.seen.delivery.lost, result.seen.fans.served) == (0, 6)
    assert results[0].asked.load == results[1].asked.load
    assert results[0].asked.events == results[1].asked.events
    assert (tmp_path / "made" / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"4": "node_dies=2"}, "did not serve 3 of 6 fans: 3 closed early; what bound first: process ended"),
        ({"4": "lose=2"}, "deliveries 3 lost"),
        ({"4": "refuse=2"}, "did not accept 1 of 30 events"),
        ({"0": "deaf=1"}, "let fans in whom it did not serve, or turned them away: 1 no answer"),
    ],
)
def test_a_server_that_loses_somebody_fails_it(
    faults: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fake(of: Variant) -> StageTarget:
        return StageTarget(Variant(faults.get(of.stage, "0"), nodes=of.nodes), FAKE)

    monkeypatch.setattr(demo, "StageTarget", fake)
    monkeypatch.setattr(demo, "PATIENCE_S", 5.0)
    assert main(["demo", "-N", "6", "-C", "3", *FAST, "--out", str(tmp_path)]) == 1
    *_, picture, failed = capsys.readouterr().out.splitlines()
    assert picture == f"picture: {tmp_path / 'demo.png'}"
    assert failed.startswith("FAILED: stage ")
    assert says in failed


LATE = a_result(validity=Validity(valid=False, reasons=("the generator was late",)))
LATE_AND_CUT = a_result(validity=LATE.validity, seen=seen_by(some_fans(899, cut=1), delivery=a_result().seen.delivery))


@dataclass(frozen=True)
class Course:
    """Trials as they are made, one after the other, and what comes of them; `again` and `invalid` count the sayings."""

    trials: tuple[TrialResult, ...]
    status: int
    again: int
    invalid: int


GOOD = a_result()


@pytest.mark.parametrize(
    "course",
    [
        Course((GOOD, GOOD), status=0, again=0, invalid=0),
        Course((LATE, GOOD, GOOD), status=0, again=1, invalid=0),
        Course((LATE_AND_CUT, GOOD, LATE_AND_CUT, GOOD), status=0, again=2, invalid=0),
        Course((GOOD, LATE, LATE), status=0, again=1, invalid=1),  # whom it served, it served
        Course((LATE_AND_CUT, LATE_AND_CUT, GOOD), status=1, again=1, invalid=1),
    ],
)
def test_an_invalid_trial_is_made_once_more(
    course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = iter(course.trials)
    monkeypatch.setattr(demo, "run_trial", lambda *_: next(made))
    assert main(["demo", "--out", str(tmp_path)]) == course.status
    assert list(made) == []
    said = capsys.readouterr()
    assert said.err.count("once more: the generator was late\n") == course.again
    assert said.out.count("INVALID, its times say nothing about the server: the generator was late") == course.invalid


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-C", "3000"), "N=3000 fans or more"),
        (("--speed", "0"), "--speed"),
        (("--out", "/dev/null/x"), "choose another --out"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    words: tuple[str, str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert says in said.err

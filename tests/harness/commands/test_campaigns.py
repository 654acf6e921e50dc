"""The commands as users run them. One campaign is real; the others are made on a bench where nothing is started."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.campaign import bench as benches
from harness.campaign.plan import Planned, PlannedSearch, PlannedTrial
from harness.cli import main
from harness.commands import ablate as ablate_command
from harness.commands import campaign_runs
from harness.commands import staircase as staircase_command
from harness.records.campaign import ABLATION, STAIRCASE, Ablation, Comparison, Staircase
from harness.records.files import load, write
from harness.records.search import SearchResult
from harness.records.trial import TrialResult
from harness.trial.placement.errors import PlacementError
from tests.harness.campaign.doubles import FakeBench, a_trial_of
from tests.harness.fake import started, wait_until
from tests.harness.made_records import a_comparison, a_search, a_staircase
from tests.harness.results import a_machine

LESSONS = {"0": (), "1": ("open-files", "vm"), "2.1": ("open-files", "vm", "backlog"), "3": ("backlog", "nodes")}


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> FakeBench:
    fake = FakeBench(raises=getattr(request, "param", {}))

    class KeptBench(benches.TrialBench):
        def trial(self, planned: PlannedTrial) -> TrialResult:
            result = fake.trial(planned)
            self._journal.keep(planned.file, result)
            return result

        def search(self, planned: PlannedSearch, hint: float | None) -> SearchResult:
            result = fake.search(planned, hint)
            self._journal.keep(planned.file, result)
            return result

        def stored(self, planned: Planned) -> TrialResult | SearchResult | None:
            directory = self._journal.directory
            return directory.trial(planned.file) or directory.search(planned.file)

        def wait_until_quiet(self) -> tuple[str, ...]:
            return ()

    monkeypatch.setattr(campaign_runs, "TrialBench", KeptBench)
    monkeypatch.setattr(campaign_runs, "describe_machine", a_machine)
    monkeypatch.setattr(ablate_command, "STAGES", tuple(LESSONS))
    for module in (staircase_command, ablate_command):
        monkeypatch.setattr(module, "lessons_of", LESSONS.__getitem__)
    return fake


def stair(out: Path, *words: str) -> int:
    return main(["staircase", "--out", str(out), "--stage", "0", "--stage", "2.1", *words])


def test_a_staircase_leaves_its_summary_and_prints_its_tables(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stair(tmp_path / "out", "--rounds", "2") == 0
    stored = load(tmp_path / "out" / "staircase.json", Staircase, STAIRCASE)
    assert [step.target.name for step in stored.steps] == ["stage 0", "stage 2.1"]
    assert (stored.state, stored.rounds, stored.seed) == ("done", 2, 2012)
    # Stage 0 at three loads, stage 2.1 twice at two, its placebo once; C of both, and once their other limits.
    assert len(bench.made) == 2 * (3 + 4 + 2 + 2) + 4
    said = capsys.readouterr()
    assert "1,500 … 1,600" in said.out
    assert "N=900, C=4 every 25.0 ms" in said.out
    assert "18 trials and 8 searches, some" in said.err
    assert "26 of 26: " in said.err


def test_markdown_is_all_that_is_on_standard_output(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stair(tmp_path, "--quick", "--precision", "0.3", "--markdown") == 0
    assert bench.made
    said = capsys.readouterr()
    assert said.out.startswith("Limits under failures=0,lost=0,p99<1s")
    assert "| stage 2.1 | 1,500 … 1,600 |" in said.out
    assert f"result: {tmp_path}/staircase.json" in said.err


def test_the_same_command_goes_on_and_fresh_begins_anew(bench: FakeBench, tmp_path: Path) -> None:
    mine = tmp_path / "notes.json"
    mine.write_text("{}")
    stair(tmp_path, "--rounds", "1")
    first = len(bench.made)
    trials = tmp_path / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text("".join(line for line in lines if "stage-0-n900-c4-1" not in line))
    bench.made.clear()
    stair(tmp_path, "--rounds", "1")
    assert bench.made.count("stage-0-n900-c4-1") == 1
    bench.made.clear()
    stair(tmp_path, "--rounds", "1", "--fresh")
    assert len(bench.made) == first
    assert mine.exists()


@pytest.mark.parametrize("bench", [{"stage-2.1-n900-c4-1": KeyboardInterrupt()}], indirect=True)
def test_an_interrupted_campaign_says_where_it_is(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stair(tmp_path) == 130
    assert load(tmp_path / "staircase.json", Staircase, STAIRCASE).state == "interrupted"
    assert bench.made[-1] == "stage-2.1-n900-c4-1"
    assert f"{tmp_path}/staircase.json: has what was measured so far; the same command goes on" in _one_line(capsys)


def test_a_campaign_keeps_to_its_budget(bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stair(tmp_path, "--budget", "0s") == 0
    assert bench.made == []
    assert load(tmp_path / "staircase.json", Staircase, STAIRCASE).state == "out of budget"
    assert "the time is up" in _one_line(capsys)


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_another_commit_has_another_directory(
    bench: FakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stair(tmp_path, "--rounds", "1")
    first = len(bench.made)
    later = msgspec.structs.replace(a_machine(), commit="0123456789")
    monkeypatch.setattr(campaign_runs, "describe_machine", lambda: later)
    assert stair(tmp_path, "--rounds", "1") == 2
    assert "holds results of no commit and this is 0123456: remove it to measure anew" in _one_line(capsys)
    assert len(bench.made) == first


def test_the_floor_is_the_last_step(bench: FakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staircase_command, "floor_server", lambda: staircase_command.stage_server("3", LESSONS["3"], 2))
    assert stair(tmp_path, "--floor", "--quick") == 0
    assert "stage-3-n900-c4-1" in bench.made


def ablate(out: Path, *words: str) -> int:
    return main(["ablate", "--out", str(out), *words])


def test_an_ablation_leaves_its_summary_and_prints_its_tables(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--stage", "2.1", "--lesson", "backlog", "--lesson", "vm", "--scenario", "waves", "--rounds", "3")
    assert ablate(tmp_path, *words, "--seed", "7") == 0
    stored = load(tmp_path / "ablation.json", Ablation, ABLATION)
    assert {(worth.lesson, worth.change, worth.stage, worth.scenario) for worth in stored.lessons} == {
        ("vm", "left out", "1", None),
        ("vm", "left out", "2.1", "waves"),
        ("backlog", "left out", "2.1", "waves"),
        ("vm", "added", "0", "few"),
        ("backlog", "added", "0", None),
    }
    assert (stored.rounds, stored.seed) == (3, 7)
    said = " ".join(capsys.readouterr().out.split())
    assert "no change seen" in said
    assert "not exercised" in said
    assert len(bench.made) == 3 * (2 + 1 + 2 + 2 + 1 + 1)
    assert not bench.hints


def test_a_scenario_that_needs_root_is_left_out_and_that_is_said(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def impossible() -> None:
        raise PlacementError("--netns needs root")

    monkeypatch.setattr(ablate_command, "check_possible", impossible)
    monkeypatch.setattr(ablate_command, "lessons_of", {**LESSONS, "2.1": ("sysctl",)}.__getitem__)
    assert ablate(tmp_path, "--stage", "2.1", "--lesson", "sysctl", "--rounds", "1") == 0
    assert bench.made == []
    assert "the scenario overflow is not run: --netns needs root" in _one_line(capsys)
    assert {worth.scenario for worth in load(tmp_path / "ablation.json", Ablation, ABLATION).lessons} == {None}


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("staircase", "--quick", "--rounds", "3"), "leave --rounds out"),
        (("staircase", "--slo", "p100<1s"), "no figure is called 'p100'"),
        (("staircase", "--budget", "40"), "is no duration"),
        (("ablate", "--patience", "long"), "is no duration"),
        (("staircase", "--stage", "0", "--out", "/dev/null/x"), "choose another --out"),
        (("ablate", "--stage", "0"), "stage 0 has no lessons"),
        (("ablate", "--stage", "1", "--lesson", "sleep"), "stage 1 has no lesson 'sleep'; it has: open-files, vm"),
        (("ablate", "--stage", "9"), "there is no stage '9'; there is: 0, 1"),
        (("ablate", "--stage", "1", "--scenario", "rain"), "there is no scenario 'rain'"),
    ],
)
def test_what_cannot_be_asked(words: Sequence[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words]) == 2
    assert says in _one_line(capsys)


def keep(path: Path, *arts_s: float) -> Path:
    path.mkdir()
    for number, art_s in enumerate(arts_s):
        write(path / f"{number}.json", a_trial_of(art_s=art_s))
    return path


def test_directories_of_repeats_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = keep(tmp_path / "a", 0.1, 0.101, 0.102), keep(tmp_path / "b", 0.2, 0.201, 0.202)
    write(a / "staircase.json", a_staircase())  # is beside its trials, and is none
    assert main(["compare", str(a), str(b)]) == 0
    said = capsys.readouterr()
    assert re.search(r"all +ART +3 / 3 +\u00d71\.99 .* worse", said.out)
    assert said.err == ""
    assert main(["compare", str(a), str(b), "--fail-on", "worse"]) == 1
    assert main(["compare", str(b), str(a), "--fail-on", "worse"]) == 0


def test_a_p99_that_became_infinite_fails_a_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = keep(tmp_path / "a", 0.1, 0.101, 0.102), keep(tmp_path / "b", 0.1, 0.101)
    failing = a_trial_of(art_s=0.102)
    intended = failing.seen.response.intended
    assert intended is not None
    response = msgspec.structs.replace(failing.seen.response, intended=msgspec.structs.replace(intended, p99_s=None))
    write(b / "2.json", msgspec.structs.replace(failing, seen=msgspec.structs.replace(failing.seen, response=response)))
    assert main(["compare", str(a), str(b), "--fail-on", "worse"]) == 1
    assert re.search(r"response p99 +3 / 3 +- +- +fails", capsys.readouterr().out)
    assert main(["compare", str(b), str(a), "--fail-on", "worse"]) == 0
    assert main(["compare", str(a), str(b), "--json"]) == 0
    assert "NaN" not in (said := capsys.readouterr().out)
    assert '"reference fails"' not in said


def test_one_run_each_is_never_called_better_or_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (keep(tmp_path / name, art_s) / "0.json" for name, art_s in (("a", 0.1), ("b", 9.0)))
    assert main(["compare", str(a), str(b)]) == 0
    said = capsys.readouterr()
    assert re.search(r"all +ART +1 / 1 +\u00d790\.0. +- +too few runs", said.out)
    assert "too few runs: a judgement needs 3" in said.err
    assert main(["compare", str(a), str(b), "--fail-on", "worse"]) == 2
    assert "give directories of three repeats or more" in _one_line(capsys)


def test_a_comparison_can_be_read_by_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (keep(tmp_path / name, 0.1) / "0.json" for name in ("a", "b"))
    assert main(["compare", str(a), str(b), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["schema"] == Comparison.__annotations__["schema"].__args__[0]
    assert found["warnings"][0].startswith("too few runs")
    assert said.err == ""


def test_warnings_are_told_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = tmp_path / "a.json"
    write(search, a_search())
    staircase = keep(tmp_path / "b", 0.1) / "0.json"
    assert main(["compare", str(staircase), str(staircase)]) == 0
    assert "warning: too few runs" in capsys.readouterr().err
    assert main(["compare", str(search), str(search), "--markdown"]) == 0
    assert "| all | N | 1 / 1 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"{}", "is no result of this harness"),
        (b'{"schema": "matchstream-lab/trial/9"}', "has schema matchstream-lab/trial/9; this harness reads"),
    ],
)
def test_what_cannot_be_compared(
    tmp_path: Path, content: bytes | None, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = keep(tmp_path / "a", 0.1) / "0.json", tmp_path / "bad.json"
    if content is not None:
        bad.write_bytes(content)
    assert main(["compare", str(good), str(bad)]) == 2
    assert says in _one_line(capsys)


def test_neither_a_comparison_nor_an_empty_directory_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "comparison.json"
    write(path, a_comparison())
    assert main(["compare", str(path), str(path)]) == 2
    assert "is a comparison already" in _one_line(capsys)
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(path.parent / "empty"), str(path)]) == 2
    assert "has no results" in _one_line(capsys)


@pytest.mark.slow
def test_ctrl_c_ends_a_real_one_which_then_goes_on(tmp_path: Path) -> None:
    words = ("ablate", "--stage", "1", "--lesson", "vm", "--scenario", "gentle", "--rounds", "1", "--patience", "0s")
    command = [sys.executable, "-m", "harness.cli", *words, "--out", str(tmp_path)]
    first = tmp_path / "trials.jsonl"
    with started(command, stderr=subprocess.PIPE) as harness:
        process = psutil.Process(harness.pid)
        wait_until(first.exists)
        wait_until(lambda: bool(process.children()))
        children = process.children(recursive=True)
        harness.send_signal(signal.SIGINT)
        assert harness.stderr is not None
        assert "the same command goes on from there" in harness.stderr.read()
    assert harness.returncode == 130
    assert psutil.wait_procs(children, timeout=60)[1] == []
    stored = load(tmp_path / "ablation.json", Ablation, ABLATION)
    assert stored.state == "interrupted"
    lines = [json.loads(line) for line in first.read_text().splitlines()]
    made = len(lines)
    assert made > 0
    again = subprocess.run([*command, "--budget", "0s"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{made} of 12 are there already and are kept" in " ".join(again.stderr.split())
    assert load(tmp_path / "ablation.json", Ablation, ABLATION).state == "out of budget"

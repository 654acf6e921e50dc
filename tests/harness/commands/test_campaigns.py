"""The commands as users run them. One campaign is real; the others are made on a bench where nothing is started."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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
from tests.harness.campaign.doubles import FakeBench, a_trial_of
from tests.harness.fake import started, wait_until
from tests.harness.made_records import a_comparison, a_search, a_staircase

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
            there = self._journal.path(planned.file).exists()
            return (fake.trial if isinstance(planned, PlannedTrial) else _search)(planned) if there else None

        def wait_until_quiet(self) -> tuple[str, ...]:
            return ()

    def _search(planned: Planned) -> SearchResult:
        assert isinstance(planned, PlannedSearch)
        return fake.search(planned, None)

    monkeypatch.setattr(campaign_runs, "TrialBench", KeptBench)
    for module in (staircase_command, ablate_command):
        monkeypatch.setattr(module, "lessons_of", LESSONS.__getitem__)
    return fake


def stair(out: Path, *words: str) -> int:
    return main(["staircase", "--out", str(out), "--stage", "0", "--stage", "2.1", *words])


def test_a_staircase_leaves_its_summary_and_prints_its_tables(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stair(tmp_path / "out", "--repeats", "2") == 0
    stored = load(tmp_path / "out" / "staircase.json", Staircase, STAIRCASE)
    assert [step.target.name for step in stored.steps] == ["stage 0", "stage 2.1"]
    assert (stored.state, stored.repeats) == ("done", 2)
    assert len(bench.made) == 2 * 2 * 2 + 2 * 2
    said = capsys.readouterr()
    assert "1,500 … 1,600" in said.out
    assert "N=900, C=4 every 25.0 ms" in said.out
    assert "12 of 12: stage 2.1, N=8,000, C=500, repeat 2" in said.err


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
    stair(tmp_path, "--repeats", "1")
    first = len(bench.made)
    (tmp_path / "stage-0-n900-c4-1.json").unlink()
    bench.made.clear()
    stair(tmp_path, "--repeats", "1")
    assert bench.made.count("stage-0-n900-c4-1.json") == 1
    bench.made.clear()
    stair(tmp_path, "--repeats", "1", "--fresh")
    assert len(bench.made) == first
    assert mine.exists()


@pytest.mark.parametrize("bench", [{"stage-2.1-n900-c4-1.json": KeyboardInterrupt()}], indirect=True)
def test_an_interrupted_campaign_says_where_it_is(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stair(tmp_path) == 130
    assert load(tmp_path / "staircase.json", Staircase, STAIRCASE).state == "interrupted"
    assert len(bench.made) == 3
    assert f"{tmp_path}/staircase.json: has what was measured so far; the same command goes on" in _one_line(capsys)


def test_a_campaign_keeps_to_its_budget(bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stair(tmp_path, "--budget", "0s") == 0
    assert bench.made == []
    assert load(tmp_path / "staircase.json", Staircase, STAIRCASE).state == "out of budget"
    assert "the time is up" in _one_line(capsys)


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_the_floor_is_the_last_step(bench: FakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staircase_command, "floor_server", lambda: staircase_command.stage_server("3", LESSONS["3"], 2))
    assert stair(tmp_path, "--floor", "--quick") == 0
    assert bench.made[2] == "stage-3-n900-c4-1.json"


def test_an_ablation_leaves_its_summary_and_prints_its_tables(
    bench: FakeBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--stage", "2.1", "--lesson", "backlog", "--lesson", "vm", "--repeats", "3", "-N", "50", "-C", "10")
    assert main(["ablate", *words, "--no-limits", "--out", str(tmp_path)]) == 0
    stored = load(tmp_path / "ablation.json", Ablation, ABLATION)
    assert [(worth.lesson, worth.change) for worth in stored.lessons] == [
        ("vm", "left out"),
        ("backlog", "left out"),
        ("vm", "added"),
        ("backlog", "added"),
    ]
    assert (stored.whole.load.n, stored.whole.load.c) == (50, 10)
    assert "no change seen" in capsys.readouterr().out
    assert len(bench.made) == 6 * 3


def test_an_ablation_searches_limits_unless_it_is_told_not_to(bench: FakeBench, tmp_path: Path) -> None:
    words = ["ablate", "--stage", "1", "--lesson", "vm", "--repeats", "1", "--out", str(tmp_path)]
    assert main([*words, "--no-limits"]) == 0
    assert not bench.hints
    assert main(words) == 0
    assert len(bench.hints) == 8


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("staircase", "--quick", "--repeats", "3"), "leave --repeats out"),
        (("staircase", "--slo", "p98<1s"), "no figure is called 'p98'"),
        (("staircase", "--budget", "40"), "is no duration"),
        (("ablate", "--patience", "long"), "is no duration"),
        (("staircase", "--stage", "0", "--out", "/dev/null/x"), "choose another --out"),
        (("ablate", "--stage", "0"), "stage 0 has no lessons"),
        (("ablate", "--stage", "1", "--lesson", "sleep"), "stage 1 has no lesson 'sleep'; it has: open-files, vm"),
        (("ablate", "--stage", "1", "-N", "5", "-C", "6"), "needs N=6 fans or more"),
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


def test_a_comparison_can_be_read_by_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (keep(tmp_path / name, 0.1) / "0.json" for name in ("a", "b"))
    assert main(["compare", str(a), str(b), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["schema"] == Comparison.__annotations__["schema"].__args__[0]
    assert found["warnings"][0].startswith("one run each")
    assert said.err == ""


def test_warnings_are_told_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = tmp_path / "a.json"
    write(search, a_search())
    staircase = keep(tmp_path / "b", 0.1) / "0.json"
    assert main(["compare", str(staircase), str(staircase)]) == 0
    assert "warning: one run each" in capsys.readouterr().err
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
    assert "has no trial results" in _one_line(capsys)


@pytest.mark.slow
def test_ctrl_c_ends_a_real_one_which_then_goes_on(tmp_path: Path) -> None:
    words = ("ablate", "--stage", "1", "--lesson", "vm", "--repeats", "1", "-N", "6", "-C", "3", "--patience", "0s")
    words += ("--no-limits",)
    command = [sys.executable, "-m", "harness.cli", *words, "--out", str(tmp_path)]
    first = tmp_path / "stage-1-n6-c3-1.json"
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
    assert [trial.file for trial in stored.whole.trials] == [first.name]
    again = subprocess.run([*command, "--budget", "0s"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "1 of 4 are there already and are kept" in " ".join(again.stderr.split())
    assert load(tmp_path / "ablation.json", Ablation, ABLATION).state == "out of budget"

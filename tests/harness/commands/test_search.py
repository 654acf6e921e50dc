"""The command as users run it, with real trials against a fake."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from harness import cli
from harness.commands import search as search_command
from harness.records.search import SCHEMA
from harness.search.journal import load_search
from harness.show.search_progress import SearchBars
from tests.harness.fake import Running, fake_server, started, wait_until
from tests.harness.search.worlds import World, put

# The interval is what a generator on a busy machine may be late.
LOAD = ("-C", "4", "--interval", "0.4", "--events", "1", "--rate", "20")
SMALL = ("--for", "N", "--floor", "4", "--ceiling", "8", "--repeats", "1", *LOAD)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli", "search", *words]


def run(server: Running, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "MATCHSTREAM_TOKEN": server.token}
    return subprocess.run(command(*at(server), *words), capture_output=True, text=True, env=environ, check=False)


def at(server: Running) -> Sequence[str]:
    return ("--target", f"127.0.0.1:{server.fans}", "--http", f"http://127.0.0.1:{server.http}")


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


def test_a_search_of_a_server_that_runs(tmp_path: Path) -> None:
    with fake_server("0") as server:
        done = run(server, *SMALL, "--slo", "failures=0,lost=0", "--out", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "holds N = 8 at least: the search was to end there" in " ".join(done.stdout.split())
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == f"127.0.0.1-{server.fans}-search-n.json"
    assert str(path) in done.stdout
    result = load_search(path)
    assert [(trial.level, trial.kind) for trial in result.trials] == [(4, "short"), (8, "short"), (8, "full")]
    assert (result.last_pass, result.at_least, result.state) == (8, True, "done")
    assert all(trial.fanout_p99_s is not None and trial.took_s > 0 for trial in result.trials)


def test_a_server_that_holds_nothing_and_a_program_that_asks(tmp_path: Path) -> None:
    with fake_server("refuse=1") as server:
        done = run(server, *SMALL, "--slo", "unposted=0", "--out", str(tmp_path), "--json")
    assert done.returncode == 1
    assert done.stderr == ""
    printed = json.loads(done.stdout)
    assert printed["schema"] == SCHEMA
    assert (printed["last_pass"], printed["first_fail"]) == (None, 1)
    assert printed["broken"] == ["unposted=0 (1)"]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interruption_leaves_a_result_and_nothing_else(tmp_path: Path, number: signal.Signals) -> None:
    with fake_server("0") as server:
        path = tmp_path / f"127.0.0.1-{server.fans}-search-n.json"
        words = (*at(server), *SMALL, "--slo", "failures=0,lost=0", "--soak", "1h", "--out", str(tmp_path))
        environ = {**os.environ, "MATCHSTREAM_TOKEN": server.token}
        with started(command(*words), stderr=subprocess.PIPE, env=environ) as harness:
            process = psutil.Process(harness.pid)
            wait_until(lambda: path.exists() and len(load_search(path).trials) == 3 and bool(process.children()))
            children = process.children(recursive=True)
            harness.send_signal(number)
            assert harness.stderr is not None
            assert harness.stderr.read().splitlines() == [
                f"{path}: has what was found so far; the same command goes on from there",
                "harness: interrupted: nothing was left behind",
            ]
        assert harness.returncode == 130
        assert psutil.wait_procs(children, timeout=60)[1] == []
        assert server.matches() == 0
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
        result = load_search(path)
        assert (result.state, result.last_pass, len(result.trials)) == ("interrupted", 8, 3)


def test_it_goes_on_with_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = put(World(limit=50), monkeypatch)
    words = ("search", "--stage", "0", "--for", "N", "--floor", "10", "--ceiling", "100", "--out", str(tmp_path))

    def interrupt(n: int) -> None:
        if len(world.made) == 3:
            raise KeyboardInterrupt

    world.judge = interrupt
    assert cli.main(words) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    world.judge = lambda _: None
    assert cli.main(words) == 0
    seen = capsys.readouterr()
    assert "going on after 2 trials (--fresh begins anew)" in seen.err
    assert "stage 0 holds N = 49 … 51" in " ".join(seen.out.split())
    assert cli.main([*words, "--fresh", "--budget", "0s"]) == 1
    assert "its time is up after 0 trials" in " ".join(capsys.readouterr().out.split())


def test_on_a_terminal_it_shows_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class OnTerminal(search_command.Terminal):
        is_terminal = True

    shown = []

    class Watched(SearchBars):
        def trying(self, *how: object) -> None:
            shown.append(how)

    put(World(limit=50), monkeypatch)
    monkeypatch.setattr(search_command, "Terminal", OnTerminal)
    monkeypatch.setattr(search_command, "SearchBars", Watched)
    words = ("search", "--stage", "0", "--for", "N", "--floor", "10", "--ceiling", "20", "--out", str(tmp_path))
    assert cli.main(words) == 0
    assert len(shown) == 4
    shown.clear()
    assert cli.main([*words, "--json"]) == 0
    assert shown == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--for", "M", "--stage", "0"), "'M' is not one of 'N', 'C', 'rate'"),
        (("--stage", "0"), "--for"),
        (("--for", "N"), "whom to measure"),
        (("--for", "N", "--stage", "0", "-N", "5"), "-N is what is searched for: leave it out"),
        (("--for", "C", "--stage", "0", "-C", "5"), "-C is what is searched for"),
        (("--for", "rate", "--stage", "0", "--rate", "5"), "--rate is what is searched for"),
        (("--for", "N", "--stage", "0", "--burst"), "--burst is for C"),
        (("--for", "N", "--stage", "0", "--slo", "p99<fast"), "'p99<fast' cannot be read"),
        (("--for", "N", "--stage", "0", "--budget", "soon"), "'soon' is no duration"),
        (("--for", "N", "--stage", "0", "--soak", "60"), "'60' is no duration"),
        (("--for", "N", "--stage", "0", "--pin", "server=no"), "server=no"),
        (
            ("--for", "N", "--stage", "0", "--floor", "900", "--ceiling", "800"),
            "the floor 900 is above the ceiling 800",
        ),
        (("--for", "N", "--stage", "0", "--ceiling", "200000000"), "the ceiling needs 200,000,000 connections"),
        (("--for", "N", "--target", "h:1", "--events", "5"), "--events is for events, which nobody takes there: give"),
        (("--for", "rate", "--target", "h:1"), "or [publish] in a file that describes the server"),
        (("--for", "N", "--target", "tcp://h:1"), "give --hello, or hello in the file that describes it"),
        (("--for", "N", "--stage", "0", "--hello", "x"), "--hello goes with --target, not with --stage"),
        (("--for", "N", "--stage", "0", "--out", "/proc/none"), "choose another --out"),
        (("--for", "N", "--stage", "9"), "there is no stage '9'"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    words: Sequence[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = () if "--out" in words else ("--out", str(tmp_path))
    assert cli.main(["search", *words, *out]) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert says in seen.err
    assert len(seen.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stage-0-search-n.json"
    path.write_text('{"schema": "matchstream-lab/search/0"}')
    assert cli.main(["search", "--stage", "0", "--for", "N", "--out", str(tmp_path)]) == 2
    assert "has schema matchstream-lab/search/0" in capsys.readouterr().err

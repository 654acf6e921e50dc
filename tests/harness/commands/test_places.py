"""Where results go: it is tried before anything is started, and what was seen is told whatever becomes of it."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands import demo
from harness.commands.exits import exit_status
from harness.records.files import write
from harness.targets.stage import StageTarget
from tests.harness.fake import started
from tests.harness.known_servers import KnownServer, Peer
from tests.harness.load.test_http import Handler, known
from tests.harness.results import a_result, load_result
from tests.harness.targets.news_server import NewsServer
from tests.harness.test_cli import SMALL, command, run

NEWS = ("--hello", r"SUB news {user}\r\n", "--welcome", r"\n", "--answer", r"+OK\r\n")
GREETING = ("--hello", r"V:1:CONNECT:{user}:\n", "--welcome", r"\n", "--answer", r"ok\n")


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


EVERY_COMMAND = [
    ("measure", *SMALL, "--stage", "0", "--out"),
    ("measure", *SMALL, "--stage", "0", "--keep"),
    ("search", "--for", "N", "--stage", "0", "--out"),
    ("http", "--stage", "0", "-n", "3", "--out"),
    ("staircase", "--stage", "0", "--fresh", "--out"),
    ("ablate", "--stage", "1", "--scenario", "gentle", "--out"),
    ("demo", "--out"),
]


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_a_place_that_takes_no_files_is_refused_before_anything_is_started(
    words: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StageTarget, "start", lambda _: pytest.fail("it was started"))
    assert main([*words, "/proc"]) == 2  # not even root may
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("harness: /proc: no result can be written there (")
    assert line.endswith(": choose another --out")


@pytest.mark.parametrize("words", [EVERY_COMMAND[0], EVERY_COMMAND[3], EVERY_COMMAND[-1]], ids=" ".join)
def test_so_is_one_that_has_no_room(words: Sequence[str], tmp_path: Path) -> None:
    # No file may grow beyond a block (getrlimit(2), RLIMIT_FSIZE): to who writes it is as if the disk were full.
    within = ["sh", "-c", 'ulimit -f 1 && exec "$@"', "sh", *command(*words, str(tmp_path))]
    # Nor may the file of a coverage that is measured; and git would leave a lock in the checkout if it could not write.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    environ["GIT_OPTIONAL_LOCKS"] = "0"
    done = subprocess.run(within, capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"harness: {tmp_path}: no result can be written there (File too large): choose another --out\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_requests_are_told_where_the_result_cannot_be_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"

    def answer(handler: Handler) -> None:
        shutil.rmtree(out, ignore_errors=True)
        handler.say()

    with known(answer) as server:
        assert main(["http", "--http", server.url, "-n", "3", "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert "3 of 3 succeeded" in said.out
    (line,) = said.err.splitlines()
    assert "cannot be written (No such file or directory): choose another --out" in line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("measure", *SMALL), "6 of 6 served"),
        (("search", "--for", "N", "--floor", "2", "--ceiling", "2", "--repeats", "1"), "N under failures=0"),
    ],
    ids=["measure", "search"],
)
def test_fans_are_told_where_the_result_cannot_be_kept(
    words: Sequence[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def script(peer: Peer) -> None:
        peer.say(b"welcome\n")
        peer.hear_hello()
        shutil.rmtree(out, ignore_errors=True)
        peer.say(b"ok\n")
        peer.wait_until_gone()

    with KnownServer(script) as server:
        whom = ("--target", f"tcp://127.0.0.1:{server.endpoint.port}", *GREETING, "--slo", "failures=0")
        assert main([*words, *whom, "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert told in " ".join(said.out.split())
    (line,) = said.err.splitlines()
    assert "cannot be written (No such file or directory): choose another --out" in line


@pytest.mark.parametrize("by", ["MPLBACKEND", "MATPLOTLIBRC"])
def test_a_trial_is_told_and_kept_where_its_chart_cannot_be_drawn(by: str, tmp_path: Path) -> None:
    unreadable = tmp_path / "matplotlibrc"
    unreadable.write_bytes(b"\xff")
    environ = {by: "nonsense" if by == "MPLBACKEND" else str(unreadable)}
    out = tmp_path / "out"
    with NewsServer() as server:
        whom = ("--target", f"tcp://127.0.0.1:{server.lines}", *NEWS, "--slo", "failures=0")
        done = run("measure", *SMALL, *whom, "--out", str(out), **environ)
    (file,) = out.iterdir()
    result = load_result(file)
    assert done.returncode == exit_status(result)  # others may have had the machine
    assert "6 of 6 served" in done.stdout
    assert done.stdout.endswith(f"result: {file}\n")
    told = done.stderr.splitlines()[-1]  # before it, matplotlib may have said something of its own
    assert told.startswith("harness: no chart can be drawn (")
    assert told.endswith("): see MPLBACKEND, MPLCONFIGDIR and matplotlibrc")
    drawn = run("draw", str(file), "--out", str(tmp_path / "charts"), **environ)
    assert (drawn.returncode, drawn.stdout) == (2, "")
    assert drawn.stderr == done.stderr


def test_a_demo_is_told_and_kept_where_its_picture_cannot_be_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no such backend")

    monkeypatch.setattr(demo, "run_trial", lambda *_: a_result())
    monkeypatch.setattr("harness.show.charts.arrivals.chart_arrivals", broken)
    assert main(["demo", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "harness: no chart can be drawn (no such backend): see MPLBACKEND" in said.err
    assert f"result: {tmp_path / 'stage-0.json'}" in said.out
    assert [file.name for file in tmp_path.iterdir()] == ["stage-0.json"]  # of which both have the name


def test_a_chart_that_cannot_be_kept_leaves_no_half_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = tmp_path / "one.json"
    write(stored, a_result())
    (tmp_path / "out" / "one.png").mkdir(parents=True)
    assert main(["draw", str(stored), "--out", str(tmp_path / "out")]) == 2
    assert "one.png: cannot be written (Is a directory): choose another --out" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["one.png"]


def test_a_page_that_cannot_be_written_stays_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n")
    (tmp_path / f".page.md.{os.getpid()}").mkdir()
    assert main(["fill", str(page), "--results", str(tmp_path)]) == 2
    assert "page.md: cannot be written (Is a directory): give another page" in capsys.readouterr().err
    assert page.read_text() == "# A page\n"


def test_two_runs_of_the_same_second_are_both_kept(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def answer(handler: Handler) -> None:
        both.wait(60)
        handler.say()

    with known(answer) as server:
        words = command("http", "--http", server.url, "-n", "1", "--out", str(tmp_path))
        with (
            started(words, stdout=subprocess.PIPE) as one,
            started(words, stdout=subprocess.PIPE) as other,
        ):
            told = [process.communicate(timeout=60)[0].splitlines()[-1] for process in (one, other)]
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    assert sorted(told) == sorted(f"result: {file}" for file in files)

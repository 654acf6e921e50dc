import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from rich.console import Console
from typer.main import get_command

from common.tuning.children import python_module
from harness import cli
from harness.cli import app, main
from harness.commands import selftest as selftest_command
from harness.commands import target_options
from harness.load.reporter import Posted
from harness.load.samples import Progress
from harness.load.selftest import SelfTest
from harness.records.trial import SCHEMA, encode_result
from harness.show.progress import Bars
from harness.targets.stage import StageTarget
from tests.harness.fake import FAKE, Running, fake_server, started, wait_until
from tests.harness.results import a_result, load_result, seen_by, some_fans

SMALL = ("-N", "6", "-C", "3", "--interval", "0.02")
FEW = ("--events", "2", "--rate", "50")
INTERRUPTED = "harness: interrupted: nothing was left behind\n"


def command(*words: str) -> list[str]:
    return python_module("harness", *words)


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, env={**os.environ, **environ}, check=False)


def at(server: Running) -> Sequence[str]:
    return ("--target", f"127.0.0.1:{server.fans}", "--http", f"http://127.0.0.1:{server.http}")


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


def test_a_trial_writes_a_table_a_result_and_a_chart(tmp_path: Path) -> None:
    with fake_server("0") as server:
        done = run("measure", *SMALL, *FEW, *at(server), "--out", str(tmp_path), MATCHSTREAM_TOKEN=server.token)
    assert done.stderr == ""
    assert "6 of 6 served" in done.stdout
    (stored,) = tmp_path.glob("*.json")
    result = load_result(stored)
    assert result.verdict.met
    passed = result.validity.valid  # others may have had the machine
    assert (done.returncode, "PASSED" in done.stdout) == (0 if passed else 3, passed)
    assert re.fullmatch(r"127\.0\.0\.1-\d+-n6-c3-\d{8}T\d{6}Z\.json", stored.name)
    assert result.seen.fans.served == 6
    assert stored.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert str(stored) in done.stdout
    assert str(stored.with_suffix(".png")) in done.stdout


def test_json_is_all_that_a_program_gets(tmp_path: Path) -> None:
    with fake_server("lose=1") as server:
        done = run(
            "measure", *SMALL, *FEW, *at(server), "--json", "--out", str(tmp_path), MATCHSTREAM_TOKEN=server.token
        )
    assert done.stderr == ""
    printed = json.loads(done.stdout)
    assert done.returncode == (1 if printed["validity"]["valid"] else 3)
    assert printed["schema"] == SCHEMA
    assert printed["seen"]["delivery"]["lost"] == 3
    assert printed["verdict"]["broken"] == ["lost=0 (3)"]


def test_ctrl_c_takes_the_match_back_and_ends_everything(tmp_path: Path) -> None:
    with fake_server("0") as server:
        words = ("measure", *SMALL, "--events", "1000", "--rate", "1", *at(server), "--out", str(tmp_path))
        environ = {**os.environ, "MATCHSTREAM_TOKEN": server.token}
        with started(command(*words), stderr=subprocess.PIPE, env=environ) as harness:
            wait_until(lambda: server.matches() == 1 and bool(psutil.Process(harness.pid).children()))
            children = psutil.Process(harness.pid).children(recursive=True)
            harness.send_signal(signal.SIGINT)
            assert harness.stderr is not None
            assert harness.stderr.read().endswith(INTERRUPTED)
        assert harness.returncode == 130
        assert server.matches() == 0
        assert psutil.wait_procs(children, timeout=60)[1] == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_an_interruption_in_the_middle_leaves_a_result_that_says_so(tmp_path: Path, number: signal.Signals) -> None:
    with fake_server("0") as server:
        words = ("measure", *SMALL, "--events", "1000", "--rate", "50", *at(server), "--out", str(tmp_path))
        environ = {**os.environ, "MATCHSTREAM_TOKEN": server.token}
        with started(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as harness:
            wait_until(lambda: server.posts() > 2)
            children = psutil.Process(harness.pid).children(recursive=True)
            harness.send_signal(number)
            told, said = harness.communicate(timeout=60)
        assert (harness.returncode, said) == (130, INTERRUPTED)
        assert server.matches() == 0
    assert psutil.wait_procs(children, timeout=60)[1] == []
    (stored,) = tmp_path.glob("*.json")
    result = load_result(stored)
    assert result.interrupted
    assert not result.validity.valid
    assert result.seen.fans.answered == 6
    assert result.seen.delivery is not None
    assert 0 < result.seen.delivery.posted < 1000
    assert str(stored) in told
    assert "it was interrupted after" in told


def test_an_interruption_before_anything_was_seen_says_that_there_is_no_result(tmp_path: Path) -> None:
    # This server never says that it is ready.
    program = "import sys; from functools import partial; from harness import cli; "
    program += "from harness.commands import target_options; "
    program += "from harness.targets.stage import StageTarget; from tests.harness.fake import FAKE; "
    program += "target_options.StageTarget = partial(StageTarget, command=FAKE); sys.exit(cli.main())"
    words = ("measure", *SMALL, "--stage", "mute=1", "--out", str(tmp_path))
    with started([sys.executable, "-c", program, *words], stderr=subprocess.PIPE) as harness:
        process = psutil.Process(harness.pid)
        wait_until(lambda: any("serve" in words_of(child) for child in process.children()))
        children = process.children(recursive=True)
        harness.send_signal(signal.SIGINT)
        assert harness.stderr is not None
        assert (
            harness.stderr.read()
            == f"harness: no result: no fan had been started yet, or their reports were not in\n{INTERRUPTED}"
        )
    assert harness.returncode == 130
    assert psutil.wait_procs(children, timeout=60)[1] == []
    assert list(tmp_path.iterdir()) == []


def words_of(process: psutil.Process) -> list[str]:
    """Return a process's command line; nothing where it has ended by now."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def plays_fans(harness: psutil.Process) -> bool:
    return any("harness.load.fork_server" in words_of(child) for child in harness.children())


def test_sigterm_is_as_ctrl_c(tmp_path: Path) -> None:
    words = ("measure", *SMALL, "--stage", "0", "--events", "1000", "--rate", "1", "--out", str(tmp_path))
    with started(command(*words), stderr=subprocess.PIPE) as harness:
        process = psutil.Process(harness.pid)
        wait_until(lambda: plays_fans(process))
        children = process.children(recursive=True)
        harness.send_signal(signal.SIGTERM)
        assert harness.stderr is not None
        assert harness.stderr.read().endswith(INTERRUPTED)
    assert harness.returncode == 130
    assert len(children) >= 2  # the stage and the generator
    assert psutil.wait_procs(children, timeout=60)[1] == []


def test_stage_0_is_measured(tmp_path: Path) -> None:
    done = run("measure", *SMALL, *FEW, "--stage", "0", "--slo", "failures=0,lost=0", "--out", str(tmp_path))
    (stored,) = tmp_path.glob("stage-0-*.json")
    result = load_result(stored)
    assert result.seen.fans.served == 6
    assert result.seen.delivery is not None
    assert (result.seen.delivery.lost, result.seen.delivery.expected) == (0, 18)
    assert result.server is not None
    assert result.server.fullest_limit == 1024
    assert result.verdict.met
    assert done.returncode == (0 if result.validity.valid else 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "whom to measure"),
        (("--stage", "0", "--target", "h:1"), "not both"),
        (("--stage", "0", "--http", "http://h"), "goes with --target"),
        (("--target", "h"), "is no address"),
        (("--target", "h:1", "--http", "h"), "is no URL of an API"),
        (("--target", "h:1", "--events", "3"), "nobody takes events there"),
        (("--target", "h:1", "--play", "x"), "nobody takes events there"),
        (("--stage", "0", "--play", "x", "--rate", "3"), "leave --events and --rate out"),
        (("--stage", "0", "--play", "/no/such.toml"), "no such file"),
        (("--stage", "0", "--speed", "3"), "goes with --play"),
        (("--stage", "0", "--slo", "p100<1s"), "no figure is called 'p100'"),
        (("--stage", "0", "--interval", "0"), "interval"),
        (("--stage", "0", "-C", "60"), "N=60 fans or more"),
        (("--stage", "0", "-N", "0"), "-N"),
        (("--stage", "0", "-N", "many"), "-N"),
        (("--stage", "0", "--rate", "0"), "--rate"),
        (("--stage", "0", "--out", "/dev/null/x"), "choose another --out"),
        (("--stage", "0", "--pin", "server=none"), "'none' is no CPU"),
        (("--stage", "0", "--pin", "server=0,db=1"), "'db' cannot be pinned"),
        (("--target", "127.0.0.1:1", "--pin", "server=0"), "this one runs already"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    words: Sequence[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = {"-N": "50", "-C": "5", "--out": str(tmp_path), **dict(zip(words[::2], words[1::2], strict=False))}
    extra = ["--nonsense"] if "--nonsense" in words else []
    assert main(["measure", *(part for pair in given.items() for part in pair), *extra]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("harness: ")
    assert says in captured.err
    assert "Traceback" not in captured.err


def test_namespaces_need_root(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["measure", *SMALL, "--stage", "0", "--netns", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == ("harness: --netns needs root: run it with sudo, or leave it out for loopback\n")


def test_lessons_and_nodes_go_to_the_stage_and_into_the_result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(target_options, "StageTarget", functools.partial(StageTarget, command=FAKE))
    lessons = ("--with", "uvloop", "--with", "backlog", "--without", "log")
    words = (*lessons, "--nodes", "2", "--topology", "independent", "--workers", "3")
    assert main(["measure", *SMALL, *FEW, "--stage", "0", *words, "--out", str(tmp_path)]) in {0, 3}
    (stored,) = tmp_path.glob("*.json")
    assert re.fullmatch(
        r"stage-0-with-uvloop-and-backlog-without-log-2-independent-nodes-3-workers-n6-c3-\d{8}T\d{6}Z\.json",
        stored.name,
    )
    target = load_result(stored).asked.target
    assert target.name == "stage 0 with uvloop and backlog without log, 2 independent nodes, 3 workers"
    assert (target.stage, target.with_lessons, target.without_lessons) == ("0", ("uvloop", "backlog"), ("log",))
    assert (target.nodes, target.topology, target.workers) == (2, "independent", 3)
    assert target.name in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ("--with", "x"),
        ("--without", "x"),
        ("--nodes", "2"),
        ("--topology", "connected"),
        ("--workers", "2"),
        ("--door", "websocket"),
    ],
)
def test_lessons_and_nodes_are_a_stages(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", *SMALL, "--target", "127.0.0.1:1", *words]) == 2
    assert capsys.readouterr().err == f"harness: {words[0]} goes with --stage, not with --target\n"


def test_results_side_by_side(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    paths = [tmp_path / "one.json", tmp_path / "other.json"]
    for path, fans in zip(paths, (900, 800), strict=True):
        path.write_bytes(encode_result(a_result(seen=seen_by(some_fans(fans)))))
    names = [str(path) for path in paths]
    assert main(["table", *names]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 3  # no figure is cut off or wrapped, however narrow the terminal
    assert ["stage 0" in line for line in shown] == [False, True, True]
    assert "fan-out mean / last" in shown[0]
    assert main(["table", "--markdown", *reversed(names)]) == 0
    _, _, first, second = capsys.readouterr().out.splitlines()
    assert "| 800 |" in first
    assert "| 900 | 4 | 250 ms | 900 |" in second


def test_what_is_no_result_has_no_row(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    for path, says in ((tmp_path / "x.json", "is no result of this harness"), (tmp_path / "none", "cannot be read")):
        assert main(["table", str(path)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert says in captured.err
    assert main(["table"]) == 2


@pytest.mark.slow
def test_bad_input_on_the_real_command_line(tmp_path: Path) -> None:
    for words in (
        ("measure", "--stage", "no-such", "--out", str(tmp_path), *SMALL),
        ("measure", "-N", "5"),
        ("no-such",),
    ):
        done = run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("harness: ")


def test_a_target_where_nobody_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["measure", *SMALL, "--target", "127.0.0.1:1", "--out", str(tmp_path)]) == 2
    assert "nobody answers at 127.0.0.1:1" in capsys.readouterr().err


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "measure" in captured.out
    assert captured.err == ""
    assert main(["--help"]) == 0


def test_every_option_is_explained(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["measure", "--help"]) == 0
    text = capsys.readouterr().out
    measure = get_command(app).commands["measure"]  # type: ignore[attr-defined]
    for option in measure.params:
        assert option.opts[0] in text
        assert option.help
    assert "Default: 20." in text


def test_the_schema_is_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == SCHEMA


def test_an_interrupt_elsewhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "harness: interrupted: nothing was left behind\n"


@pytest.mark.parametrize(("reasons", "status"), [((), 0), (("9 connections/s are less than 10,000",), 1)])
def test_the_selftest_says_what_it_found(
    reasons: tuple[str, ...], status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(connections: int, *, rounds: int) -> SelfTest:
        assert (connections, rounds) == (70, 2)
        return SelfTest(
            connections=70,
            rounds=2,
            connections_per_s=12_345.6,
            start_s=2e-5,
            cpu_per_connection_s=6e-5,
            cpu_per_receipt_s=8e-6,
            bytes_per_connection=180.0 if not reasons else None,
            lag_p99_s=0.5,
            lag_max_s=0.6,
            turn_max_s=0.01,
            reasons=reasons,
        )

    monkeypatch.setattr(selftest_command, "run_selftest", found)
    assert main(["selftest", "--connections", "70", "--rounds", "2"]) == status
    printed = capsys.readouterr().out
    assert "12,346 a second" in printed
    assert ("PASSED" in printed) is not bool(reasons)
    assert all(reason in printed for reason in reasons)


def test_bars_follow_the_phases() -> None:
    console = Console(width=120, force_terminal=True, record=True, file=Path(os.devnull).open("w"))  # noqa: SIM115 -- closed below
    with Bars(console) as bars:
        bars.fans(Progress(answered=1))  # before any phase there is nothing to move
        bars.phase("starting", 0)
        bars.phase("connecting", 12)
        bars.fans(Progress(answered=7, failed=2))
        bars.phase("posting", 3)
        bars.posted(Posted(3, "shot", 0.0, 0.0, 0.0, 0.0, "no store"))
        bars.phase("closing", 0)
    console.file.close()
    shown = console.export_text()
    assert "connecting" in shown
    assert "2 failed" in shown
    assert "9 of 12" in shown
    assert "3 of 3" in shown
    assert "no store" in shown

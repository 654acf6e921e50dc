"""A trial while it is made, in a terminal; it disturbs nothing and leaves nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands.exits import exit_status
from harness.records.trial import TrialResult
from harness.show.live.trial import rest_s
from tests.harness.fake import fake_server
from tests.harness.results import load_result
from tests.harness.show.live.terminal import Terminal

FANS = ("-N", "6", "-C", "3", "--interval", "0.02")
LOAD = (*FANS, "--events", "10", "--rate", "2")


def the_result(directory: Path) -> TrialResult:
    (stored,) = directory.glob("*.json")
    return load_result(stored)


@given(took_s=st.floats(0.0, 0.2) | st.floats(0.2, 1e6))
def test_the_server_is_asked_for_a_hundredth_of_the_time_but_never_forgotten(took_s: float) -> None:
    assert 1.0 <= rest_s(took_s) <= 5.0
    assert rest_s(took_s) == 5.0 or took_s / rest_s(took_s) < 0.010001


def test_a_stage_is_shown_with_its_actors(tmp_path: Path) -> None:
    # As many events as it takes: the slower the server answers, the more seldom it is asked, every 5 s at the least.
    words = ("measure", "--stage", "2.5", *FANS, "--events", "1000", "--rate", "2", "--live", "--out", str(tmp_path))
    with Terminal(*words, rows=40) as terminal:
        terminal.see("stage 2.5: starting")
        counts = ("6 of 6 connected, 6 answered, 0 failed", "of 1,001 accepted", "of 6 fans have it")
        terminal.see("stage 2.5: posting", *counts, "node", "mailbox▼", "all 6 of")
        terminal.signal(signal.SIGINT)
        assert terminal.end() == 130
        assert "Traceback" not in terminal.text
        assert terminal.settings == terminal.before
    result = the_result(tmp_path)
    assert result.interrupted
    assert result.seen.fans.answered == 6
    assert result.seen.delivery is not None
    assert result.seen.delivery.lost == 0
    assert result.loop_lag is not None


@pytest.mark.slow
def test_of_a_stage_with_nodes_each_is_a_row(tmp_path: Path) -> None:
    words = ("measure", "--stage", "3", "--nodes", "2", *LOAD, "--live", "--out", str(tmp_path))
    with Terminal(*words, rows=40, columns=120) as terminal:
        terminal.see_match(r"posting[^▼]*node +up[^\n]*\n(\S+:\d+) [^\n]*\n(?!\1 )(\S+:\d+) [^▼]*mailbox▼")
        ended = terminal.end()
        assert "Traceback" not in terminal.text
    assert ended == exit_status(the_result(tmp_path))  # others may have had the machine


@pytest.mark.slow
def test_a_server_that_tells_nothing_of_itself_is_shown_without(tmp_path: Path) -> None:
    with fake_server("0") as server:
        at = ("--target", f"127.0.0.1:{server.fans}", "--http", f"http://127.0.0.1:{server.http}")
        words = ("measure", *at, *LOAD, "--live", "--out", str(tmp_path))
        with Terminal(*words, environ={"MATCHSTREAM_TOKEN": server.token}) as terminal:
            terminal.see("posting", "6 of 6 connected")
            ended = terminal.end()
            assert "Traceback" not in terminal.text
            assert "mailbox" not in terminal.text
    assert ended == exit_status(the_result(tmp_path))


def test_without_a_terminal_it_is_refused(tmp_path: Path) -> None:
    words = ("measure", "--stage", "0", "-N", "1", "-C", "1", "--live", "--out", str(tmp_path))
    done = subprocess.run([sys.executable, "-m", "harness.cli", *words], capture_output=True, text=True, check=False)
    told = "harness: --live draws on a terminal, and standard error is none: leave it out\n"
    assert (done.returncode, done.stderr) == (2, told)

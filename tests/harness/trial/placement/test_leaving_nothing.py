"""However a run in namespaces ends, nothing of it stays: no process, and no link."""

import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.harness.fake import started, wait_until
from tests.harness.results import load_result
from tests.harness.trial.placement.root import needs_namespaces

PATIENCE_S = 60.0
FANS = 6
LOAD = ("-N", str(FANS), "-C", "3", "--interval", "0.02", "--events", "1000", "--rate", "2")


def traces() -> set[str]:
    """Return which of the links that the harness makes are in this network namespace, where none belongs.

    Others may come and go beside this test. A namespace that nobody is in and that has no name is gone.
    """
    return {name for _, name in socket.if_nameindex()} & {"generator", "server"}


def has_fans(process: psutil.Process) -> bool:
    """Return whether a generator process below this one has a socket for each fan, besides that of its control."""
    for child in process.children(recursive=True):
        with suppress(psutil.Error, OSError):  # it may have ended by now
            if "harness.load.fork_server" in child.cmdline():
                files = [str(file.readlink()) for file in Path(f"/proc/{child.pid}/fd").iterdir()]
                if sum(file.startswith("socket:") for file in files) > FANS:
                    return True
    return False


@needs_namespaces
@pytest.mark.parametrize(
    "number",
    [*(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGINT, signal.SIGTERM)), signal.SIGKILL],
)
def test_a_run_that_is_ended_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    words = ("measure", *LOAD, "--stage", "1", "--netns", "--out", str(tmp_path))
    command = [sys.executable, "-m", "harness.cli", *words]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as harness:
        process = psutil.Process(harness.pid)
        wait_until(lambda: has_fans(process) or harness.poll() is not None)
        below = process.children(recursive=True)
        assert len(below) >= 3  # the stage, its Redis, the generator
        harness.send_signal(number)
    assert harness.returncode == (-9 if number == signal.SIGKILL else 130)
    assert psutil.wait_procs(below, PATIENCE_S)[1] == []
    assert traces() == set()
    results = [load_result(path) for path in tmp_path.glob("*.json")]
    assert [result.interrupted for result in results] == ([] if number == signal.SIGKILL else [True])

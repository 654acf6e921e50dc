"""A test that leaves a process behind fails, and the process is ended; nobody else is blamed."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil

from tests.common.tuning.processes import wait_until_ended
from tests.leftovers import StartedProcesses

ROOT = Path(__file__).parents[1]

TESTS = """
    import os, subprocess, sys
    import pytest
    from tests import leftovers
    from tests.leftovers import *

    leftovers.PATIENCE_S = 0.1
    FOR_EVER = "import signal; print(1, flush=True); signal.pause()"

    def note(name, pid):
        with open(name, "w") as file:
            file.write(str(pid))

    def started(**how):
        process = subprocess.Popen([sys.executable, "-c", FOR_EVER], stdout=subprocess.PIPE, **how)
        process.stdout.readline()
        return process

    @pytest.fixture(scope="module")
    def server():
        process = started()
        note("server", process.pid)
        return process

    def test_of_the_module(server):
        pass

    def test_careful(server, processes):
        process = started()
        assert [one.pid for one in processes.running()] == [process.pid]
        process.kill()
        process.communicate()
        assert processes.running() == []

    LEFT = []

    def test_leaves_a_child(server):
        LEFT.append(started(start_new_session=True))  # kept, so that no ResourceWarning tells of it
        note("child", LEFT[0].pid)

    def test_innocent(processes):
        assert processes.running() == []

    def test_leaves_an_orphan(server):
        fork = "import subprocess as s, sys; print(s.Popen(sys.argv[1:], stdout=s.DEVNULL).pid)"
        command = [sys.executable, "-c", fork, sys.executable, "-c", FOR_EVER]
        done = subprocess.run(command, stdout=subprocess.PIPE)
        note("orphan", int(done.stdout))

    def test_last(server):
        assert server.poll() is None
"""


def run(directory: Path) -> list[str]:
    """Return what pytest says of these tests, line by line."""
    (directory / "test_these.py").write_text(textwrap.dedent(TESTS))
    words = ("-rA", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function", "test_these.py")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", *words]
    done = subprocess.run(command, cwd=directory, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.splitlines()


def has_ended(pid: int) -> bool:
    try:
        return wait_until_ended(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return True


def test_it_is_reported_where_it_was_left_and_ended(tmp_path: Path) -> None:
    lines = run(tmp_path)
    errors = [line.split()[1].removeprefix("test_these.py::") for line in lines if line.startswith("ERROR ")]
    assert errors == ["test_leaves_a_child", "test_leaves_an_orphan", "test_last"], lines
    assert not [line for line in lines if line.startswith("FAILED")], lines
    said = [line for line in lines if line.startswith("still running after this test: ")]
    for line, name in zip(said, ("child", "orphan", "server"), strict=True):
        pid = int((tmp_path / name).read_text())
        assert line.endswith(f"(process {pid})")
        assert has_ended(pid)


def test_what_is_on_its_way_out_is_waited_for() -> None:
    fork = "import subprocess as s, sys; s.Popen(sys.argv[1:])"
    subprocess.run([sys.executable, "-c", fork, "sleep", "0.2"], check=True)


def test_those_of_others_are_nobodys(processes: StartedProcesses) -> None:
    # Whoever else works on this machine starts processes meanwhile: one that init has, and that has no mark of ours.
    fork = "import subprocess as s; print(s.Popen(['sleep', '60'], stdout=s.DEVNULL, env={}).pid)"
    done = subprocess.run([sys.executable, "-c", fork], stdout=subprocess.PIPE, check=True)
    stranger = psutil.Process(int(done.stdout))
    try:
        assert stranger.is_running()
        assert processes.running() == []
    finally:
        stranger.kill()

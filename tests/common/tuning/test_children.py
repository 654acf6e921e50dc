import ctypes
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import psutil
import pytest

from common.tuning import children
from common.tuning.children import ParentDeathSignalError, command_that_dies_with_parent, die_with_parent
from tests.common.tuning.processes import wait_until_ended

PARENT = """
    import subprocess, sys, time
    from common.tuning.children import command_that_dies_with_parent
    child = subprocess.Popen({command})
    print(child.pid, flush=True)
    time.sleep(60)
"""
TIED = 'command_that_dies_with_parent(["sleep", "60"])'


@pytest.fixture
def untied() -> Iterator[None]:
    yield
    libc = ctypes.CDLL(None)
    libc.prctl(1, 0, 0, 0, 0)  # this process itself must not stay tied to its parent


def started_parent(command: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    program = textwrap.dedent(PARENT.format(command=command))
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    return parent, psutil.Process(int(parent.stdout.readline()))


def kill(parent: subprocess.Popen[str]) -> None:
    with parent:
        parent.kill()


def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent, child = started_parent(TIED)
    kill(parent)
    assert wait_until_ended(child)


def test_without_the_command_a_child_outlives_its_parent() -> None:
    parent, child = started_parent('["sleep", "60"]')
    kill(parent)
    try:
        assert child.status() != psutil.STATUS_ZOMBIE
    finally:
        child.kill()


def test_the_program_gets_its_arguments_and_nothing_of_python_stays() -> None:
    read_own_command = ["sh", "-c", 'tr "\\0" "|" < /proc/$$/cmdline; cat /dev/stdin', "a b", ""]
    command = command_that_dies_with_parent(read_own_command)
    finished = subprocess.run(command, input="in", capture_output=True, text=True, check=True)
    assert finished.stdout == "|".join(read_own_command) + "|in"


def test_the_program_starts_with_the_usual_signals() -> None:
    command = command_that_dies_with_parent(["grep", "SigIgn", "/proc/self/status"])
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    ignored = int(finished.stdout.split()[1], 16)  # a bit a signal; others may be ignored since before this test
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def test_the_exit_status_is_the_programs() -> None:
    assert subprocess.run(command_that_dies_with_parent(["sh", "-c", "exit 7"]), check=False).returncode == 7


def test_a_program_that_is_not_there_is_named_on_one_line() -> None:
    command = command_that_dies_with_parent(["no-such-program"])
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 127
    assert finished.stderr == "cannot run no-such-program: No such file or directory\n"


def test_it_does_not_start_when_the_parent_is_another() -> None:
    command = command_that_dies_with_parent(["echo", "started"])
    # A shell in between stands for a parent that died: the trampoline finds another than it expects.
    finished = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", *command], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 127
    assert finished.stdout == ""
    assert finished.stderr == f"not started: process {os.getpid()}, which asked for it, has ended\n"


def test_a_signal_that_does_not_exist_is_refused_by_the_kernel() -> None:
    with pytest.raises(ParentDeathSignalError, match="Invalid argument"):
        die_with_parent(os.getppid(), 1000)


@pytest.mark.usefixtures("untied")
def test_the_program_is_replaced_only_once_the_signal_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def execvp(program: str, argv: list[str]) -> None:
        set_signal = ctypes.c_int()
        ctypes.CDLL(None).prctl(2, ctypes.byref(set_signal), 0, 0, 0)  # PR_GET_PDEATHSIG
        ran.append([program, str(set_signal.value), *argv])
        raise FileNotFoundError(2, "No such file or directory")

    before = signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGXFSZ)
    monkeypatch.setattr(os, "execvp", execvp)
    try:
        message = children.main([str(os.getppid()), "12", "program", "argument"])
    finally:
        signal.signal(signal.SIGPIPE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert ran == [["program", "12", "program", "argument"]]
    assert message == "cannot run program: No such file or directory"


@pytest.mark.usefixtures("untied")
def test_nothing_is_run_for_a_parent_that_has_ended() -> None:
    assert children.main(["0", "15", "program"]) == "not started: process 0, which asked for it, has ended"


def test_systems_other_than_linux_get_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ParentDeathSignalError, match="only Linux"):
        command_that_dies_with_parent(["sleep", "1"])

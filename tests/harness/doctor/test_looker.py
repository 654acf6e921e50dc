"""Servers with one fault each: the doctor names it."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator

from harness.doctor.advice import load_advice
from harness.doctor.listeners import Listener, listeners
from harness.doctor.looker import Looker
from harness.doctor.rules import Finding, findings
from harness.load.workload import Load
from harness.targets.custom import CustomTarget
from harness.targets.description import Description, check
from harness.trial.figures.slo import parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.run import run_trial

N = 40
BLOCKED = {"log", "disk", "sleep", "waits-for-others", "lock"}


@contextlib.contextmanager
def faulty(fault: str, *words: str, errors: int = subprocess.DEVNULL) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Give the port and the process of a server with a fault."""
    command = [sys.executable, "-m", "tests.harness.doctor.faulty_server", fault, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def lines_at(port: int) -> Description:
    return Description(f"tcp://127.0.0.1:{port}", hello=r"hi {user}\n", answer_end=r"ok\n", error_start="-ERR")


def examined(
    port: int, pid: int, *, n: int = N, timeout_s: float = 60.0, describe: Callable[[int], Description] = lines_at
) -> dict[str, Finding]:
    described = describe(port)
    target = CustomTarget("server", check(described, "server"))
    plan = TrialPlan(Load(n, n), parse_slo("failures=0"), None, timeout_s)
    with Looker([pid], [port]) as looker:
        looker.watch_idle()
        result = run_trial(plan, target, looker)
        found = findings(result, looker.looked(), load_advice())
    return {finding.knob: finding for finding in found}


def drain_slowly(process: subprocess.Popen[bytes], over: threading.Event) -> None:
    """Read what a server logs, a pipe full fifty times a second."""
    assert process.stdout is not None
    while not over.wait(0.02):
        process.stdout.read1(65536)


@contextlib.contextmanager
def slow_terminal() -> Iterator[int]:
    """Give a terminal that shows what it is told a hundred times a second, and all of it at the end."""
    shown, terminal = os.openpty()
    tty.setraw(terminal)
    over = threading.Event()

    def show() -> None:
        with contextlib.suppress(OSError):  # nobody has it open any more
            while True:
                over.wait(0.01)
                os.read(shown, 4096)

    thread = threading.Thread(target=show, name="terminal")
    thread.start()
    try:
        yield terminal
    finally:
        over.set()
        os.close(terminal)
        thread.join()
        os.close(shown)


@contextlib.contextmanager
def slow_store() -> Iterator[int]:
    """Give the port of a store that takes its time for each question."""

    def answer() -> None:
        asker, _ = listener.accept()
        with asker:
            while asker.recv(10):
                time.sleep(0.02)  # it is what this store does
                asker.sendall(b"!\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, name="store", daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def test_a_server_that_sleeps() -> None:
    with faulty("sleep") as (port, process):
        found = examined(port, process.pid)
    assert found["sleep"].certainty == "likely"
    assert found["sleep"].advice.moves == "ART"
    assert found["sleep"].lines[0] == "await asyncio.sleep(…), not time.sleep(…)"
    assert not set(found) & (BLOCKED - {"sleep"})


def test_a_server_that_waits_for_another_thread() -> None:
    with faulty("lock") as (port, process):
        found = examined(port, process.pid)
    assert "waiting for another thread" in found["lock"].because
    assert not set(found) & (BLOCKED - {"lock"})


def test_a_server_that_waits_for_its_log() -> None:
    with faulty("log") as (port, process):
        over = threading.Event()
        reader = threading.Thread(target=drain_slowly, args=(process, over), name="reader")
        reader.start()
        try:
            found = examined(port, process.pid)
        finally:
            over.set()
            process.kill()  # whoever reads from it comes to an end
            reader.join()
    assert "(write(2) to a pipe)" in found["log"].because
    assert not set(found) & (BLOCKED - {"log"})


def test_a_server_that_waits_for_a_terminal() -> None:
    with slow_terminal() as terminal, faulty("terminal", errors=terminal) as (port, process):
        found = examined(port, process.pid)
    assert "(write(2) to a terminal)" in found["log"].because
    assert not set(found) & (BLOCKED - {"log"})


def test_a_server_that_waits_for_each_answer_of_another() -> None:
    with slow_store() as store, faulty("store", str(store)) as (port, process):
        found = examined(port, process.pid)
    assert "waiting for another server" in found["waits-for-others"].because
    assert not set(found) & (BLOCKED - {"waits-for-others"})


def test_a_server_that_computes() -> None:
    with faulty("cpu") as (port, process):
        found = examined(port, process.pid)
    assert not set(found) & BLOCKED  # whether it had a core to itself is up to others


def test_a_server_without_open_files() -> None:
    with faulty("files") as (port, process):
        found = examined(port, process.pid, timeout_s=2.0)
    assert "of 24 files open; it may allow itself" in found["open-files"].because
    assert found["open-files"].certainty == "sure"
    assert found["open-files"].advice.moves == "N"


def test_a_server_with_a_short_backlog() -> None:
    with faulty("backlog") as (port, process):
        assert listeners([port]) == {port: Listener(backlog=5, drops=0)}
        found = examined(port, process.pid, n=12)
    assert found["backlog"].certainty == "sure"
    assert "which has room for 5 where 12 came at once" in found["backlog"].because
    assert found["backlog"].lines[0].startswith("asyncio: start_server(…, backlog=4096)")
    assert not set(found) & BLOCKED  # it sleeps when idle, too


def test_a_server_that_refuses() -> None:
    with faulty("limit") as (port, process):
        found = examined(port, process.pid)
    assert found["own-limit"].because == f"it turned {N - 4} clients away itself (error line)"


def test_a_server_that_answers_that_it_is_overloaded() -> None:
    with faulty("overloaded") as (port, process):
        found = examined(port, process.pid, describe=lambda port: Description(f"http://127.0.0.1:{port}/stream"))
    assert re.fullmatch(r"it turned \d+ clients away itself \(status 503\)", found["own-limit"].because)
    assert not set(found) & BLOCKED


def test_a_server_without_a_fault() -> None:
    with faulty("none") as (port, process):
        found = examined(port, process.pid)
    assert set(found) <= {
        "one-core",
        "all-cores",
        "other-load",
        "accepts-slowly",
        "idle",
    }  # where others have the machine

"""What a test starts ends with it: what does not is reported in the test that left it, and ended.

A process belongs to a test if it came while the test ran and descends from this pytest, or has the test's mark in its
environment (its parent may have ended, and left it to init). So nothing is said of what others run on this machine, or
of servers that a fixture of the whole module started before. Looking costs 0.2 ms a test: only processes that are new
are looked at.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from uuid import uuid4

import psutil
import pytest

PATIENCE_S: Final = 20.0
"""How long what is ending may take. Only a test that leaves something waits for so long."""

_MARK: Final = "STARTED_BY_TEST"


class StartedProcesses:
    """The processes that a test started, and those that they started in turn."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._before = _pids()

    def running(self) -> list[psutil.Process]:
        """Return those that have not ended. A zombie has."""
        new = _pids() - self._before
        found = []
        for pid in new:
            with suppress(psutil.Error):  # it has ended meanwhile, or is another user's
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and self._is_ours(process, new):
                    found.append(process)
        return found

    def _is_ours(self, process: psutil.Process, new: set[int]) -> bool:
        ancestor = process.ppid()
        while ancestor in new:
            ancestor = psutil.Process(ancestor).ppid()
        return ancestor == os.getpid() or process.environ().get(_MARK) == self._mark


def _pids() -> set[int]:
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}  # noqa: PTH208 - twice a test


def _watched() -> Iterator[StartedProcesses]:
    mark = uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_MARK, mark)
        processes = StartedProcesses(mark)
        yield processes
    deadline = time.monotonic() + PATIENCE_S
    while (left := processes.running()) and time.monotonic() < deadline:
        time.sleep(0.01)
    if not left:
        return
    commands = [_command(process) for process in left]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    pytest.fail("still running after this test: " + "; ".join(commands), pytrace=False)


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{' '.join(process.cmdline())} (process {process.pid})"
    return f"process {process.pid}"


@pytest.fixture(autouse=True)
def processes() -> Iterator[StartedProcesses]:
    """Return what this test started; it fails if any of it is left at its end."""
    yield from _watched()


@pytest.fixture(scope="module", autouse=True)
def processes_of_the_module() -> Iterator[None]:
    """Fail the last test of a module if servers are left that serve all of its tests."""
    for _ in _watched():
        yield

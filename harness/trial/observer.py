"""Watches processes and the machine from outside, ten times a second, in a thread: CPU, memory, open files.

It must not disturb what it watches, so where there are very many processes it looks less often. A sample of a process
is one small read of /proc; its open files are counted by the size of its `fd` directory (Linux 6.2 and later; see
`proc_readfd` in the kernel), since listing 20,000 of them ten times a second would take a tenth of a core. Older
kernels have no such size: there they are listed, once a second.

Kept as columns; `harness.trial.figures.usage` makes figures of them afterwards.
"""

from __future__ import annotations

import threading
import time
from array import array
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import psutil
from numpy.typing import NDArray

from harness.interruption import background_thread
from harness.targets.process_tree import all_processes, descended, open_files_limit, read_stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PERIOD_S = 0.1
MOST_SHARE = 0.02
"""Of a core that an observer may take: of very many processes it takes fewer samples."""
_SLOW = 10
"""Every how many samples that is done which takes long: finding new children, and listing files where it must be."""

_Column = NDArray[np.float64]


@dataclass(slots=True)
class ProcessColumns:
    """What was seen of one process: row i is sample `tick[i]`.

    `began` tells it from an earlier process of the same number (see ProcessStat). `limit` is its soft limit of open
    files, as it was last: `sys.maxsize` is none, and 0 not known.
    """

    pid: int
    name: str
    limit: int
    tick: array[int] = field(default_factory=lambda: array("q"))
    cpu_s: array[float] = field(default_factory=lambda: array("d"))
    rss: array[int] = field(default_factory=lambda: array("q"))
    files: array[int] = field(default_factory=lambda: array("q"))
    threads: array[int] = field(default_factory=lambda: array("q"))
    began: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was seen, at least one sample: a row each of `at_s` (seconds from t0), `host_cpu_s` and `available`.

    Each of `processes` was there in one sample at least.
    """

    at_s: _Column
    host_cpu_s: _Column
    available: NDArray[np.int64]
    processes: tuple[ProcessColumns, ...]


class Observer:
    """Samples the process trees of `roots`, and the machine, every `PERIOD_S` seconds while it is entered.

    Where a sample takes so long that this would be more than `MOST_SHARE` of a core, it is less often.

    Processes that end, or that may not be looked at, have no more rows. Children are found within a second, those of
    children too, whenever they appear and whoever they replace; what a process did before is not in its rows.
    """

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = tuple(roots)
        self._watched: dict[int, ProcessColumns] = {}
        self._gone: list[ProcessColumns] = []
        self._at = array("d")
        self._host_cpu_s = array("d")
        self._available = array("q")
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = ExitStack()

    def __enter__(self) -> Self:
        self.sample()
        self._thread.enter_context(background_thread("observer", self._run, self._over))
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.close()

    def sample(self) -> float:
        """Take one sample now, besides the regular ones, and return its moment on `time.monotonic`."""
        with self._lock:
            tick = len(self._at)
            if tick % _SLOW == 0:
                self._find()
            now = time.monotonic()
            for pid, columns in list(self._watched.items()):
                if not _read(columns, tick):
                    self._gone.append(self._watched.pop(pid))
            self._at.append(now)
            self._host_cpu_s.append(_host_cpu_s())
            self._available.append(psutil.virtual_memory().available)
            return now

    def observation(self, t0: float) -> Observation:
        """Return everything that was seen until now, with moments counted from `t0` on `time.monotonic`."""
        with self._lock:
            return Observation(
                at_s=np.array(self._at) - t0,
                host_cpu_s=np.array(self._host_cpu_s),
                available=np.array(self._available, dtype=np.int64),
                processes=tuple(deepcopy(seen) for seen in (*self._gone, *self._watched.values()) if seen.tick),
            )

    def _run(self) -> None:
        pause_s = PERIOD_S
        while not self._over.wait(pause_s):
            before_s = time.thread_time()
            self.sample()
            pause_s = pause_after(time.thread_time() - before_s)

    def _find(self) -> None:
        # Of those watched already, too: the children of a process that lost its own parent are still the tree's.
        for stat in descended({*self._roots, *self._watched}, all_processes()):
            columns = self._watched.setdefault(stat.pid, ProcessColumns(stat.pid, stat.name, 0, began=stat.began))
            columns.limit = open_files_limit(stat.pid)  # a server raises it itself, a little after it was started


def pause_after(cpu_s: float) -> float:
    """Return how long to wait after a sample that took so much CPU."""
    return max(PERIOD_S, cpu_s / MOST_SHARE)


def listen_counters(netstat: Path = Path("/proc/thread-self/net/netstat")) -> tuple[int, int]:
    """Return the counts of full accept queues: `ListenOverflows`, `ListenDrops`; zeros where there are none.

    They are those of the network namespace in which this thread is: the machine's own, unless it was moved.
    """
    try:
        lines = netstat.read_text().splitlines()
    except OSError:
        return 0, 0
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        if names.startswith("TcpExt:"):
            counts = dict(zip(names.split(), values.split(), strict=False))
            return int(counts.get("ListenOverflows", 0)), int(counts.get("ListenDrops", 0))
    return 0, 0


def _read(columns: ProcessColumns, tick: int) -> bool:
    """Add a row; return whether the process is still there and may be looked at."""
    stat = read_stat(columns.pid)
    if stat is None or stat.began != columns.began:
        return False
    try:
        files = _open_files(columns.pid, columns.files, tick)
    except OSError:
        return False
    columns.tick.append(tick)
    columns.cpu_s.append(stat.cpu_s)
    columns.rss.append(stat.rss)
    columns.files.append(files)
    columns.threads.append(stat.threads)
    return True


def _open_files(pid: int, before: Sequence[int], tick: int) -> int:
    directory = Path(f"/proc/{pid}/fd")
    size = directory.stat().st_size
    if size or (before and tick % _SLOW):
        return size or before[-1]
    return sum(1 for _ in directory.iterdir())


def _host_cpu_s() -> float:
    """Return the CPU seconds used on this machine by anyone, of all cores together."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return float(sum(times)) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)

"""What the server's processes and the kernel take of the memory, read twice: before the first fan, and at rest.

**PSS**, as smaps_rollup in proc(5) has it, since nodes that were forked share pages, which RSS counts for each of them.
The kernel walks all pages of a process for it, some milliseconds for each 100 MB, so it is not in the trace of ten
samples a second. Where it may not be read (a server of another user) it is the RSS, and the result says so.

**At rest** is after the second event: what a server puts off until a crowd was answered is done then, and what it
keeps after an event is there. A thread of its own looks when every fan has both events and the server has done next to
nothing for a moment; the events go on at their rate meanwhile. Where that never is, it is just before the last event,
which has the fans closed.

**The kernel** has both ends of a connection on this machine, sockets, open files and epoll entries of server and
generator alike, and does not say whose is what. So it is the growth of the whole machine's slab and socket buffers.
"""

import re
import resource
import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from common.store.process import REDIS_PROGRAMS
from harness.interruption import background_thread, raise_if_interrupted
from harness.load.samples import Progress
from harness.records.usage import MemoryMoment
from harness.targets.process_tree import ProcessStat, all_processes, descended, read_stat

EVENTS: Final = 2
"""After how many events a server is at rest."""

LONGEST_WAIT_S: Final = 2.0
"""How long a server without events may take to come to rest."""

_LOOK_EVERY_S: Final = 0.05
_AT_REST: Final = 0.25
"""What part of a core a server uses at most that is at rest: less is not seen, as the kernel counts ticks of 10 ms."""

_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)
_SLAB = re.compile(rb"^Slab:\s+(\d+) kB", re.MULTILINE)
_TCP_PAGES = re.compile(rb"^TCP:.* mem (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of some processes together, in bytes; `pss` is None where that of one of them may not be read."""

    pss: int | None
    rss: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The memory at a moment of time.monotonic(), in bytes; no `redis` where the server has none of its own.

    `slab` and `sockets` (TCP's buffers) are the whole machine's.
    """

    at: float
    server: Sizes
    redis: Sizes | None
    slab: int
    sockets: int


@dataclass(frozen=True, slots=True)
class AtRest:
    """A reading, how many fans were connected at the time, and what had been before."""

    reading: Reading
    connections: int
    moment: MemoryMoment


def read_memory(roots: Collection[int]) -> Reading:
    """Return what the processes `roots`, and all that descend from them, take now, and the kernel."""
    tree = descended(roots, all_processes())
    redis = [stat for stat in tree if stat.pid not in roots and stat.name.startswith(REDIS_PROGRAMS)]
    return Reading(
        at=time.monotonic(),
        server=_sizes([stat for stat in tree if stat not in redis]),
        redis=_sizes(redis) if redis else None,
        slab=1024 * _number(_SLAB, Path("/proc/meminfo")),
        sockets=resource.getpagesize() * _number(_TCP_PAGES, Path("/proc/net/sockstat")),
    )


class RestWatch:
    """Reads the memory once, as soon as the server is at rest, between entering and leaving.

    `events` is after how many events that is. `progress` tells how far the fans are; it is called in another thread.
    """

    def __init__(self, roots: Collection[int], progress: Callable[[], Progress], events: int) -> None:
        self._roots = roots
        self._progress = progress
        self._events = min(events, EVENTS)
        self._taken: AtRest | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = ExitStack()

    @property
    def taken(self) -> AtRest | None:
        """What was read; None where it was not yet, or no fan was connected."""
        return self._taken

    def __enter__(self) -> Self:
        self._thread.enter_context(background_thread("memory at rest", self._run, self._over))
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.close()

    def take(self, moment: MemoryMoment) -> None:
        """Read the memory now, unless that was done."""
        with self._lock:
            connections = _held(self._progress())
            if self._taken is None and connections and self._roots:
                self._taken = AtRest(read_memory(self._roots), connections, moment)
            self._over.set()

    def wait(self) -> None:
        """Wait until the memory was read; read it if the server does not come to rest."""
        deadline = time.monotonic() + LONGEST_WAIT_S
        while _held(self._progress()) and time.monotonic() < deadline and not self._over.wait(_LOOK_EVERY_S):
            raise_if_interrupted()
        self.take(_moment(0))

    def _run(self) -> None:
        pids = [stat.pid for stat in descended(self._roots, all_processes())]
        before_s = _cpu_s(pids)
        while not self._over.wait(_LOOK_EVERY_S):
            now_s = _cpu_s(pids)
            is_at_rest = now_s - before_s <= _AT_REST * _LOOK_EVERY_S
            before_s = now_s
            seen = self._progress()
            if is_at_rest and _held(seen) and seen.receipts >= self._events * _held(seen):
                self.take(_moment(self._events))


def _moment(events: int) -> MemoryMoment:
    moments: tuple[MemoryMoment, ...] = ("after the answers", "after the first event", "after the second event")
    return moments[events]


def _held(seen: Progress) -> int:
    return seen.answered - seen.closed


def _cpu_s(pids: Collection[int]) -> float:
    return sum(stat.cpu_s for pid in pids if (stat := read_stat(pid)) is not None)


def _sizes(processes: Collection[ProcessStat]) -> Sizes:
    pss = [_pss(stat.pid) for stat in processes]
    known = [size for size in pss if size is not None]
    return Sizes(sum(known) if len(known) == len(pss) else None, sum(stat.rss for stat in processes))


def _pss(pid: int) -> int | None:
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
    except OSError:
        return None
    return None if found is None else 1024 * int(found[1])


def _number(pattern: re.Pattern[bytes], path: Path) -> int:
    """Return the number that the kernel tells there; 0 where it does not."""
    try:
        found = pattern.search(path.read_bytes())
    except OSError:
        return 0
    return 0 if found is None else int(found[1])

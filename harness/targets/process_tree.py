"""Processes as the kernel shows them: one small read of /proc/<pid>/stat each, and who descends from whom.

psutil asks three files for what stands in this one, and looks through the whole machine once for each root whose
descendants are wanted. To watch a hundred processes ten times a second takes 15 % of a core so, and 2 % like this.

A server with all its processes, which are to end with it.

A stage with nodes is a parent, its nodes, and a Redis. Told to end, the parent ends the others; one that was killed
cannot, and a child that hangs does not obey. So who belongs to it is noted before it is told: whoever is in its session
(also a child whose own parent has ended stays there), and whoever descends from them (a Redis has its own session).
"""

import contextlib
import os
import resource
import sys
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from harness.interruption import raise_if_interrupted

_LOOK_EVERY_S: Final = 0.02
_PROC: Final = Path("/proc")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_ENDED: Final = frozenset(b"ZX")  # a zombie is only the exit status of a process


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """What proc(5) says of a process.

    `name` is cut after 15 characters; `began` is when it was started, in ticks since the machine was: it tells two
    processes apart that had the same number one after the other. `cpu_s` is in seconds, `rss` in bytes.
    """

    pid: int
    name: str
    parent: int
    session: int
    cpu_s: float
    threads: int
    began: int
    rss: int


def read_stat(pid: int) -> ProcessStat | None:
    """Return what is known of a process, or None where it has ended or may not be looked at."""
    try:
        content = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name may hold anything, also blanks and brackets; what follows its last bracket is numbers.
    begin, end = content.index(b"(") + 1, content.rindex(b")")
    fields = content[end + 2 :].split()
    if fields[0][0] in _ENDED:
        return None
    return ProcessStat(
        pid=pid,
        name=content[begin:end].decode(errors="replace"),
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        threads=int(fields[17]),
        began=int(fields[19]),
        rss=int(fields[21]) * resource.getpagesize(),
    )


def all_processes() -> tuple[ProcessStat, ...]:
    """Return every process of the machine that may be looked at."""
    stats = (read_stat(int(entry.name)) for entry in os.scandir(_PROC) if entry.name.isdecimal())
    return tuple(stat for stat in stats if stat is not None)


def descended(roots: Collection[int], processes: Iterable[ProcessStat]) -> tuple[ProcessStat, ...]:
    """Return the roots among `processes`, and all that descend from a root; ancestors before their descendants."""
    children: dict[int, list[ProcessStat]] = {}
    found: dict[int, ProcessStat] = {}
    for stat in processes:
        children.setdefault(stat.parent, []).append(stat)
        if stat.pid in roots:
            found[stat.pid] = stat
    waiting = list(found)
    for pid in waiting:  # it grows while it is gone through
        for child in children.get(pid, ()):
            if child.pid not in found:
                found[child.pid] = child
                waiting.append(child.pid)
    return tuple(found.values())


def open_files_limit(pid: int) -> int:
    """Return the soft limit of open files of a process; 0 where it is not known. No limit is `sys.maxsize`."""
    try:
        soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except OSError:  # it has ended, or belongs to somebody else
        return 0
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def family(leader: int) -> tuple[psutil.Process, ...]:
    """Return the processes that belong to `leader`, which leads a session: itself, if it is there, and all others."""
    everyone = all_processes()
    of_session = {stat.pid for stat in everyone if stat.session == leader}
    members = []
    for stat in descended({leader, *of_session}, everyone):
        with contextlib.suppress(psutil.NoSuchProcess):
            members.append(psutil.Process(stat.pid))
    return tuple(members)


def end_all(processes: Iterable[psutil.Process], patience_s: float) -> None:
    """Wait until all have ended; after `patience_s`, or when that is interrupted, kill those that have not."""
    left = list(set(processes))
    deadline = time.monotonic() + patience_s
    try:
        while left and time.monotonic() < deadline:
            raise_if_interrupted()
            left = psutil.wait_procs(left, _LOOK_EVERY_S)[1]
    finally:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):  # psutil also refuses another that has its number now
                process.kill()

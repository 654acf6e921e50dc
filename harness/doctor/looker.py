"""Looks at a server's processes while clients come: what their threads wait for, and how much CPU each uses.

All of it is from proc(5), fifty times a second, by the owner of the processes or root. What a main thread waits for
also when nobody comes is what it waits for clients in, and no finding: so it is looked at before, too.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

import psutil

from harness.doctor.listeners import listeners
from harness.doctor.looked import STORES, Blocked, Looked, runtime_of
from harness.interruption import background_thread, sleep_interruptibly
from harness.targets.process_tree import all_processes, descended

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import Self

    from harness.load.reporter import Posted
    from harness.load.samples import Progress

_EVERY_S: Final = 0.02
_IDLE_S: Final = 0.5
_FAMILY_S: Final = 0.5
_USUAL: Final = 0.3  # of the looks at an idle server, from which on a call is what it waits for clients in
_CONNECTING: Final = "connecting"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")

_CALLS: Final[Mapping[str, Mapping[int, str]]] = {
    "x86_64": {
        0: "read", 1: "write", 7: "poll", 20: "writev", 35: "nanosleep", 42: "connect", 44: "sendto", 45: "recvfrom",
        47: "recvmsg", 73: "flock", 74: "fsync", 75: "fdatasync", 202: "futex", 230: "clock_nanosleep",
    },
    "aarch64": {
        32: "flock", 63: "read", 64: "write", 66: "writev", 73: "poll", 82: "fsync", 83: "fdatasync", 98: "futex",
        101: "nanosleep", 115: "clock_nanosleep", 203: "connect", 206: "sendto", 207: "recvfrom", 212: "recvmsg",
    },
}  # fmt: skip
"""The calls that block a thread which others wait for, by their numbers (syscalls(2)); ppoll(2) counts as poll."""

_WITHOUT_FILE: Final = frozenset({"nanosleep", "clock_nanosleep", "poll", "futex"})


@dataclass(slots=True)
class _Looks:
    """How often main threads were looked at, and found in each call."""

    count: int = 0
    found: Counter[tuple[str, str]] = field(default_factory=Counter)


class Looker:
    """Looks at `roots` and their descendants, who listen at `ports`, inside.

    It is the watcher of a trial, by which it knows when clients come.
    """

    def __init__(self, roots: Collection[int], ports: Collection[int]) -> None:
        self._roots = roots
        self._ports = frozenset(ports)
        self._calls = _CALLS.get(platform.machine(), {})
        self._idle = _Looks()
        self._busy = _Looks()
        self._stores: Counter[str] = Counter()
        self._sockets: dict[int, bool] = {}  # by inode, whether the other end is no client
        self._looking = contextlib.ExitStack()
        self._before: dict[tuple[int, int], float] = {}
        self._busiest: float | None = None
        self._throttled = 0.0
        self._groups: dict[Path, tuple[int, int]] = {}
        self._began = 0.0
        self._drops = 0
        self._known_family: tuple[float, tuple[int, ...]] = (-math.inf, ())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._looking.close()

    def watch_idle(self) -> None:
        """Look at the server for a moment before anybody comes."""
        deadline = time.monotonic() + _IDLE_S
        while time.monotonic() < deadline:
            self._look(self._idle)
            sleep_interruptibly(_EVERY_S)

    def phase(self, name: str, total: int) -> None:
        """Look as long as clients come."""
        if name == _CONNECTING:
            self._before, self._began = self._threads(), time.monotonic()
            self._drops = self._turned_away()
            self._groups = self._periods()
            over = Event()
            self._looking.enter_context(background_thread("looker", lambda: self._look_until(over), over))
        elif self._before:
            self._looking.close()
            self._end()

    def fans(self, progress: Progress) -> None:
        """See nothing in that."""

    def posted(self, post: Posted) -> None:
        """See nothing in that."""

    def looked(self) -> Looked:
        """Return what was seen."""
        family = self._family()
        known = listeners(self._ports)
        return Looked(
            runtime=_runtime(family),
            blocked=self._blocked(),
            busiest_thread=self._busiest,
            backlog=min((listener.backlog for listener in known.values()), default=None),
            turned_away=self._turned_away() - self._drops,
            somaxconn=_number(_PROC / "sys/net/core/somaxconn"),
            hard_files=_hard_files(family),
            stores=dict(self._stores),
            throttled=self._throttled,
            conntrack=_conntrack(),
        )

    # While clients come.

    def _look_until(self, over: Event) -> None:
        looks = 0
        while not over.wait(_EVERY_S):
            self._look(self._busy)
            if looks % 25 == 0:
                self._look_for_stores()
            looks += 1

    def _look(self, looks: _Looks) -> None:
        for pid in self._family():
            waits = self._waits(pid)
            if waits is None:
                continue
            looks.count += 1
            if waits[0]:
                looks.found[waits] += 1

    def _waits(self, pid: int) -> tuple[str, str] | None:
        """Return the call that a process's main thread waits in, and what for; ("", "") if none that matters."""
        try:
            words = (_PROC / str(pid) / "syscall").read_text().split()
        except OSError:
            return None
        call = self._calls.get(int(words[0]), "") if words[0].lstrip("-").isdigit() else ""
        if not call:
            return "", ""
        if call == "poll":
            return (call, "") if int(words[2], 16) == 1 else ("", "")  # of one file alone
        return call, "" if call in _WITHOUT_FILE else self._kind(pid, int(words[1], 16))

    def _kind(self, pid: int, fd: int) -> str:
        try:
            target = str((_PROC / str(pid) / "fd" / str(fd)).readlink())
        except OSError:
            return ""
        if found := _SOCKET.fullmatch(target):
            return "socket" if self._is_no_client(pid, int(found[1])) else "client"
        if target.startswith("pipe:"):
            return "pipe"
        return "terminal" if target.startswith(("/dev/pts/", "/dev/tty")) else "file" if target.startswith("/") else ""

    def _is_no_client(self, pid: int, inode: int) -> bool:
        if inode not in self._sockets:
            at = next((at for at in _connections(pid) if at.inode == inode), None)
            self._sockets[inode] = at is None or at.local not in self._ports
        return self._sockets[inode]

    def _look_for_stores(self) -> None:
        counts = Counter(STORES[at.remote] for pid in self._family() for at in _connections(pid) if at.remote in STORES)
        for store, count in counts.items():
            self._stores[store] = max(self._stores[store], count)

    def _end(self) -> None:
        took_s = max(time.monotonic() - self._began, 0.001)
        used = [cpu_s - self._before.get(thread, cpu_s) for thread, cpu_s in self._threads().items()]
        self._busiest = max(used, default=0.0) / took_s if used else None
        for group, (periods, throttled) in self._periods().items():
            before = self._groups.get(group, (periods, throttled))
            if periods > before[0]:
                self._throttled = max(self._throttled, (throttled - before[1]) / (periods - before[0]))
        self._before = {}

    # What is read.

    def _family(self) -> tuple[int, ...]:
        """Return who belongs to the server, as it was half a second ago at most: to look through all takes its time."""
        at, known = self._known_family
        if time.monotonic() - at > _FAMILY_S:
            known = tuple(stat.pid for stat in descended(self._roots, all_processes()))
            self._known_family = time.monotonic(), known
        return known

    def _turned_away(self) -> int:
        return sum(listener.drops for listener in listeners(self._ports).values())

    def _blocked(self) -> tuple[Blocked, ...]:
        """Return what the threads waited for that is not what they wait for when idle."""
        usual = {waits for waits, count in self._idle.found.items() if count >= _USUAL * self._idle.count}
        return tuple(
            Blocked(*waits, count / self._busy.count)
            for waits, count in self._busy.found.most_common()
            if waits not in usual
        )

    def _threads(self) -> dict[tuple[int, int], float]:
        """Return the CPU time of each thread, in seconds."""
        return {
            (pid, int(task.name)): cpu_s
            for pid in self._family()
            for task in _entries(_PROC / str(pid) / "task")
            if (cpu_s := _cpu_s(Path(task.path) / "stat")) is not None
        }

    def _periods(self) -> dict[Path, tuple[int, int]]:
        """Return of each control group of the processes how many periods there were, and in how many it was held."""
        groups = {group for pid in self._family() for group in _groups(pid)}
        return {group: found for group in groups if (found := _throttling(group / "cpu.stat")) is not None}


@dataclass(frozen=True, slots=True)
class _Connection:
    inode: int
    local: int
    remote: int


def _connections(pid: int) -> Iterator[_Connection]:
    """Give the connections in a process's network that are its own: /proc/PID/net/tcp has those of all."""
    own = set()
    for entry in _entries(_PROC / str(pid) / "fd"):
        with contextlib.suppress(OSError):
            if found := _SOCKET.fullmatch(str(Path(entry.path).readlink())):
                own.add(int(found[1]))
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / str(pid) / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "01" and int(fields[9]) in own:
                    local, remote = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
                    yield _Connection(int(fields[9]), local, remote)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []


def _cpu_s(stat: Path) -> float | None:
    try:
        fields = stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _groups(pid: int) -> Iterator[Path]:
    """Give the control groups that a process is in (version 2), from its own up."""
    try:
        lines = (_PROC / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        return
    group = Path("/sys/fs/cgroup") / path.lstrip("/")
    yield from (group, *group.parents[: len(group.parents) - 3])


def _throttling(stat: Path) -> tuple[int, int] | None:
    try:
        rows = dict(line.split() for line in stat.read_text().splitlines())
    except (OSError, ValueError):
        return None
    if "nr_periods" not in rows:
        return None
    return int(rows["nr_periods"]), int(rows["nr_throttled"])


def _runtime(family: Sequence[int]) -> str:
    """Return in what the first process runs of which that is known."""
    for pid in family:
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            with Path(process.exe()).open("rb") as program:
                beginning = program.read(1 << 16)
            if runtime := runtime_of(process.name(), beginning) or runtime_of(Path(process.exe()).name, beginning):
                return runtime
    return ""


def _hard_files(family: Sequence[int]) -> int | None:
    limits = []
    for pid in family:
        with contextlib.suppress(psutil.Error, OSError):
            limits.append(psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[1])
    return min(limits, default=None)


def _conntrack() -> tuple[int, int] | None:
    used, most = (_number(_PROC / "sys/net/netfilter" / name) for name in ("nf_conntrack_count", "nf_conntrack_max"))
    return None if used is None or most is None else (used, most)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None

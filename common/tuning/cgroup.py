"""What the control groups of this process leave it: memory and tasks (cgroups(7); the kernel's cgroup-v2 and -v1).

A group has no more than the groups that it is in, so what counts is the one of them with the least left. A container
may see its own group at the top of the tree and nothing of its path below it: what is not there is passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NO_LIMIT: Final = 2**62
"""From here on a number is none: version 1 writes no limit as the most pages that fit into 63 bits."""


@dataclass(frozen=True, slots=True)
class Room:
    """A limit of a control group, and how much of it is in use: bytes, or tasks. `file` is where it is set."""

    file: Path
    limit: int
    used: int

    @property
    def left(self) -> int:
        """How much more there may be; 0 where the limit was lowered below what is in use."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class _Files:
    controller: str
    limit: str
    used: str
    reclaimable: str = ""
    """A line of `memory.stat`: files that were read once, which the kernel gives up before it ends a process."""


_MEMORY_V1: Final = _Files("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_MEMORY_V2: Final = _Files("", "memory.max", "memory.current", "inactive_file")
_TASKS_V1: Final = _Files("pids", "pids.max", "pids.current")
_TASKS_V2: Final = _Files("", "pids.max", "pids.current")


def memory_room(root: Path) -> Room | None:
    """Return the memory, in bytes, that the groups of this process leave it; None if they set no limit."""
    return _tightest(root, _MEMORY_V1, _MEMORY_V2)


def tasks_room(root: Path) -> Room | None:
    """Return how many tasks (processes and threads) they leave it; None likewise."""
    return _tightest(root, _TASKS_V1, _TASKS_V2)


def _tightest(root: Path, v1: _Files, v2: _Files) -> Room | None:
    """Return the room that is least. A controller is in one of the two versions, and in that one for all groups."""
    paths = _paths(root)
    files = v1 if v1.controller in paths else v2
    path = paths.get(files.controller)
    if path is None:
        return None
    top = root / "sys/fs/cgroup" / files.controller
    rooms = [room for group in _groups(top, path) if (room := _room(group, files)) is not None]
    return min(rooms, key=lambda room: room.left, default=None)


def _paths(root: Path) -> dict[str, str]:
    """Return the path of this process's group by controller; that of version 2 by an empty name."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split(":", 2) for line in lines if line.count(":") >= 2)
    return {name: path for _, names, path in fields for name in names.split(",")}


def _groups(top: Path, path: str) -> Iterator[Path]:
    """Give the directories from the top down. A `..` leads out of what can be seen here (cgroup_namespaces(7))."""
    yield top
    for part in path.split("/"):
        if part == "..":
            return
        if part:
            top /= part
            yield top


def _room(group: Path, files: _Files) -> Room | None:
    limit = _number(group / files.limit)
    if limit is None or limit >= _NO_LIMIT:
        return None
    used = (_number(group / files.used) or 0) - _reclaimable(group, files.reclaimable)
    return Room(group / files.limit, limit, max(0, used))


def _number(file: Path) -> int | None:
    """Return the number that a file holds; None if it holds `max`, or cannot be read."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _reclaimable(group: Path, name: str) -> int:
    try:
        lines = (group / "memory.stat").read_text().splitlines() if name else []
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)

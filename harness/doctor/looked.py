"""What is known of a server besides a trial of it, and by whom it was written. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

STORES: Final[Mapping[int, str]] = {
    3306: "MySQL",
    5432: "PostgreSQL",
    6379: "Redis",
    11211: "memcached",
    27017: "MongoDB",
}
"""What listens at the port of its own that everybody knows."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A system call in which the server's main threads were found waiting, in `share` of all looks at them.

    `to` says what it was called for: `pipe`, `terminal`, `file`, `socket`, or nothing.
    """

    call: str
    to: str
    share: float


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of the processes; None, or nothing, where it may not be looked at.

    `busiest_thread` is the share of a core that the thread used which used most, over the time in which fans came;
    `backlog` how long the shortest accept queue of its listeners may become, and `turned_away` how many attempts to
    connect found no room there; `stores` how many connections there were
    to each kind of store, at most; `throttled` in which share of its periods the control group kept it from running.
    `hard_files` is the most that the process nearest to its limit may allow itself, and `conntrack` how many
    connections the firewall tracks, and may.
    """

    runtime: str = ""
    blocked: tuple[Blocked, ...] = ()
    busiest_thread: float | None = None
    backlog: int | None = None
    turned_away: int = 0
    somaxconn: int | None = None
    hard_files: int | None = None
    stores: Mapping[str, int] = field(default_factory=dict)
    throttled: float = 0.0
    conntrack: tuple[int, int] | None = None


_RUNTIMES: Final[Mapping[str, str]] = {
    "python": "python",
    "uvicorn": "python",
    "gunicorn": "python",
    "node": "node",
    "java": "java",
    "beam.smp": "erlang",
    "nginx": "nginx",
    "redis-server": "redis",
    "valkey-server": "redis",
}


_GO_NOTE: Final = b"\x04\x00\x00\x00Go\x00\x00"
"""The type and the owner of the note with its build id, which Go's linker puts near a program's beginning (elf(5))."""


def runtime_of(program: str, first_bytes: bytes) -> str:
    """Return by its name, and the beginning of its file, in what a program runs; nothing where that is not known."""
    for name, runtime in _RUNTIMES.items():
        if program.startswith(name):
            return runtime
    return "go" if _GO_NOTE in first_bytes else ""

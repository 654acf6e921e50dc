"""Ceilings: what a server needs, one limit and the number that it alone allows, and which of them is met first. Pure.

The lowest ceiling of those that count fans is what a server meets first. It is what limits leave room for, and no
promise: CPU is not in it, and what a server bears is found by measuring it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Counts(StrEnum):
    """What the number of a ceiling counts."""

    FANS = "fans"
    UNREAD = "fans an event behind"
    OF_ONE_ADDRESS = "fans of one address"
    AT_ONCE = "fans at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a server needs, and how it is told to take more."""

    processes: int
    """Those that hold fans, on this machine."""
    open_files: int
    """The limit of open files that each sets itself, as far as the hard one allows it."""
    own_files: int
    """Open files of each that are no fans."""
    fan_bytes: int
    """Memory of a fan, in the server and in the kernel."""
    standing_bytes: int
    """Memory of the server without fans: all processes, Redis too."""
    tasks: int
    """Threads of each process."""
    other_tasks: int
    """Threads of all that the server has besides them."""
    ports: int
    """Listeners for fans, of all processes."""
    backlog: int
    """What each of them asks for in listen(2)."""
    more_open_files: str
    """The command by which it sets the highest limit of open files; empty if it does already."""
    more_backlog: str
    """Likewise, by which it asks for the longest backlog."""
    more_processes: str
    """Likewise, by which it has more processes; their number follows."""
    spread: "Needs | None" = None
    """What it needs when it is told that, where it is another server then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """A limit as it is `now`, and what it allows; None where it bounds nothing here.

    Each line of `change` raises it by itself. `reason` is the profile's that knows the setting; empty if there is none.
    """

    name: str
    now: str
    counts: Counts
    allows: int | None
    change: tuple[str, ...]
    reason: str

    def is_below(self, fans: int) -> bool:
        """Tell whether it keeps a server from holding so many fans."""
        return self.counts is Counts.FANS and self.allows is not None and self.allows < fans


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All ceilings of a machine for a server, the lowest of fans first, and how many fans are expected, if any are.

    `warnings` are lines about what bounds nothing, but may keep the server from starting.
    """

    ceilings: tuple[Ceiling, ...]
    expected: int | None
    warnings: tuple[str, ...] = ()

    @property
    def first(self) -> Ceiling:
        """What bounds first."""
        return self.ceilings[0]

    @property
    def holds(self) -> int:
        """How many fans there is room for."""
        return self.first.allows or 0

    @property
    def is_met(self) -> bool:
        """Whether nothing that was read keeps the server from holding who is expected."""
        return self.expected is None or self.holds >= self.expected

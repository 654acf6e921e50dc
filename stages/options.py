"""What a server is told by whoever starts it, and what it tells back: the same for every stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Topology(StrEnum):
    """How nodes learn of each other's events: told at once, or by looking into the database from time to time."""

    CONNECTED = "connected"
    INDEPENDENT = "independent"


class Slow(StrEnum):
    """What becomes of a fan that reads too slowly: it is closed, or left out until it has caught up."""

    CLOSE = "close"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where a server serves and what it stands on: the choices of whoever starts it, the same for every stage."""

    host: str
    port: int
    """The first one for fans; 0 for any free ones."""
    http_port: int
    """The first one for the API; 0 for any free ones."""
    redis_url: str | None = field(repr=False)  # it may hold a password
    """None for an embedded Redis of its own, which `stages.serve` starts."""
    nodes: int | None = None
    """Node processes to start; None: as many as the stage starts unless it is told."""
    topology: Topology = Topology.CONNECTED
    grace_s: float = 5.0
    """Seconds that fans have to take the server's goodbye when it stops; most of it they are let go over (`drain`)."""
    workers: int | None = None
    """Worker processes of each node; 0: it serves fans itself; None: as many as the stage starts unless it is told."""
    expected_fans: int = 0
    """So many are to find open files, on all nodes together; it decides where `workers` does not."""
    slow: Slow = Slow.CLOSE
    """What becomes of a fan that reads too slowly, where the stage has the lesson `slow-fans`."""
    browser_port: int | None = None
    """Where browsers are served besides, by the doors that the stage has for them; of several nodes, the first one for
    these. 0: any free ones; None: they are not."""
    max_fans: int | None = None
    """Fans that each node takes at most, where the stage has the lesson `admission`; None: by its files. Each of its
    workers takes its share of them, and no more."""
    max_rate: float | None = None
    """Fans a second that each takes, likewise; None: any."""
    faults: str = ""
    """What the server breaks in itself, for a measurement: see `stages.stage0.faults`."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running server serves: the first and the last port of each range."""

    host: str
    fans: tuple[int, int]
    http: tuple[int, int]
    browsers: tuple[int, int] | None = None
    """None: it does not serve them."""


class System(Protocol):
    """What `matchstream serve` runs: one server, or several nodes under a parent."""

    token: str

    async def start(self) -> Addresses:
        """Serve, and return where. Raise what keeps it from serving, with nothing left behind."""
        ...

    async def stop(self) -> None:
        """End it all, in order; cancelled, at once."""
        ...

    async def wait(self) -> None:
        """Return when it has ended, by `stop` or because it gave up."""
        ...

"""What a campaign makes, in which order, and under which names. Pure.

A machine drifts: it warms up, it fills its caches, somebody else begins to use it. So the repeats are interleaved: the
first trial of every server comes before the second of any, and a drift falls on all of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records.search import Dimension
from harness.records.trial import AskedLoad
from harness.targets.target import Target


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How fans arrive while N is searched for: in waves of `c`, one every `interval_s` seconds."""

    c: int
    interval_s: float


GENTLE = Arrivals(4, 0.005)
"""800 a second: 20,000 are there in 25 s."""

GENTLEST = Arrivals(2, 0.005)
"""400 a second, for a server with an accept queue of 5, which 800 a second overflow whenever it pauses for 10 ms."""

KEPT_FILES = 100
"""Open files that a server keeps for anything but fans, and some more."""


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to measure. `key` is what its files are called by, and `make` returns a target for one trial.

    `name` is what people call it. `arrivals` are such that its N is found, and not how many it can greet in a second.
    `nodes` is how many processes serve; each gets as many fans a second as the only one of another server.
    `likely_n` is where its N may lie, if anything but the server before it tells.
    """

    key: str
    name: str
    make: Callable[[], Target]
    arrivals: Arrivals = GENTLE
    nodes: int = 1
    likely_n: int | None = None


@dataclass(frozen=True, slots=True)
class FixedLoad:
    """What the servers are compared under: N fans in waves of C, then `events` posts, 1/rate seconds apart."""

    n: int
    c: int
    interval_s: float
    events: int
    rate_per_s: float

    @property
    def asked(self) -> AskedLoad:
        """The load as a result has it."""
        return AskedLoad(n=self.n, c=self.c, interval_s=self.interval_s)


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A server under a load; `repeat` counts from 1."""

    server: Server
    load: FixedLoad
    repeat: int

    @property
    def file(self) -> str:
        """The name of its result: the same one whenever the campaign is planned."""
        return f"{self.server.key}-n{self.load.n}-c{self.load.c}-{self.repeat}.json"


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """The search of a server's limit. `hint` is about where it should be, or the search that will tell, if any does."""

    server: Server
    dimension: Dimension
    hint: "PlannedSearch | float | None" = None

    @property
    def file(self) -> str:
        """The name of its result."""
        return search_file(self.server.key, self.dimension)


Planned = PlannedTrial | PlannedSearch

DIMENSIONS: tuple[Literal["N", "C"], ...] = ("N", "C")
"""What a campaign searches for."""


def search_file(key: str, dimension: Dimension) -> str:
    """Return the name of a search's result."""
    return f"{key}-search-{dimension.lower()}.json"


def interleaved(
    measured: Sequence[tuple[Server, FixedLoad]], repeats: int, searches: Sequence[PlannedSearch] = ()
) -> tuple[Planned, ...]:
    """Return one trial of everything, then the searches, then the other repeats, a round of everything after the other.

    So whoever interrupts a campaign has a little of everything rather than all of a little.
    """

    def a_round(repeat: int) -> Iterator[PlannedTrial]:
        return (PlannedTrial(server, load, repeat) for server, load in measured)

    others = (trial for repeat in range(2, repeats + 1) for trial in a_round(repeat))
    return (*a_round(1), *searches, *others)


def searches_of(
    servers: Sequence[Server], dimensions: Sequence[Dimension], guesses: Mapping[Dimension, float]
) -> tuple[PlannedSearch, ...]:
    """Return the searches of the servers in their order, each with the server before it as its hint.

    The hints of the first one are the `guesses`, where there are any. A server whose N is likely to lie elsewhere than
    that of the one before it is searched there.
    """
    planned: list[PlannedSearch] = []
    before: dict[Dimension, PlannedSearch | float] = dict(guesses)
    likely_n = None
    for server in servers:
        if server.likely_n is not None and server.likely_n != likely_n:
            before["N"] = float(server.likely_n)
        likely_n = server.likely_n
        for dimension in dimensions:
            search = PlannedSearch(server, dimension, before.get(dimension))
            before[dimension] = search
            planned.append(search)
    return tuple(planned)


def arrivals_at(lessons: Sequence[str]) -> Arrivals:
    """Return how fans arrive at a server that has these lessons."""
    return GENTLE if "backlog" in lessons else GENTLEST


def search_like(server: Server, reference: PlannedSearch) -> PlannedSearch:
    """Return the same search of another server, with the reference as its hint."""
    return PlannedSearch(server, reference.dimension, reference)

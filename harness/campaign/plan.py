"""What a campaign makes, in which order, and under which names. Pure.

A machine drifts: it warms up, it fills its caches, somebody else begins to use it. So a campaign is made of rounds, and
each has everything in it, in an order of its own that is drawn by lot: a drift falls on all, and nobody is always
first. What others are compared with is measured twice a round, since its noise is in each of their ratios. A campaign
that was cut short after some rounds is a whole one with so many repeats.
"""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from harness.records.asked import AskedLoad, Disturbances
from harness.records.files import file_stem
from harness.records.search import Dimension
from harness.targets.target import Target


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How fans arrive while N is searched for: in waves of `c`, one every `interval_s` seconds."""

    c: int
    interval_s: float


GENTLE = Arrivals(4, 0.005)
"""800 a second: 20,000 are there in 25 s."""

GENTLEST = Arrivals(1, 0.02)
"""50 a second, for a server with an accept queue of 5: it takes a pause of 100 ms to overflow that, and not luck."""

KEPT_FILES = 100
"""Open files that a server keeps for anything but fans, and some more."""


@dataclass(frozen=True, slots=True)
class MeasuredServer:
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


ANSWER_TIMEOUT_S = 10.0
"""Within what a fan must be answered: ten times what the SLO asks for, so that a server that fails is not waited for.
"""


@dataclass(frozen=True, slots=True)
class FixedLoad:
    """What the servers are compared under: N fans in waves of C, then `events` posts, 1/rate seconds apart.

    What else happens meanwhile are the `disturbances`. With `in_netns` server and generator are in network namespaces
    of their own, wherever the others are. A fan who is not answered gives up after `answer_timeout_s`.
    """

    n: int
    c: int
    interval_s: float
    events: int
    rate_per_s: float
    disturbances: Disturbances = field(default_factory=Disturbances)
    in_netns: bool = False
    answer_timeout_s: float = ANSWER_TIMEOUT_S

    @property
    def schedule_s(self) -> float:
        """How many seconds a trial under it takes by its schedule alone."""
        arrivals_s, events_s = (self.n - 1) // self.c * self.interval_s, self.events / self.rate_per_s
        return max(arrivals_s, events_s) if self.disturbances.arrivals_during_events else arrivals_s + events_s

    @property
    def asked(self) -> AskedLoad:
        """The load as a result has it."""
        return AskedLoad(n=self.n, c=self.c, interval_s=self.interval_s)


@dataclass(frozen=True, slots=True)
class Arm:
    """A server under a load, measured so many times in every round."""

    server: MeasuredServer
    load: FixedLoad
    per_round: int = 1


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A server under a load; `repeat` counts from 1."""

    server: MeasuredServer
    load: FixedLoad
    repeat: int

    @property
    def file(self) -> str:
        """The name of its result: the same one whenever the campaign is planned."""
        return f"{self.server.key}-n{self.load.n}-c{self.load.c}-{self.repeat}"


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """The search of a server's limit; `repeat` counts from 1.

    `hint` is about where it should be, or a search that may tell; where that was not made yet, its own hint counts.
    """

    server: MeasuredServer
    dimension: Dimension
    hint: "PlannedSearch | float | None" = None
    repeat: int = 1

    @property
    def file(self) -> str:
        """The name of its result: the same one whenever the campaign is planned."""
        return f"{self.server.key}-search-{file_stem(self.dimension)}-{self.repeat}"


Planned = PlannedTrial | PlannedSearch

DIMENSIONS: tuple[Literal["N", "C", "burst C"], ...] = ("N", "C", "burst C")
"""What a campaign searches for."""


SEARCHES: Mapping[Dimension, int] = MappingProxyType({"N": 1, "C": 3, "burst C": 1})
"""How many whole searches each limit gets, one in each of the first rounds.

C is a matter of CPU, and so of luck. N is mostly a count of open files, and to search it takes longest; the burst C is
told beside C.
"""


def in_rounds(arms: Sequence[Arm], searches: Sequence[PlannedSearch], rounds: int, seed: int) -> tuple[Planned, ...]:
    """Return everything, a round after the other, each in a random order: the same one for the same seed."""

    def a_round(number: int) -> list[Planned]:
        planned: list[Planned] = [
            PlannedTrial(arm.server, arm.load, (number - 1) * arm.per_round + repeat)
            for arm in arms
            for repeat in range(1, arm.per_round + 1)
        ]
        planned += [again(search, number) for search in searches if number <= SEARCHES[search.dimension]]
        random.Random(f"{seed}/{number}").shuffle(planned)  # noqa: S311 -- an order, not a secret
        return planned

    return tuple(planned for number in range(1, rounds + 1) for planned in a_round(number))


def again(search: PlannedSearch, repeat: int) -> PlannedSearch:
    """Return a repeat of a search, which begins where the first one ended."""
    return search if repeat == 1 else replace(search, hint=search, repeat=repeat)


_STARTING_S = 2.5
_SEARCH_S: Mapping[str, float] = MappingProxyType({"N": 120.0, "C": 90.0, "burst C": 50.0})


def estimated_s(plan: Iterable[Planned]) -> float:
    """Return about how many seconds a plan takes: by the schedules of its trials, and what a search usually takes."""
    return math.fsum(
        _SEARCH_S[planned.dimension] if isinstance(planned, PlannedSearch) else _STARTING_S + planned.load.schedule_s
        for planned in plan
    )


def searches_of(
    servers: Sequence[MeasuredServer], dimensions: Sequence[Dimension], guesses: Mapping[Dimension, float]
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

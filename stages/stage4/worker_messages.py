"""What a node and its workers say to each other, besides answers and news (`stages.stage4.channel`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.http.statistics import Statistics
    from stages.options import Options
    from stages.stage0.operations import StoreOperation


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told by its parent when it begins: its number in the node, and how the node serves."""

    number: int
    options: Options


# From a worker.


@dataclass(frozen=True, slots=True)
class HasRoom:
    """Whether there are files for more fans; said when that changes, and true before."""

    has_room: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A question: run this operation."""

    operation: StoreOperation


@dataclass(frozen=True, slots=True)
class Order:
    """Run this operation; nobody waits for its answer."""

    operation: StoreOperation


@dataclass(frozen=True, slots=True)
class Follow:
    """A question: how far has this match come? And from there on tell what it tells its fans.

    Answered with a Place, or None of a match that is not live: nothing is told of that. `Over` comes when whoever sends
    that has ended; then there may be another.
    """

    match_id: str


@dataclass(frozen=True, slots=True)
class Farewell:
    """The last word of a worker that was told to stop: how many fans were told goodbye, and were cut off after it."""

    said: int
    cut_off: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker counts: as a node would tell it that has no workers, and what only a worker tells.

    `pss_bytes` is its memory, of what it shares with others its share (proc(5), smaps_rollup); `behind` are fans who
    have not been sent all that they are due.
    """

    statistics: Statistics
    pss_bytes: int
    behind: int


@dataclass(frozen=True, slots=True)
class Ready:
    """It accepts fans, and this is what it counts at the beginning."""

    seen: Seen


# From its node.


@dataclass(frozen=True, slots=True)
class Look:
    """A question: what does it count? Answered with a Seen."""


@dataclass(frozen=True, slots=True)
class StopServing:
    """Say goodbye to all fans, give them the grace that they have, and end."""

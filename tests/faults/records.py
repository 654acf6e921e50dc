"""What a run leaves for the checker: what reporters asked and were answered, what fans heard, what was stored.

Every event of a run carries a comment that no other has, so it can be told wherever it turns up; and all but the first
and the last of a match are goals, so the score of a status tells how many events went before it. Times are seconds of
the one clock of the run, `loop.time()`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Posted:
    """An event that a reporter posted, as often as it took.

    `seq` is the number it was answered with, None if it was never answered. `sent_s` is when the attempt that was
    answered was sent (else the last one), `ended_s` when its answer came or the reporter gave up. `refusal` is an
    answer that no right event deserves.
    """

    match: str
    comment: str
    seq: int | None
    attempts: int
    sent_s: float
    ended_s: float
    refusal: str | None = None


class End(StrEnum):
    """How a segment of a fan's stream ended."""

    OVER = "over"
    """The match has ended, and the fan knows."""
    LEFT = "left"
    """The fan went away."""
    CLOSED = "closed"
    """The server, or what became of it, closed the connection."""
    ANEW = "anew"
    """Another status came on the same connection: what follows is another segment."""
    OPEN = "open"
    """It had not ended when the run did."""


@dataclass(slots=True)
class Segment:
    """What a fan heard between a status and the end of what follows it: the comments of the events, in order."""

    fan: str
    match: str
    home: int
    visit: int
    is_over: bool
    """Whether the status says that the match has ended."""
    heard: list[str] = field(default_factory=list)
    end: End = End.OPEN

    @property
    def told(self) -> int:
        """How many events the status tells of: the start, every goal, and the end."""
        return 1 + self.home + self.visit + self.is_over


@dataclass(slots=True)
class Stream:
    """All that one fan heard, over all its connections: segments, ERROR lines, and what was no protocol at all."""

    fan: str
    match: str
    segments: list[Segment] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    garbled: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether the fan knows that the match has ended."""
        return bool(self.segments) and self.segments[-1].end is End.OVER


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it is stored."""

    seq: int
    comment: str
    is_home_goal: bool = False
    is_visit_goal: bool = False


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a timeline ended: Redis was killed, and came back with an older save, which began at `saved_s`."""

    saved_s: float
    killed_s: float
    back_s: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The history of a match as it was when Redis lost a part of it; or in the end, without a fork: what counts."""

    match: str
    events: tuple[Stored, ...]
    fork: Fork | None = None

    @property
    def comments(self) -> tuple[str, ...]:
        """The comments of its events, in order."""
        return tuple(event.comment for event in self.events)


@dataclass(frozen=True, slots=True)
class FinalScore:
    """The match itself, as the API tells it in the end."""

    match: str
    seq: int
    home: int
    visit: int


@dataclass(frozen=True, slots=True)
class Records:
    """A whole run. The timelines of each match are in the order of time, the last one is what is stored in the end."""

    posted: tuple[Posted, ...]
    streams: tuple[Stream, ...]
    timelines: tuple[Timeline, ...]
    final_scores: tuple[FinalScore, ...]
    tracebacks: tuple[str, ...] = ()
    """Where the programs' logs tell of an exception that nobody expected."""

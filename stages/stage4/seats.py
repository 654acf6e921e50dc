"""What a server has of one match besides its process: who watches it, who waits to, and what they have been told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.stage0.messages import NO_PLACE, Place

if TYPE_CHECKING:
    from common.domain.events import Event
    from common.domain.match import Match
    from common.otp import Process
    from common.wire.greeting import Numbered
    from stages.stage0.messages import Notification
    from stages.stage4.crowd import Crowd
    from stages.stage4.door import NumberingDoor
    from stages.stage4.window import Stand, Window


def place_of(match: Match) -> Place:
    """Return how far a match has come."""
    return Place(match.seq, match.last_at)


@dataclass(slots=True, eq=False)
class Row:
    """Those who came by one door and have their events numbered (`resume`). What they are told is encoded once."""

    door: NumberingDoor
    crowd: Crowd
    """Who has been told all up to the seats' `place`, but for what is on its way."""
    window: Window | None = None
    """What those may have missed who resume."""
    _event: tuple[Notification, bytes] | None = None
    _status: tuple[Event, Stand, bytes] | None = None

    def event(self, sent: Notification, at: Stand) -> bytes:
        """Return an event as this row is told it; the last one is remembered."""
        if self._event is None or self._event[0] is not sent:
            self._event = sent, self.door.event(sent, at)
        return self._event[1]

    def status(self, status: Event, frame: bytes, at: Stand) -> bytes:
        """Return a status likewise, for who has missed nothing."""
        known = self._status
        if known is None or known[0] is not status or known[1] != at:
            known = self._status = status, at, self.door.status(status, frame, at, "")
        return known[2]


@dataclass(slots=True, eq=False)
class Seats:
    """Data only: it outlives the audience, the process that serves it, so that a crash of that loses no fan."""

    crowd: Crowd
    """Who has been told all up to `place` (but for what `sending` still owes them)."""
    rows: dict[str, Row] = field(default_factory=dict)
    """The same, of those whose events are numbered, by the name of their door (`resume`)."""
    waiting: dict[int, Numbered | None] = field(default_factory=dict)
    """Who has greeted and is not answered, in that order; with what it said of numbers, None if nothing."""
    place: Place | None = None
    """How far the audience has come: None before it is known, or after the end."""
    match: Match | None = None
    """The match as it was last read, or told of by an event."""
    sending: Notification | None = None
    """What is on its way to those in the crowd who are due."""
    audience: Process | None = None
    status: tuple[Match, int, bytes] | None = None
    """The bytes for newcomers: of which match, of which second (`encode-once`)."""
    status_event: Event | None = None
    """What the last bytes for newcomers were made of."""

    @property
    def crowds(self) -> tuple[Crowd, ...]:
        """All who have been told where the match stands."""
        return self.crowd, *(row.crowd for row in self.rows.values())

    @property
    def is_watched(self) -> bool:
        """Whether anybody has been told where the match stands."""
        return len(self.crowd) > 0 or any(len(row.crowd) for row in self.rows.values())

    @property
    def is_empty(self) -> bool:
        """Whether nobody is there, nor waits."""
        return not self.is_watched and not self.waiting

    @property
    def is_known(self) -> bool:
        """Whether `match` tells just what the crowd has been told: then it is what a newcomer is to hear."""
        match = self.match
        return match is not None and self.place == (match.seq, match.last_at)  # `place_of`, without making one

    @property
    def is_behind(self) -> bool:
        """Whether the match has come further than the audience has been told."""
        return self.match is not None and self.match.seq > (self.place or NO_PLACE).seq

    def take_waiting(self) -> dict[int, Numbered | None]:
        """Return who waits, for each to be answered or refused at once; nobody waits then."""
        taken, self.waiting = self.waiting, {}
        return taken

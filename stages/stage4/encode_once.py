"""Lesson `encode-once`: what many fans are told is made into bytes once, and asked of nobody.

An event is encoded once since stage 0, by its match. A status is what this is about: before, each fan's is read from
Redis, checked and encoded for it alone. Here the match tells with each event what it is like after it, so the audience
knows at any moment what a newcomer is to hear. The bytes are made once a second at most, since the status begins with
the time, and sent to all who come within that second: from the second fan of a match on, a fan who names it costs no
question to the database, and no message to any process.

A fan that names no match still has it asked which one that is.

While Redis is away fans of a match that is known are answered from memory. What they are told is the last that this
server knows: all that it has accepted itself, and all that it has heard of.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING

from common.domain import rules
from common.wire.frames import encode
from stages.stage0.live_match import LiveMatch
from stages.stage4.audience import Audience
from stages.stage4.fans import Fans

if TYPE_CHECKING:
    from common.domain.events import Event
    from common.wire.greeting import Greeting, Numbered
    from stages.stage0.messages import Notification
    from stages.stage0.parts import Parts
    from stages.stage4.crowd import Crowd
    from stages.stage4.seats import Seats


def ready_status(seats: Seats) -> bytes:
    """Return the status of a match that `is_known`, as it is in this second."""
    match, second = seats.match, int(time())
    if seats.status is None or seats.status[0] is not match or seats.status[1] != second:
        assert match is not None  # noqa: S101  # it is known
        seats.status_event = rules.status(match, datetime.fromtimestamp(second, UTC))
        seats.status = match, second, encode(seats.status_event)
    return seats.status[2]


class TellingMatch(LiveMatch):
    """Tells with each event what the match is like after it."""

    def _notification(self, event: Event) -> Notification:
        sent = super()._notification(event)
        if event.seq != self._match.seq:  # it is sent with others that followed: the last of them has the match
            return sent
        return replace(sent, match=self._match)


class KnowingAudience(Audience):
    """Keeps the match that its fans have been told of."""

    def _take_note(self, sent: Notification) -> None:
        super()._take_note(sent)
        self._seats.match = sent.match

    def _status(self) -> bytes:
        return ready_status(self._seats)


class KnowingFans(Fans):
    """Answers who comes to a match that is known; within a turn of the plane all with the same bytes."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._at_hand: dict[str | None, tuple[bytes, Crowd]] = {}
        """What fans of a match are told who come in this turn, and where they stand then."""

    def greeted(self, fd: int, greeting: Greeting) -> None:
        """Do so without looking anything up, but for the first of a turn."""
        at_hand = self._at_hand.get(greeting.match_id)
        if at_hand is None or greeting.numbered is not None:
            super().greeted(fd, greeting)
            return
        self._count_visit(greeting.user)
        self._plane.answer(fd, *at_hand)

    def _turn(self) -> None:
        self._at_hand.clear()  # between two turns a match may go on, and a second pass
        super()._turn()

    def _seat(self, fd: int, match_id: str, numbered: Numbered | None) -> None:
        super()._seat(fd, match_id, numbered)
        if numbered is None:
            seats = self._seats[match_id]
            status = self._ready_status(seats)
            if status is not None:
                self._at_hand[match_id] = status, seats.crowd

    def _ready_status(self, seats: Seats) -> bytes | None:
        return ready_status(seats) if seats.is_known and seats.is_watched else super()._ready_status(seats)

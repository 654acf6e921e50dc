"""What the components say to each other on an event's way: match → dispatcher → user → client → socket."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from common.domain.events import Event
    from common.domain.match import Match
    from common.domain.posts import Post
    from common.otp import Process
    from common.store.terms import Terms


UNREADABLE: Final = "what is stored of this match cannot be read, and its operator has to see to it: watch another"
"""What a fan is told; the log says more."""


class Place(NamedTuple):
    """How far a match has come: the number of its last event, and when that was accepted, if that is known.

    Of two courses that a match of one id has taken, since it was announced anew or Redis came back with less than was
    there, the numbers may be the same; the moments are not.
    """

    seq: int
    at: datetime | None


NO_PLACE: Final = Place(0, None)
"""Of a match without events, and of one that was cancelled."""


class Missed(Enum):
    """What a subscriber was not told of that was sent out before its handler was added."""

    NOTHING = "nothing"
    EVENTS = "events"
    """What was sent out last is another event than its last: the history has those between."""
    END = "end"
    """The match is not live: there is no handler, and the history has the end."""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to a fan: the bytes that tell where the match stands, and whether it is over; then no more comes."""

    frame: bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class Notification:
    """An accepted event as it goes out: its number in the match, the bytes that a fan gets, and whether it is the last.

    The frame is encoded once, by the match. `accepted_at` is when the event was accepted; with its number it is its
    place in the match. `at_s` is when it set out for the fans, on `time.monotonic`; None of what the history has.
    `match` is the match as the event left it, and `event` the event itself, where a lesson wants that told as well.
    """

    seq: int
    frame: bytes
    is_last: bool
    accepted_at: datetime
    at_s: float | None = None
    match: Match | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Dismissal:
    """A fan is sent away, all of a match if it was cancelled: the bytes say why. Nothing comes after it.

    `why` says the same in words, for fans who speak another protocol.
    """

    frame: bytes
    why: str = ""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """From a handler to its user: what the dispatcher has sent out, for one of the user's clients."""

    client: Process
    message: Notification | Dismissal


@dataclass(frozen=True, slots=True)
class Watch:
    """A client's call to its user; `match_id` None is the current match. Answered when the status is on its way."""

    client: Process
    match_id: str | None


@dataclass(frozen=True, slots=True)
class EventManager:
    """A call to a match, answered with the process of its dispatcher; with None if the match is not live."""


@dataclass(frozen=True, slots=True)
class Accept:
    """A call to a match: apply, store and send this; answered with the event, or the one that has the terms' key."""

    post: Post
    terms: Terms


@dataclass(frozen=True, slots=True)
class Cancel:
    """A call to a match: delete yourself, and tell the fans; if the terms' key says that this was done, do nothing."""

    terms: Terms


@dataclass(frozen=True, slots=True)
class RedisReturned:
    """To a match: Redis was away and is back, perhaps with less than was there."""

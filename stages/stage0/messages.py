"""What the components say to each other on an event's way: match → dispatcher → user → client → socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.domain.posts import Post
    from common.otp.process import Process
    from common.store.terms import Terms


@dataclass(frozen=True, slots=True)
class Notification:
    """An accepted event as it goes out: its number in the match, the bytes that a fan gets, and whether it is the last.

    The frame is encoded once, by the match. Number 0 is said of the match as a whole (it was cancelled). `at_s` is when
    an accepted event set out for the fans, on `time.monotonic`; None of a status, and of what is read from the history.
    """

    seq: int
    frame: bytes
    is_last: bool
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """From a handler to its user: a notification for one of the user's clients."""

    client: Process
    notification: Notification


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

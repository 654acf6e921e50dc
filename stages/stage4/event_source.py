"""Lesson `event-source`: browsers watch a match as server-sent events (WHATWG HTML, section 9.2).

    GET /1/match/<id>/stream          at the port for browsers (`stages.stage4.http_front`)
    Last-Event-ID: <epoch>-<number>   or ?after=, from a page that was loaded anew: go on behind that event

A page needs one line for it, `new EventSource("/1/match/m/stream")`; to proxies it is an answer that does not end.
Browsers connect again by themselves and say which event they heard last, so `resume` is what makes this whole. What is
sent, each with its place as `id` and as JSON (`common.wire.streamed`, in the OpenAPI description as StreamedEvent):

* where the match stands, first; or what was missed, after a comment that says how much that is;
* each event. All are of the type `message`; what they are is their `kind`;
* a comment every HEARTBEAT_S, by which proxies see that the connection is alive, and the server that a fan has gone;
* last, to who has to go, a `refused` or a `goodbye` with a `Problem`. After a `goodbye` the browser is to wait the
  seconds in it, and is told so by `retry`; otherwise it waits 1 to 5 s, each another time.

The stream ends with the match. A browser that comes back then has heard all, and is answered 204, at which it gives up
for good. One who comes before the match has begun hears so, and comes back again and again. A place that is not of this
match (it was set back, or that event is yet to come) is no error, since a browser cannot help it: the status that it is
sent has `missed`. Any other status than 200 ends an EventSource, so a page that should outlast a server which is full
or away connects anew after `Retry-After`.

It costs no task, and no object for a fan: an event is encoded once, and sent by the plane. The answer has no length
and is in no pieces; it ends with the connection (RFC 9112, section 6.3), so that what is sent is the same for all. A
fan costs some 10 µs of CPU more than by text until it is answered, with the 15 headers that a browser sends, and 7 with
the two that are needed (`reports/design-notes.md`). It moves nothing for others: a fan by text takes as many bytecodes
an event as without, and 4 more until it is answered.
"""

from __future__ import annotations

from http import HTTPStatus
from random import uniform
from typing import TYPE_CHECKING, Final

import msgspec

from common.http.answers import Problem
from common.wire.streamed import place_id, streamed
from stages.stage4.door import Deaf
from stages.stage4.http_front import STOPPING, head

if TYPE_CHECKING:
    from common.domain.events import Event
    from stages.stage0.messages import Notification
    from stages.stage4.http_front import Asked
    from stages.stage4.window import Stand
    from stages.traffic import Drop

RETRY_MS: Final = (1000, 5000)
"""The least and the most that a browser waits until it connects again."""


class EventSourceDoor(Deaf):
    """Server-sent events."""

    name: Final = "event-source"
    path: Final = "stream"
    heartbeat: Final = b":\n\n"

    @property
    def goodbye(self) -> bytes:
        """What a server that stops says last."""
        return _last("goodbye", STOPPING.format(1), "retry: 1000\n")

    def place(self, asked: Asked) -> str:
        """Return what a browser sends when it comes back; else what its page says."""
        sent = asked.request.last.get(b"last-event-id")
        return sent.decode("latin-1") if sent else asked.query.get("after", "")

    def opening(self, asked: Asked) -> bytes:
        """Return the head of the answer, and when to come back."""
        del asked
        answer = head(
            HTTPStatus.OK,
            "Content-Type: text/event-stream",
            "Cache-Control: no-store",
            "X-Accel-Buffering: no",  # nginx, of whatever configuration, is to send on what comes
            "Connection: close",
        )
        return answer + b"retry: %d\n\n" % uniform(*RETRY_MS)  # noqa: S311  # nothing secret about a pause

    def event(self, sent: Notification, at: Stand) -> bytes:
        """Return an event."""
        assert sent.event is not None  # noqa: S101  # where there is this door, matches tell it
        return _message(sent.event, at)

    def status(self, status: Event, frame: bytes, at: Stand, missed: str) -> bytes:
        """Return a status."""
        del frame
        return _message(status, at, missed)

    def resumed(self, events: int, number: int) -> bytes:
        """Return a comment."""
        return b": resumed, %d events after %d\n\n" % (events, number)

    def end(self, *, is_over: bool) -> bytes:
        """Say no more: the browser will ask again."""
        del is_over
        return b""

    def nothing_follows(self) -> bytes:
        """Return the answer at which a browser gives up."""
        return head(HTTPStatus.NO_CONTENT, "Connection: close")

    def error(self, why: str, drop: Drop) -> bytes:
        """Return what tells a fan who was let in why it has to go."""
        del drop
        return _last("refused", why)

    def goodbye_for(self, after_s: int) -> bytes:
        """Return what tells a fan that the server stops, and has its browser wait."""
        return _last("goodbye", STOPPING.format(after_s), f"retry: {after_s * 1000}\n")


def _message(event: Event, at: Stand, missed: str = "") -> bytes:
    return b"id: %b\ndata: %b\n\n" % (place_id(*at).encode(), streamed(event, *at, missed))


def _last(name: str, why: str, before: str = "") -> bytes:
    return f"{before}event: {name}\n".encode() + b"data: %b\n\n" % msgspec.json.encode(Problem(why))

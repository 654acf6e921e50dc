"""What all doors for browsers need besides: a port, the events themselves, and heartbeats.

A node has one port for browsers, beside those for fans, and each of its workers listens there, too. A match tells its
events with their bytes, since a browser gets others; they go to the workers like that, and each encodes them once a
door. The heartbeats of a match's fans are spread over HEARTBEAT_S by their descriptors, which takes no memory and has
them never come all at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stages.stage0.live_match import LiveMatch
from stages.stage0.parts import layered
from stages.stage4.fans import Fans
from stages.stage4.http_front import HttpFront
from stages.stage4.plane_server import PlaneListener

if TYPE_CHECKING:
    import socket

    from common.domain.events import Event
    from stages.stage0.messages import Notification
    from stages.stage0.parts import Parts
    from stages.stage4.http_front import BrowserDoor

HEARTBEAT_S: Final = 15
"""The time between two heartbeats of a fan, in looks (`stages.stage4.fans.LOOK_S`): proxies give up after a minute."""


class BrowserListener(PlaneListener):
    """Lets browsers in by the front of the doors that there are for them."""

    def __init__(self, parts: Parts, listening: socket.socket) -> None:
        super().__init__(parts, listening)
        self._door = HttpFront(parts.server_plane.doors.values())


class EventTellingMatch(LiveMatch):
    """Tells each event itself, too."""

    def _notification(self, event: Event) -> Notification:
        return replace(super()._notification(event), event=event)


class BeatingFans(Fans):
    """Has fans of browsers' doors hear from it every HEARTBEAT_S."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._beat = 0

    def _look(self) -> None:
        super()._look()
        self._beat = (self._beat + 1) % HEARTBEAT_S
        for row in (row for seats in self._seats.values() for row in seats.rows.values()):
            if row.door.heartbeat:
                due = [fd for fd in row.crowd.all() if fd % HEARTBEAT_S == self._beat]
                self._plane.beat(due, row.door.heartbeat)


def with_door(parts: Parts, door: type[BrowserDoor]) -> Parts:
    """Return the parts of a server that has one more door for browsers."""
    doors = (*parts.doors, door)
    if parts.doors:
        return replace(parts, doors=doors)
    return replace(
        parts,
        doors=doors,
        browser_listener=BrowserListener,
        live_match=layered(parts.live_match, EventTellingMatch),
        fans=layered(parts.fans, BeatingFans),
    )

"""A server whose fans are on a plane: one process has all of them, and the plane watches for the listeners."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from common.http.statistics import DoorStatistics
from common.otp import ChildSpec
from stages.farewells import Farewells
from stages.stage0.listener import EXHAUSTED, Listener
from stages.stage0.server import Server
from stages.stage0.web import Web, WebBackend
from stages.stage4.accepting import accept
from stages.stage4.fans import Fans
from stages.traffic import DoorTraffic

if TYPE_CHECKING:
    from common.http.server import ApiServer
    from common.otp import Reason, Survey
    from stages.options import Options
    from stages.stage0.parts import Parts
    from stages.stage4.door import Door
    from stages.stage4.plane import Plane

_log = logging.getLogger(__name__)

BURST: Final = 64
"""Connections that are accepted and greeted in one go, before fans who have greeted are answered."""
_LOOK_S: Final = 0.01


class PlaneFarewells(Farewells):
    """Sends what fans of a plane are still to be told."""

    def __init__(self, plane: Plane) -> None:
        super().__init__()
        self._plane = plane

    async def sent(self, within_s: float) -> int:
        """Do as for transports."""
        plane, loop = self._plane, asyncio.get_running_loop()
        until_s = loop.time() + within_s
        try:
            while plane.unsent and loop.time() < until_s:
                plane.turn()
                await asyncio.sleep(_LOOK_S)
            return plane.unsent
        finally:
            plane.cut_off_all()
            plane.close()


class PlaneServer(Server):
    """A server with `Fans` in place of users and clients."""

    def __init__(self, parts: Parts, options: Options) -> None:
        super().__init__(parts, options)
        plane = parts.plane(parts.door(), self.parts.traffic)
        plane.doors = {door.name: door for door in (made() for made in parts.doors)}
        self.parts.traffic.doors.update({name: DoorTraffic() for name in plane.doors})
        self.parts = replace(self.parts, server_plane=plane, farewells=PlaneFarewells(plane))

    def _children(self, api: ApiServer) -> list[ChildSpec]:
        parts = self.parts
        fans = ChildSpec(Fans.NAME, lambda: parts.fans(parts))
        children = (fans if child.id == parts.client_sup.NAME else child for child in super()._children(api))
        return [child for child in children if child.id != parts.user_sup.NAME]


class PlaneListener(Listener):
    """Accepts BURST fans at a time, and greets them on the spot: it has no turn of its own, the plane calls it."""

    _door: Door | None = None
    """By which they come; None: the plane's own."""

    async def terminate(self, reason: Reason) -> None:
        """Stop accepting."""
        await super().terminate(reason)
        self.close_port()

    def close_port(self) -> None:
        """Have the plane leave the socket alone."""
        self._parts.server_plane.unwatch(self._listening.fileno())

    def _await_connection(self) -> None:
        self._parts.server_plane.watch(self._listening.fileno(), self._accept_some)

    def _accept_some(self) -> None:
        plane: Plane = self._parts.server_plane
        listening = self._listening.fileno()
        try:
            for _ in range(BURST):
                self._make_sure_of_file()
                fd = accept(listening)
                self._has_taken(fd)
                plane.welcome(fd, self._door)
        except (BlockingIOError, ConnectionAbortedError):
            return  # that were all
        except OSError as error:
            plane.unwatch(self._listening.fileno())
            if error.errno in EXHAUSTED:
                self._wait_for_files(error)
            else:
                _log.exception("%s cannot accept", self.process.name)
                self.process.exit(error)


class PlaneBackend(WebBackend):
    """Knows fans by the plane, since there is no process for each."""

    def _fans(self, survey: Survey) -> tuple[int, int]:
        del survey
        plane: Plane = self._parts.server_plane
        return plane.connected, plane.accepted

    def _doors(self) -> dict[str, DoorStatistics]:
        fans = list(self._node.servers(Fans))  # none while they are being restarted
        return {
            door: DoorStatistics(sum(one.watching_by(door) for one in fans), traffic.greetings, traffic.deliveries)
            for door, traffic in self._parts.traffic.doors.items()
        }

    def _handlers(self, survey: Survey) -> int:
        del survey
        plane: Plane = self._parts.server_plane
        return plane.watching


class PlaneWeb(Web):
    """Serves the API of such a server."""

    backend = PlaneBackend

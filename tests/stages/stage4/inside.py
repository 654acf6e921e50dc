"""What there is no door to: the process of all fans, and what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.stage4.fans import Fans

if TYPE_CHECKING:
    from common.otp import Process
    from stages.stage4.plane import Plane
    from stages.stage4.seats import Seats
    from tests.stages.in_process.running import Running


def fans_of(running: Running) -> Fans:
    """Return the server of all fans."""
    server = running.node["fans"].server
    assert isinstance(server, Fans)
    return server


def plane_of(running: Running) -> Plane:
    """Return its plane."""
    plane: Plane = fans_of(running)._plane  # noqa: SLF001
    return plane


def seats_of(running: Running) -> dict[str, Seats]:
    """Return the seats of each match, by its id."""
    return fans_of(running)._seats  # noqa: SLF001


def audiences(running: Running) -> list[Process]:
    """Return the processes that serve a match."""
    return [process for process in running.node.processes() if process.kind == "Audience"]

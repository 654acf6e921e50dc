"""Lesson `slow-fans`: a fan that reads more slowly than it is sent to costs a bounded amount of memory, and is told so.

Without it what a fan does not take waits for it, for as long as the fan likes: in the server, and before that in the
kernel. What must hold:

* No fan has more than BOUND bytes waiting in the server (and one message more), whatever it does and however long.
* The kernel's share is bounded as well: by default it takes 4 MB for a peer on loopback that does not read, with
  TCP_NOTSENT_LOWAT 127 KB, of which the peer holds 110 (Linux 6.18).
* Others do not notice: who is behind is written to when its socket has room, and passed over until then.
* Nothing is cut in the middle: of what waits whole messages are dropped, and the rest of the first one is sent.

Who comes over the bound is told why with an ERROR line, and parted from (`close`); or it is left out of its crowd until
it has taken that rest, and then sent the status of the match as it is then, and goes on (`skip`). A fan that takes
nothing at all is cut off as any that is parted from (`LINGER_S`), or found by the kernel: what was sent and not taken
ends the connection after TIMEOUT_MS, and a peer from which nothing came for a minute is asked whether it is there, and
given up when it has not answered for another.

A fan is closed as `slow`; one that the kernel gave up is `broken`; skips have a count of their own.

Exercised by fans that never read (`harness measure --slow 5%`, scenario `stalled`): memory is bounded, and what the
others' events take is as without them. Under any other load it should move nothing.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from common.wire.greeting import Numbered
from stages.options import Slow
from stages.stage0.server import Server
from stages.stage4.fans import Fans
from stages.stage4.plane import Host, Plane
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stages.options import Options
    from stages.stage0.parts import Parts
    from stages.stage4.crowd import Crowd
    from stages.stage4.door import OwnDoor, Parting
    from stages.traffic import Traffic

BOUND: Final = 64 * 1024
"""Bytes that may wait for one fan: some 200 events."""
TOO_SLOW: Final = "you read too slowly; connect again"
"""What a fan is told then."""

IDLE_S: Final = 60
"""How long nothing may come from a peer before its kernel is asked whether it is there; by default two hours."""
PROBE_S: Final = 20
TRIES: Final = 3
"""How often it is asked, PROBE_S apart, before it is given up: any question, or its answer, may be lost on the way."""
TIMEOUT_MS: Final = (IDLE_S + TRIES * PROBE_S) * 1000
"""How long what was sent may wait to be taken. Where it is set it also decides in place of TCP_KEEPCNT, and counts from
what came last (`tcp_keepalive_timer` in net/ipv4/tcp_timer.c): were it no longer than IDLE_S, one lost question would
cost a fan. It is longer than `tcp-options` has it, too: what a stalled fan costs is bounded here, and a train may leave
its tunnel."""
UNSENT: Final = 16 * 1024
"""Bytes that the kernel takes for a fan beyond what is on its way to it (Linux, ip-sysctl: tcp_notsent_lowat). Whoever
reads has none there, but for a moment."""

SOCKET_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TIMEOUT_MS),
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT),
)
"""Set on the listening sockets, as `tcp-options` does."""


def with_socket_options(before: Iterable[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Return what another lesson sets, with these in place of the same and beside the others."""
    here = {option[:2] for option in SOCKET_OPTIONS}
    return (*(option for option in before if option[:2] not in here), *SOCKET_OPTIONS)


class ReseatingHost(Host, Protocol):
    """A host that knows where those belong who are left out for a while."""

    def way_back(self, fd: int, crowd: Crowd) -> Callable[[], None]:
        """Return what has a fan that was in a crowd told the status, as one who waits; to be called at most once."""
        ...


class ReseatingFans(Fans):
    """Seats who has caught up with its match again."""

    def way_back(self, fd: int, crowd: Crowd) -> Callable[[], None]:
        """Do as a host should."""
        match_id, seats = next(entry for entry in self._seats.items() if crowd in entry[1].crowds)
        name = next((name for name, row in seats.rows.items() if row.crowd is crowd), None)
        return partial(self._seat, fd, match_id, None if name is None else Numbered(door=name))


class BoundedPlane(Plane):
    """Lets no fan have more than BOUND bytes waiting."""

    _host: ReseatingHost | None

    def __init__(self, door: OwnDoor, traffic: Traffic) -> None:
        super().__init__(door, traffic)
        self.skips = False
        """Whether a fan that is too slow is left out for a while, or closed."""
        self._way_back: dict[int, tuple[Callable[[], None], Parting | None]] = {}  # None: by the plane's own door

    def door_of(self, fd: int) -> Parting:
        """Know it of those who are left out, too."""
        left_out = self._way_back.get(fd)
        return (left_out[1] if left_out is not None else None) or super().door_of(fd)

    def _add_unsent(self, fd: int, data: bytes) -> bool:
        unsent = self._behind[fd]
        if unsent.size + len(data) <= BOUND:
            return super()._add_unsent(fd, data)
        unsent.drop_whole()
        if self.skips:
            self._leave_out(fd)
        else:
            self.refuse(fd, TOO_SLOW, Drop.SLOW)
        return False

    def _leave_out(self, fd: int) -> None:
        crowd = self._crowd[fd]
        assert crowd is not None  # noqa: S101  # else it would not be sent anything
        assert self._host is not None  # noqa: S101  # who seated it
        self._traffic.skips += 1
        self._way_back[fd] = self._host.way_back(fd, crowd), crowd.door
        self._have_wait(fd)

    def _has_caught_up(self, fd: int) -> None:
        super()._has_caught_up(fd)
        way_back = self._way_back.get(fd)
        if way_back is not None:
            way_back[0]()

    def _answered(self, fd: int) -> None:
        if self._way_back and self._way_back.pop(fd, None) is not None:  # it has greeted before
            self._traffic.deliveries += 1
        else:
            super()._answered(fd)

    def _forget(self, fd: int) -> None:
        super()._forget(fd)
        self._way_back.pop(fd, None)


class BoundedServer(Server):
    """A server that deals with slow fans as it is told to."""

    def __init__(self, parts: Parts, options: Options) -> None:
        super().__init__(parts, options)
        self.parts.server_plane.skips = options.slow is Slow.SKIP

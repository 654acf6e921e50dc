"""A plane by itself: its host is the test, and both ends of each fan's connection are at hand."""

from __future__ import annotations

import select
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stages.stage4.crowd import Crowd
from stages.stage4.door import TextDoor
from stages.stage4.plane import Plane
from stages.traffic import Drop, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from common.wire.greeting import Greeting
    from stages.stage4.door import Door


class PlaneFan:
    """The fan's end of a connection, and the descriptor of the plane's end."""

    def __init__(self, end: socket.socket, fd: int) -> None:
        self.end = end
        self.fd = fd
        self.heard = b""
        self.is_over = False
        """Whether the server's side was seen closed."""
        end.setblocking(False)

    def say(self, *pieces: bytes) -> None:
        """Send each piece by itself."""
        for piece in pieces:
            self.end.sendall(piece)

    def say_no_more(self) -> None:
        """Close this side."""
        self.end.shutdown(socket.SHUT_WR)

    def hear(self, most: int = 1 << 20) -> bytes:
        """Return all that was heard until now, with up to `most` bytes that wait; take note of the end."""
        while most > 0:
            try:
                data = self.end.recv(min(most, 1 << 16))
            except BlockingIOError:
                break
            self.is_over = not data
            if not data:
                break
            self.heard += data
            most -= len(data)
        return self.heard

    def hang_up(self) -> None:
        """Close both directions, so that the other end sees that this one has gone; this descriptor stays in use."""
        self.end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close altogether."""
        self.end.close()


class Arena:
    """A plane on pairs of sockets (unix(7)), where what one end does the other knows at once: one turn sees it all."""

    def __init__(self, door: Door | None) -> None:
        self.traffic = Traffic()
        self.plane = Plane(TextDoor(), self.traffic)
        self._door = door
        self.plane.open(self)
        self.crowd = Crowd(self.plane.position)
        self.greetings: dict[int, Greeting] = {}
        """By descriptor, those that nobody has answered."""
        self.gone_fans: list[int] = []
        self.on_greeting: Callable[[int], None] = lambda _fd: None
        self._fans: list[PlaneFan] = []

    def greeted(self, fd: int, greeting: Greeting) -> None:
        """Keep it (`Host`)."""
        assert fd not in self.greetings
        self.greetings[fd] = greeting
        self.on_greeting(fd)

    def gone(self, fd: int) -> None:
        """Keep it (`Host`)."""
        del self.greetings[fd]
        self.gone_fans.append(fd)

    def connect(self, room: int | None = None) -> PlaneFan:
        """Return a fan that was welcomed; the kernel keeps about `room` bytes for it, if that is said."""
        fan = PlaneFan(*self.pair(room))
        self._fans.append(fan)
        self.plane.welcome(fan.fd, self._door)
        return fan

    def pair(self, room: int | None = None) -> tuple[socket.socket, int]:
        """Return both ends of a new connection: the fan's, and the descriptor of the other, which does not block."""
        theirs, ours = socket.socketpair()
        ours.setblocking(False)
        if room is not None:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        return theirs, ours.detach()

    def seated(self, room: int | None = None, first: bytes = b"status") -> PlaneFan:
        """Return a fan that has greeted, and was answered."""
        fan = self.connect(room)
        fan.say(b"V:2:fan\n")
        self.turn()
        self.answer(fan, first)
        return fan

    def answer(self, fan: PlaneFan, first: bytes = b"status") -> None:
        """Answer a fan that waits."""
        del self.greetings[fan.fd]
        self.plane.answer(fan.fd, first, self.crowd)

    def turn(self, times: int = 1) -> None:
        """Let the plane have so many turns."""
        for _ in range(times):
            self.plane.turn()

    def is_at_rest(self) -> bool:
        """Whether the event loop would wait: nothing is there for a turn."""
        return not select.select([self.plane], [], [], 0)[0]

    def send(self, data: bytes) -> int:
        """Send an event to all; return to how many."""
        self.crowd.begin()
        return self.plane.send(self.crowd.take(len(self.crowd)), data)

    @property
    def drops(self) -> dict[Drop, int]:
        """Who was turned away or lost, without what did not happen."""
        return {drop: count for drop, count in self.traffic.drops.items() if count}

    def nothing_is_left(self) -> bool:
        """Whether nothing is known of any fan."""
        plane = self.plane
        known = (plane._readers, plane._came_by, plane._half_said, plane._behind, plane._last, plane._said_all)  # noqa: SLF001
        kept = sum(map(len, known))
        marked = any(plane._state) or any(crowd is not None for crowd in plane._crowd)  # noqa: SLF001
        return not (plane.connected or self.crowd or kept or marked)

    def close(self) -> None:
        """Close all."""
        self.plane.cut_off_all()
        self.plane.close()
        for fan in self._fans:
            fan.close()


@contextmanager
def arena(door: Door | None = None) -> Iterator[Arena]:
    """Give an arena whose fans come by the plane's own door, or by another.

    At the end everybody leaves, and nothing must be known of anybody then.
    """
    found = Arena(door)
    try:
        yield found
        found.plane.cut_off_all()
        assert found.nothing_is_left()
    finally:
        found.close()

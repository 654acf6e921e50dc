"""The sockets of the fans of one process: made, bound and watched before the load, connected at their moment.

All that can be done beforehand is, so that only connect(2) is left for the moment of a wave. They are watched
edge-triggered, each from before its connection to its end: only so can they be watched beforehand.
"""

from __future__ import annotations

import errno
import select
import socket
from array import array
from typing import TYPE_CHECKING, Final

from harness.load.connecting import Destination, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.load.messages import Job

_SLOW_BUFFER: Final = 4096  # bytes that a slow fan's kernel takes for it, which the kernel doubles (socket(7))

_WATCHED: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class Sockets:
    """The sockets of the fans of one job, watched by `epoll`. One that cannot be made fails at its fan's moment.

    `fan_of` has the number of a fan by its file descriptor, `of` the socket of a fan by its number, None where there is
    none (any more).
    """

    __slots__ = ("_addresses", "_destinations", "_epoll", "_share", "_slow", "_unprepared", "fan_of", "of")

    def __init__(self, epoll: select.epoll, job: Job) -> None:
        self._epoll = epoll
        self._addresses: list[tuple[str, int]] = []
        self._unprepared: dict[int, int] = {}  # those who have no socket, and the errno why
        self.fan_of = array("i")
        self.of: list[socket.SocketType | None] = [None] * len(job.share.fans)
        self._share = job.share
        self._slow = job.conduct.slow
        self._destinations = [Destination.of(endpoint, job.share.reach) for endpoint in job.endpoints]
        for fan in range(len(job.share.fans)):
            destination = self._destination(fan)
            self._addresses.append(destination.address)
            try:
                self._make(fan, destination)
            except OSError as error:
                self._unprepared[fan] = error.errno or 0

    def _destination(self, fan: int, tries: int = 0) -> Destination:
        """Return where a fan goes who has tried so often before."""
        return self._destinations[(self._share.fans[fan] + tries) % len(self._destinations)]

    def _make(self, fan: int, destination: Destination) -> socket.SocketType:
        """Make the socket of a fan, and watch it. Raise OSError if there can be none."""
        sources = self._share.sources
        sock = prepare(destination, sources[fan % len(sources)])
        if fan in self._slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)  # before the window is offered
        self.of[fan] = sock
        self._watch(sock.fileno(), fan)
        return sock

    def _watch(self, fd: int, fan: int) -> None:
        if fd >= len(self.fan_of):
            self.fan_of.extend([-1] * (fd + 1 - len(self.fan_of)))
        self.fan_of[fd] = fan
        self._epoll.register(fd, _WATCHED)

    def connect(self, wave: range, started_s: array[float], now: Callable[[], float]) -> list[tuple[int, int]]:
        """Begin a connection for each of these fans, and note when by `now`.

        Return those for whom that cannot be, and the errno why.
        """
        sockets, addresses, expected = self.of, self._addresses, errno.EINPROGRESS
        refused = []
        for fan in wave:
            sock = sockets[fan]
            started_s[fan] = now()
            error = self._unprepared[fan] if sock is None else sock.connect_ex(addresses[fan])
            if error != expected:
                refused.append((fan, error))
        return refused

    def connect_again(self, fan: int, tries: int) -> int:
        """Make another socket for a fan who has none any more, and begin a connection; return why not, or 0.

        Its first one went to its own endpoint, and each of so many tries to the one behind.

        What epoll has reported before must have been taken in: the descriptor may be one that was closed just now.
        """
        try:
            destination = self._destination(fan, tries)
            error = self._make(fan, destination).connect_ex(destination.address)
        except OSError as refused:
            return refused.errno or errno.ENOBUFS
        return 0 if error == errno.EINPROGRESS else error

    def close(self, fan: int) -> None:
        """Close the socket of a fan, if it has one."""
        sock = self.of[fan]
        if sock is not None:
            sock.close()
            self.of[fan] = None

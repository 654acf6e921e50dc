"""What fans say, sent as the kernel takes it: what it has no room for is kept until it has."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence


class Outbox:
    """Sends by the sockets of all fans; one that has none, or had its end, says nothing any more.

    A connection that broke is no error here, as whoever speaks may be in the middle of something else: `broken` is
    the errno of the one that was last spoken on, 0 if none broke, until `take_broken`.
    """

    __slots__ = ("_socket_of", "_unsent", "broken")

    def __init__(self, socket_of: Sequence[socket.SocketType | None]) -> None:
        self._socket_of = socket_of
        self._unsent: dict[int, bytes] = {}
        self.broken = 0

    def send(self, fan: int, data: bytes) -> None:
        """Send that after what is kept of the fan."""
        sock = self._socket_of[fan]
        if not data or sock is None:
            return
        waiting = self._unsent.pop(fan, b"")
        sent = 0
        if not waiting:
            try:
                sent = sock.send(data)
            except BlockingIOError:
                pass
            except OSError as error:
                self.broken = error.errno or errno.EPIPE
                return
        if waiting or sent < len(data):
            self._unsent[fan] = waiting + data[sent:]

    def go_on(self, fan: int) -> None:
        """Send what is kept of a fan, if anything is: the kernel has room again."""
        if waiting := self._unsent.pop(fan, b""):
            self.send(fan, waiting)

    def take_broken(self) -> int:
        """Return `broken`, once."""
        error, self.broken = self.broken, 0
        return error

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that is over."""
        self._unsent.pop(fan, None)

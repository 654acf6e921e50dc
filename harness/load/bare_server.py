"""The least a server can do: accept, greet, answer, and send numbered events on request, in one epoll loop.

`python -m harness.load.bare_server LISTENERS` listens on as many ports of 127.0.0.1, says `ready PORT …` on
standard output, sends event k to all who were answered for each line `k` on standard input, and ends with that.
What the generator reaches against it is the generator's own limit, and what any other server adds is that server's.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

from common.tuning.open_files import OpenFiles, set_soft_limit
from harness.load.workload import Dialogue

if TYPE_CHECKING:
    from collections.abc import Sequence

DIALOGUE: Final = Dialogue(
    hello=b"V:2:{user}\n", welcome_end=b"\n", answer_end=b"\n\r\n", mark=b"\tcomment: #", error_start=b"ERROR:"
)
"""What to say to this server."""

_WELCOME: Final = b"Welcome to Match Stream.\r\nSend V:2:<user> to watch.\r\n"
_STATUS: Final = b"2011-09-10 18:00:00: status:\n\thome: elp\n\tvisit: tig\n\tperiod: first\n\r\n"
_EVENT: Final = b"2011-09-10 18:00:01: corner:\n\tteam: elp\n\tcomment: #%d\n\r\n"


class BareServer:
    """Serves until its standard input ends. Sockets are bare file descriptors, as in the generator."""

    def __init__(self, listeners: Sequence[socket.socket], orders_fd: int) -> None:
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._orders_fd = orders_fd
        self._watching: set[int] = set()
        self._epoll = select.epoll()
        self._epoll.register(orders_fd, select.EPOLLIN)
        for fd in self._listeners:
            self._epoll.register(fd, select.EPOLLIN)

    def run(self) -> None:
        """Serve until the orders end."""
        while True:
            for fd, _ in self._epoll.poll():
                if fd in self._listeners:
                    self._accept(self._listeners[fd])
                elif fd != self._orders_fd:
                    self._read(fd)
                elif orders := os.read(fd, 4096):
                    for number in orders.split():
                        self._send_event(int(number))
                else:
                    return

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(64):
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            with suppress(ConnectionError):  # it is gone already, as the next read will tell
                connection.send(_WELCOME)
            self._epoll.register(connection.detach(), select.EPOLLIN)

    def _read(self, fd: int) -> None:
        try:
            said = os.read(fd, 4096)
        except ConnectionError:
            said = b""
        if said:
            os.write(fd, _STATUS)
            self._watching.add(fd)
        else:
            self._watching.discard(fd)
            os.close(fd)

    def _send_event(self, number: int) -> None:
        event = _EVENT % number
        for fd in self._watching:
            os.write(fd, event)


def listen(listeners: int) -> list[socket.socket]:
    """Return so many listening sockets on ports of 127.0.0.1 that are free below those that the kernel hands out."""
    found: list[socket.socket] = []
    ports = count(20_000)
    while len(found) < listeners:
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", next(ports)))
        except OSError:
            listener.close()
            continue
        listener.listen(65_535)
        listener.setblocking(False)
        found.append(listener)
    return found


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Listen, say where, serve."""
    set_soft_limit(OpenFiles.read().hard)
    listeners = listen(int(arguments[0]))
    sys.stdout.write(f"ready {' '.join(str(listener.getsockname()[1]) for listener in listeners)}\n")
    sys.stdout.flush()
    BareServer(listeners, sys.stdin.fileno()).run()


if __name__ == "__main__":
    main()

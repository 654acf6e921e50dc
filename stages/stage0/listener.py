"""The talk's `client_listener`: a gen_server that accepts connections on one TCP port, one at a time.

For each it starts a client and hands it the socket. The listening socket is opened by the server and outlives this
process, so a restart of the listener loses no connection that waits in the accept queue.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from time import monotonic
from typing import TYPE_CHECKING, Final

from common.otp import CallError, GenServer, NoProcessError
from common.tuning.open_files import OpenFiles, kept_files
from stages.stage0.client import SocketPort
from stages.stage0.log import Seldom, messages
from stages.traffic import Drop

if TYPE_CHECKING:
    import socket

    from common.otp import Reason
    from stages.stage0.parts import Parts

_log = logging.getLogger(__name__)

READABLE: Final = "readable"
RETRY_S: Final = 0.1
"""How long to leave the accept queue alone when no file is left for it."""

EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""How accept(2) says that there is no room for one connection more."""


def listener_name(port: int) -> str:
    """Return the name of the process that accepts fans on a port."""
    return f"client_listener-{port}"


class Listener(GenServer):
    """Accepts on a listening socket until it ends; accepting goes on when files are free again.

    While no more files are free than are kept for others (`kept_files`), fans stay in the accept queue.
    """

    def __init__(self, parts: Parts, listening: socket.socket) -> None:
        self._parts = parts
        self._listening = listening
        self._no_files = Seldom(_log)
        self._retry: asyncio.TimerHandle | None = None
        self._first_kept = 0
        self._is_short = False

    def has_file(self) -> bool:
        """Tell whether there is a file for the next fan, besides those that are kept for others."""
        try:
            lowest_free = os.dup(self._listening.fileno())
        except OSError:  # there is none at all
            return False
        os.close(lowest_free)
        return lowest_free < self._first_kept

    async def init(self) -> None:
        """Wait for the first connection."""
        files = OpenFiles.read().soft
        self._first_kept = files - kept_files(files)
        self._await_connection()

    async def handle_cast(self, message: str) -> None:
        """Accept the connection that is announced, and wait for the next."""
        messages.info("%s <- %s", self.process.name, message)
        try:
            await self._accept()
        except (BlockingIOError, ConnectionAbortedError):
            self._await_connection()  # whoever it was has gone
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._wait_for_files(error)
        else:
            self._await_connection()

    async def terminate(self, reason: Reason) -> None:
        """Stop accepting."""
        del reason
        asyncio.get_running_loop().remove_reader(self._listening)
        if self._retry is not None:
            self._retry.cancel()

    def _accept_one(self) -> socket.socket:
        """Return the next connection. Raise BlockingIOError if there is none, OSError if no file is left for it.

        The kernel gives a socket the lowest number that is free (open(2)), so one from among those that are kept shows
        that no other is left. The first such fan is served; before the next it is seen whether that is still so.
        """
        self._make_sure_of_file()
        connection, _ = self._listening.accept()
        self._has_taken(connection.fileno())
        return connection

    def _make_sure_of_file(self) -> None:
        """Raise OSError if no file is left for the next connection."""
        if self._is_short and not self.has_file():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def _has_taken(self, fd: int) -> None:
        """Take note of the file that a connection was given."""
        self._is_short = fd >= self._first_kept

    async def _hand_over(self, connection: socket.socket) -> None:
        accepted_s = monotonic()
        connection.setblocking(False)
        try:
            client = await self._parts.client_sup.start_client(self.node)
        except (CallError, NoProcessError):  # the clients are being restarted; this fan is to connect again
            connection.close()
            self._parts.traffic.drops[Drop.CRASH] += 1
            return
        except BaseException:
            connection.close()
            raise
        await asyncio.get_running_loop().connect_accepted_socket(lambda: SocketPort(client, accepted_s), connection)

    def _wait_for_files(self, error: OSError) -> None:
        self._no_files.warning(
            "%s cannot accept: %s; it goes on when files are free", self.process.name, error.strerror
        )
        self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._await_connection)

    def _readable(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        self.process.cast(READABLE)

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    async def _accept(self) -> None:
        """Accept who waits, and hand it over to a client. Raise as `_accept_one` does."""
        await self._hand_over(self._accept_one())

    def _await_connection(self) -> None:
        """Have this process told when somebody waits to be accepted."""
        asyncio.get_running_loop().add_reader(self._listening, self._readable)

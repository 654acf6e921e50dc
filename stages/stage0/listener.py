"""The talk's `client_listener`: a gen_server that accepts connections on one TCP port, one at a time.

For each it starts a client and hands it the socket. The listening socket is opened by the server and outlives this
process, so a restart of the listener loses no connection that waits in the accept queue.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from common.listening import bind_socket
from common.otp.gen_server import GenServer
from common.otp.signals import CallError, NoProcessError
from stages.stage0.client import SocketPort
from stages.stage0.log import Seldom, messages
from stages.traffic import Drop

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from common.otp.signals import Reason
    from stages.stage import Parts

_log = logging.getLogger(__name__)

READABLE: Final = "readable"
RETRY_S: Final = 0.1
"""How long to leave the accept queue alone when no file is left for it."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def open_socket(host: str, port: int, backlog: int, options: Iterable[tuple[int, int, int]]) -> socket.socket:
    """Listen on a TCP port, with socket `options` as (level, name, value). Raise as `bind_socket` does."""
    listening = bind_socket(host, port, options)
    listening.listen(backlog)
    return listening


class Listener(GenServer):
    """Accepts on a listening socket until it ends; accepting goes on when files are free again."""

    def __init__(self, parts: Parts, listening: socket.socket) -> None:
        self._parts = parts
        self._listening = listening
        self._no_files = Seldom(_log)
        self._retry: asyncio.TimerHandle | None = None

    async def init(self) -> None:
        """Wait for the first connection."""
        self._watch()

    async def handle_cast(self, message: str) -> None:
        """Accept the connection that is announced, and wait for the next."""
        messages.info("%s <- %s", self.process.name, message)
        try:
            await self._accept()
        except (BlockingIOError, ConnectionAbortedError):
            self._watch()  # whoever it was has gone
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._wait_for_files(error)
        else:
            self._watch()

    async def terminate(self, reason: Reason) -> None:
        """Stop accepting."""
        del reason
        asyncio.get_running_loop().remove_reader(self._listening)
        if self._retry is not None:
            self._retry.cancel()

    async def _accept(self) -> None:
        connection, _ = self._listening.accept()
        await self._hand_over(connection)

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
        self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._watch)

    def _watch(self) -> None:
        asyncio.get_running_loop().add_reader(self._listening, self._readable)

    def _readable(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        self.process.cast(READABLE)

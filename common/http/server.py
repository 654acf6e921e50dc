"""The API on its ports.

Binding and serving are two steps. A second server on a taken port must fail before it writes its token over the first
one's file, and with port 0 the number that names this file is known only once it is bound. So: `bind()`, then the
token, then `start(app)`. Between the two, clients wait in the backlog.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from common.http.connection import ApiConnection, Crowd
from common.http.limits import Limits, most_connections
from common.http.statistics import ApiStatistics
from common.listening import listen_on, open_all
from common.tuning.open_files import OpenFiles, kept_files

if TYPE_CHECKING:
    import socket

_NO_LOG: Final = logging.Logger("silent", logging.CRITICAL)  # noqa: LOG001  # unattached: nothing turns it on
_DRAIN_SECONDS: Final = 2.0
_BURST: Final = 4
"""Connections that asyncio may accept before those who came are looked at: fewer than the files that are kept free."""


class ApiServer:
    """Serves an application on one host and some ports (0: any free one), until it is stopped.

    `backlog` is the length of each accept queue; the kernel cuts it to net.core.somaxconn (listen(2)). Without `limits`
    they are the usual ones, with a share of the files that may be open when it starts as connections. There is no
    access log: what is asked is counted.
    """

    def __init__(
        self,
        host: str,
        ports: Sequence[int],
        *,
        backlog: int = 128,
        limits: Limits | None = None,
    ) -> None:
        self._host = host
        self._wanted = tuple(ports)
        self._backlog = backlog
        self._address = ""
        self._limits = limits
        self._ports: tuple[int, ...] = ()
        self._bound: list[socket.socket] = []  # not yet handed over to the event loop
        self._servers: list[asyncio.Server] = []
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """The address that the ports are bound at, in numbers; only after `bind`."""
        return self._address

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that are bound, in the order in which they were asked for; none before `bind`."""
        return self._ports

    async def bind(self) -> int:
        """Listen on all ports and return the first. Raise CannotListenError, with nothing left bound."""
        self._bound = open_all(self._host, self._wanted, partial(listen_on, backlog=self._backlog))
        self._address = self._bound[0].getsockname()[0]
        self._ports = tuple(sock.getsockname()[1] for sock in self._bound)
        return self._ports[0]

    async def start(self, app: web.Application) -> None:
        """Serve `app` on the ports that `bind` took."""
        self._runner = web.AppRunner(app, shutdown_timeout=_DRAIN_SECONDS)
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        files = OpenFiles.read().soft
        crowd = Crowd(self._limits or Limits(connections=most_connections(files)), files - kept_files(files))
        manager = cast("web.Server", self._runner.server)
        protocol = partial(ApiConnection, manager, crowd, loop=loop, access_log=_NO_LOG)
        while self._bound:
            # To asyncio the backlog is how many it accepts in one go, too; to the kernel the last listen(2) counts.
            self._servers.append(await loop.create_server(protocol, sock=self._bound[0], backlog=_BURST))
            self._bound.pop(0).listen(self._backlog)

    async def stop(self) -> None:
        """Take no more connections, close idle ones, give requests under way 2 s; do nothing if nothing is served."""
        for server in self._servers:
            server.close()
        for sock in self._bound:
            sock.close()
        self._ports, self._servers, self._bound = (), [], []
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def statistics(self) -> ApiStatistics:
        """Return the counts now."""
        server = None if self._runner is None else self._runner.server
        if server is None:
            return ApiStatistics(connections=0, requests=0)
        return ApiStatistics(connections=len(server.connections), requests=server.requests_count)

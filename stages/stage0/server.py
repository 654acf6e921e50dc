"""The whole server: its supervision tree, in the talk's start-up order: db, users, matches, clients, listener, web."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.http.server import ApiServer, CannotListenError
from common.http.token import forget_token, server_token
from common.otp.node import Node
from common.otp.signals import SHUTDOWN
from common.otp.supervisor import ChildSpec, Supervisor
from common.store.redis_store import RedisStore
from common.tuning.open_files import set_soft_limit
from stages.stage0.listener import open_socket

if TYPE_CHECKING:
    import socket

    from common.otp.process import Process
    from stages.stage import Options, Parts


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running server serves: the first and the last port of each range."""

    host: str
    fans: tuple[int, int]
    http: tuple[int, int]


class Server:
    """A stage, from `start` to `stop`; `wait` returns when it has ended, by `stop` or because it gave up."""

    def __init__(self, parts: Parts, options: Options) -> None:
        assert options.redis_url is not None  # noqa: S101  # whoever serves has started one
        self.parts = parts
        self.options = options
        self._redis_url = options.redis_url
        self.node = Node()
        self.token = ""
        self._listening: socket.socket | None = None
        self._top: Process | None = None
        self._http_port = 0

    async def start(self) -> Addresses:
        """Serve fans and API calls, and return where.

        Raise CannotListenError, TokenError, StoreUnavailableError, OpenFilesError; nothing is left behind then.
        """
        set_soft_limit(self.parts.open_files)
        await self._check_redis()
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process, the last one started first, and free the ports."""
        if self._top is not None:
            self._top.exit(SHUTDOWN)
            await self._top.wait()
        if self._listening is not None:
            self._listening.close()
        forget_token(os.environ, self._http_port, self.token)

    async def wait(self) -> None:
        """Return when the server has ended."""
        assert self._top is not None  # noqa: S101  # it was started
        await self._top.wait()

    async def _start(self) -> Addresses:
        options, parts = self.options, self.parts
        self._listening = listening = self._listen()
        fan_port = listening.getsockname()[1]
        api = ApiServer(options.host, [options.http_port])
        self._http_port = await api.bind()
        specs = [
            ChildSpec(parts.db.NAME, lambda: parts.db(parts, self._redis_url)),
            ChildSpec(parts.user_sup.NAME, lambda: parts.user_sup(parts)),
            ChildSpec(parts.match_sup.NAME, lambda: parts.match_sup(parts)),
            ChildSpec(parts.client_sup.NAME, lambda: parts.client_sup(parts)),
            ChildSpec("client_listener", lambda: parts.listener(parts, listening)),
            ChildSpec("web", lambda: parts.web(parts, self._unstopped(api), fan_port, self.token)),
        ]
        try:
            self.token = server_token(os.environ, self._http_port)
            self._top = await self.node.start(Supervisor(specs), name="match_stream_sup")
        except BaseException:
            await api.stop()
            raise
        return Addresses(options.host, (fan_port, fan_port), (self._http_port, self._http_port))

    def _unstopped(self, api: ApiServer) -> ApiServer:
        """Return `api`, or once `web` has stopped it another on the same port, even if any port was wanted."""
        return api if api.ports else ApiServer(self.options.host, [self._http_port])

    async def _check_redis(self) -> None:
        store = RedisStore(self._redis_url)
        try:
            await store.ping()
        finally:
            await store.close()

    def _listen(self) -> socket.socket:
        options = self.options
        try:
            return open_socket(options.host, options.port, self.parts.backlog)
        except (OSError, UnicodeError) as error:  # UnicodeError: of a host that cannot be a name
            reason = error.strerror if isinstance(error, OSError) else "that is no host"
            raise CannotListenError(
                f"cannot listen on {options.host}:{options.port}: {reason}; choose another --host or --port"
            ) from error

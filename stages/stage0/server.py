"""The whole server: its supervision tree, in the talk's start-up order: db, users, matches, clients, listeners, web."""

from __future__ import annotations

import itertools
import logging
import os
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from common.http.server import ApiServer
from common.http.token import forget_token, server_token
from common.otp import SHUTDOWN, ChildSpec, Node, Supervisor
from common.store.cluster import with_cluster
from common.store.presence import Presence, PresenceUnknownError
from common.tuning.open_files import set_soft_limit
from stages.farewells import Farewells
from stages.options import Addresses
from stages.stage0.faults import Faults, parse_faults
from stages.stage0.listener import listener_name
from stages.stage0.ports import bind_api, listen
from stages.stage0.presence import PresenceKeeper
from stages.traffic import Traffic

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from common.otp import Process
    from stages.options import Options
    from stages.stage0.parts import Parts, Stage

_log = logging.getLogger(__name__)


class NoNodesError(Exception):
    """Several nodes were asked of a stage that has none."""


class Server:
    """A stage, from `start` to `stop`; `wait` returns when it has ended, by `stop` or because it gave up."""

    follows: ClassVar[bool] = False
    """Whether fans hear of what another server writes to the same Redis (a hook, as those at the end)."""

    def __init__(self, parts: Parts, options: Options) -> None:
        assert options.redis_url is not None  # noqa: S101  # whoever serves has started one
        self.parts = replace(parts, traffic=Traffic(), farewells=Farewells())
        self.options = options
        self.redis_url = options.redis_url
        self.node = Node(parts.run_queue())
        self.token = ""
        self._listening: Sequence[socket.socket] = ()
        self._top: Process | None = None
        self._http_address = ""
        self._presence: Presence | None = None
        self._http_ports: Sequence[int] = ()

    async def start(self) -> Addresses:
        """Serve fans and API calls, and return where.

        Raise CannotListenError, TokenError, StoreUnavailableError, SharedRedisError, OpenFilesError; nothing is left
        behind then.
        """
        set_soft_limit(self.parts.open_files)
        self.redis_url = await with_cluster(self.redis_url)
        await self._check_redis()
        try:
            self._presence = await announced(self.redis_url, follows=self.follows)
            return await self._serve()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process, the last one started first, and free the ports.

        So requests under way end first, then nobody more is accepted, then fans are told goodbye; those who have not
        taken that within the grace are cut off, all at once if this is cancelled.
        """
        until_s = monotonic() + self.options.grace_s
        try:
            if self._top is not None:
                await self._drain(until_s)
                self._top.exit(SHUTDOWN)
                await self._top.wait()
                self._close()  # or who connects now waits for nobody
                await self._say_goodbye(until_s)
        finally:
            self._close()
            if self._presence is not None:
                await self._presence.close()
            if self._http_ports:
                forget_token(os.environ, self._http_address, self._http_ports[0], self.token)

    async def wait(self) -> None:
        """Return when the server has ended."""
        assert self._top is not None  # noqa: S101  # it was started
        await self._top.wait()

    async def _say_goodbye(self, until_s: float) -> None:
        farewells = self.parts.farewells
        cut_off = await farewells.sent(until_s - monotonic())
        _log.info(
            "stopping: %d fans were told goodbye, of whom %d did not read and were cut off", farewells.said, cut_off
        )

    def _fan_ports(self) -> list[int]:
        return self._ports()[: self.parts.fan_listeners]

    def _listener_names(self) -> list[str]:
        return [listener_name(port) for port in self._ports()]

    def _ports(self) -> list[int]:
        """Return the ports for fans, and that for browsers, if there is one."""
        return [listening.getsockname()[1] for listening in self._listening]

    def _unstopped(self, api: ApiServer) -> ApiServer:
        """Return `api`, or once `web` has stopped it another on the same ports, even if any port was wanted."""
        return api if api.ports else ApiServer(self.options.host, self._http_ports, backlog=self.parts.http_backlog)

    async def _check_redis(self) -> None:
        store = self.parts.store(self.redis_url)
        try:
            await store.ping()
            await store.take_over()
        finally:
            await store.close()

    def _announced(self) -> Presence:
        assert self._presence is not None  # noqa: S101  # see `start`
        return self._presence

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    async def _drain(self, until_s: float) -> None:
        """Do what is to be done before anything ends; the grace is over at `until_s` (time.monotonic)."""

    def _listen(self) -> Sequence[socket.socket]:
        """Return the sockets that listen for fans, in the order of their ports. Raise CannotListenError."""
        return listen(self.parts, self.options)

    async def _serve(self) -> Addresses:
        """Open the ports and start the processes; return where they serve. Raise as `start` does."""
        options, parts = self.options, self.parts
        self._listening = self._listen()
        api = await bind_api(parts, options)
        self._http_address, self._http_ports = api.address, api.ports
        try:
            self.token = server_token(os.environ, self._http_address, self._http_ports[0])
            self._top = await self.node.start(Supervisor(self._children(api)), name="match_stream_sup")
        except BaseException:
            await api.stop()
            raise
        parts.vm.started()
        fan_ports = self._fan_ports()
        browser_ports = self._ports()[len(fan_ports) :]
        return Addresses(
            options.host,
            (fan_ports[0], fan_ports[-1]),
            (self._http_ports[0], self._http_ports[-1]),
            (browser_ports[0], browser_ports[-1]) if browser_ports else None,
        )

    def _close(self) -> None:
        """Close the sockets that listen for fans."""
        for listening in self._listening:
            listening.close()

    def _children(self, api: ApiServer) -> list[ChildSpec]:
        """Return the supervision tree, in the order in which it is started."""
        parts = self.parts
        classes = itertools.chain(itertools.repeat(parts.listener, parts.fan_listeners), (parts.browser_listener,))
        listeners = (
            ChildSpec(name, partial(listener, parts, listening))
            for name, listening, listener in zip(self._listener_names(), self._listening, classes, strict=False)
        )
        faults = parse_faults(self.options.faults)
        breaking = [ChildSpec(Faults.NAME, lambda: Faults(parts, faults))] if faults else []
        return [
            ChildSpec(parts.db.NAME, lambda: parts.db(parts, self.redis_url)),
            ChildSpec(parts.user_sup.NAME, lambda: parts.user_sup(parts)),
            ChildSpec(parts.match_sup.NAME, lambda: parts.match_sup(parts)),
            ChildSpec(parts.client_sup.NAME, lambda: parts.client_sup(parts)),
            ChildSpec(PresenceKeeper.NAME, lambda: PresenceKeeper(self._announced())),
            *listeners,
            ChildSpec(parts.web.NAME, lambda: parts.web(parts, self._unstopped(api), self._fan_ports(), self.token)),
            *breaking,
        ]


async def announced(redis_url: str, *, follows: bool) -> Presence:
    """Announce in Redis a server that starts, and return its presence.

    Raise SharedRedisError if another is there with which it must not share a Redis; StoreUnavailableError; after either
    it is not there. Where it cannot be known, the log says so.
    """
    presence = Presence(redis_url, follows=follows)
    try:
        await presence.announce()
    except PresenceUnknownError as error:
        _log.warning("%s", error)
    except BaseException:
        await presence.close()
        raise
    return presence


def one_server(stage: Stage, options: Options) -> Server:
    """Return the server of a stage that is one process. Raise NoNodesError if others are asked for."""
    if options.nodes not in (None, 1):
        raise NoNodesError(f"stage {stage.name} is one process: leave --nodes out, or serve one with the lesson nodes")
    return stage.new_server(options)

"""Lesson `nodes`: several server processes on this machine, under one parent; nodes on other hosts join them.

A node is this same program, told to join (`MATCHSTREAM_JOIN`): everything it has in common with the others is their
Redis. So one that is started by hand, on another host, is a node like those that the parent starts here.

The parent serves nobody. It takes the ports of all nodes, so that they form one range, starts a process for each node,
and starts one again that ends (its supervisor gives up when more than 5 that served end in 10 s). It holds the ports by
sockets that are bound and do not listen: with SO_REUSEADDR a node can listen on them, nobody else is given them, and
when the node is gone a fan is refused at once and connects to another, instead of waiting in the queue of the dead.

A node has no order among the others, so they are children of one kind: they start side by side, and end so.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from common.http.token import forget_token, server_token
from common.listening import reserve
from common.otp import SHUTDOWN, Node, Restart, SimpleOneForOne, StartChild
from common.store.cluster import with_cluster
from stages.options import Addresses
from stages.stage0.server import announced
from stages.stage3.node_process import STOP_S, NodeProcess, WaitUntilReady

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from common.otp import Process
    from stages.options import Options, System
    from stages.stage0.parts import Stage


NODES: Final = 4
"""The talk's, "with four nodes in the same machine"."""
_KILL_S: Final = 2.0
"""How long a node may take to be gone that had to be killed."""


def start_nodes(stage: Stage, options: Options) -> System:
    """Return the system to start: several nodes under a parent, or the one node that this process is to be itself."""
    nodes = NODES if options.nodes is None else options.nodes
    if nodes == 1:
        return stage.new_server(options)
    return Nodes(stage, replace(options, nodes=nodes))


class Nodes:
    """The nodes of this machine, from `start` to `stop`; `wait` returns when their supervisor has given up."""

    def __init__(self, stage: Stage, options: Options) -> None:
        self._stage = stage
        self._options = options
        self._node = Node()
        self._reserved: list[socket.socket] = []
        self._top: Process | None = None
        self._http_address, self._http_port = "", 0
        self._serves = False
        self.token = ""

    async def start(self) -> Addresses:
        """Start all nodes at once, and return where they serve once all do.

        Raise CannotListenError, TokenError, StoreUnavailableError, SharedRedisError, NodeStartError; nothing is left
        behind then.
        """
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the nodes and free the ports."""
        try:
            if self._top is not None:
                self._top.exit(SHUTDOWN)
                await self._top.wait()
        finally:
            for sock in self._reserved:
                sock.close()
            if self._http_port:
                forget_token(os.environ, self._http_address, self._http_port, self.token)

    async def wait(self) -> None:
        """Return when the supervisor of the nodes has ended."""
        assert self._top is not None  # noqa: S101  # it was started
        await self._top.wait()

    async def _start(self) -> Addresses:
        self._options = replace(self._options, redis_url=await with_cluster(str(self._options.redis_url)))
        options, parts = self._options, self._stage.parts
        await self._check_redis()
        await (await announced(str(options.redis_url), follows=True)).close()  # each node will be there itself
        fans = self._reserve(options.port, parts.fan_listeners)
        http = self._reserve(options.http_port, parts.http_listeners)
        self._http_address, self._http_port = self._reserved[-1].getsockname()[0], http[0]
        browsers = None if options.browser_port is None else self._reserve(options.browser_port, 1)
        self.token = server_token(os.environ, self._http_address, self._http_port)
        self._top = await self._node.start(
            SimpleOneForOne(self._node_process, Restart.PERMANENT, shutdown_s=STOP_S + options.grace_s + _KILL_S),
            name="nodes_sup",
        )
        first_fans, first_http = fans[:: parts.fan_listeners], http[:: parts.http_listeners]
        first_ports = zip(first_fans, first_http, browsers or (None,) * len(first_fans), strict=True)
        started = [
            await self._top.call(StartChild(ports, name=f"node-{number}")) for number, ports in enumerate(first_ports)
        ]
        await asyncio.gather(*(process.call(WaitUntilReady()) for process in started))  # or until one cannot
        self._serves = True
        for_browsers = None if browsers is None else (browsers[0], browsers[-1])
        return Addresses(options.host, (fans[0], fans[-1]), (http[0], http[-1]), for_browsers)

    def _node_process(self, fan_port: int, http_port: int, browser_port: int | None) -> NodeProcess:
        options = replace(self._options, browser_port=browser_port)
        return NodeProcess(self._stage, options, fan_port, http_port, self.token, insists=self._serves)

    async def _check_redis(self) -> None:
        """Say once, in place of every node, that Redis cannot be had. Raise StoreUnavailableError."""
        store = self._stage.parts.store(str(self._options.redis_url))
        try:
            await store.ping()
            await store.take_over()
        finally:
            await store.close()

    def _reserve(self, first: int, listeners: int) -> Sequence[int]:
        assert self._options.nodes is not None  # noqa: S101  # see start_nodes
        reserved = reserve(self._options.host, first, listeners * self._options.nodes)
        self._reserved += reserved
        return [sock.getsockname()[1] for sock in reserved]

"""Nodes of a system in this process, each with the processes that its store needs; joined only through Redis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common.otp import SHUTDOWN, GenServer, Node
from stages.stage3.db_writer import DbWriter
from stages.stage3.group_store import GroupStore
from stages.stage3.remote_store import WriterStore
from stages.stage3.requests import Requests
from stages.stage3.subscriptions import Subscriptions

if TYPE_CHECKING:
    from common.otp import Process
    from common.store.redis_store import RedisStore

LEASE_S = 0.4
"""Shorter than in earnest: tests wait for it to run out."""


class Listener(GenServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def handle_info(self, message: Any) -> None:
        self.heard.append(message)


class WriterGroupStore(WriterStore, GroupStore):
    """Both layers, as the parts of the stage have them."""


@dataclass
class System:
    """Starts nodes and what runs on them, and ends it all."""

    url: str
    _processes: list[Process] = field(default_factory=list)
    _stores: list[RedisStore] = field(default_factory=list)

    async def start(self, node: Node, server: GenServer, name: str | None = None) -> Process:
        """Start a process that is ended with the system."""
        process = await node.start(server, name=name)
        self._processes.append(process)
        return process

    async def listener(self, node: Node) -> tuple[Listener, Process]:
        """Start a process that listens."""
        listener = Listener()
        return listener, await self.start(node, listener)

    async def subscriptions(self, node: Node) -> Subscriptions:
        """Start the subscriptions of a node."""
        subscriptions = Subscriptions(self.url)
        await self.start(node, subscriptions, Subscriptions.NAME)
        return subscriptions

    async def node(self, name: str = "a", *, timeout_s: float = 20.0) -> Node:
        """Return a node that can ask the writer; callers give up after `timeout_s`."""
        node = Node()
        await self.subscriptions(node)
        await self.start(node, Requests(self.url, name, timeout_s=timeout_s), Requests.NAME)
        return node

    async def writer(
        self, name: str = "a", *, url: str | None = None, node: Node | None = None, lease_s: float = LEASE_S
    ) -> DbWriter:
        """Start a candidate, which reaches Redis at `url`."""
        writer = DbWriter(url or self.url, name, lease_s=lease_s)
        await self.start(node or Node(), writer, DbWriter.NAME)
        return writer

    def store(self, node: Node, *, reads_directly: bool = True, timeout_s: float = 20.0) -> WriterGroupStore:
        """Return a store of a node; what it is asked for is not written later than `timeout_s`."""
        store = WriterGroupStore(self.url, command_timeout=timeout_s)
        store.join(lambda: node, reads_directly=reads_directly)
        self._stores.append(store)
        return store

    async def stop(self) -> None:
        """End everything, what was started last first."""
        for store in self._stores:
            await store.close()
        for process in reversed(self._processes):
            process.exit(SHUTDOWN)
            await process.wait()

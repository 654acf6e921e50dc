"""A real Redis Cluster on this machine, for tests: three masters that share the slots, and replicas of the first.

    async with RedisCluster() as cluster:
        ...                          # use cluster.url
        await cluster.servers[0].kill()

A Redis older than 7 has no sharded pub/sub, so it must not stand first on the PATH.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from common.store.connections import Connections
from common.store.errors import StoreUnavailableError
from common.store.process import RedisProcess
from tests.loopback import OWN_ADDRESS
from tests.redis_server import free_ports
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from types import TracebackType

MASTERS: Final = 3
SLOTS: Final = 16384
NODE_TIMEOUT_MS: Final = 3000
"""After how long a server that does not answer the others counts as dead; one that syncs its file may stand still."""

_START_SECONDS: Final = 20.0


class ClusterServer:
    """One Redis of a cluster, with an append-only file that is synced at every write."""

    def __init__(self, directory: Path, port: int, bus_port: int) -> None:
        self.port, self._bus_port = port, bus_port
        self.url = f"redis://{OWN_ADDRESS}:{port}"
        settings = {
            "port": self.port,
            "bind": OWN_ADDRESS,
            "dir": directory,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "cluster-enabled": "yes",
            "cluster-announce-ip": OWN_ADDRESS,
            "cluster-port": self._bus_port,
            "cluster-node-timeout": NODE_TIMEOUT_MS,
            "repl-diskless-sync-delay": 0,
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self._process = RedisProcess(self.url, words, directory / "redis.log")
        self._redis = Connections(self.url, 1, 10.0, 20.0)

    async def start(self) -> None:
        """Start it and return when it answers."""
        await self._process.start(_START_SECONDS)

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._process.kill()

    async def close(self) -> None:
        """End it, and the connection to it."""
        await self._redis.close()
        await self._process.kill()

    async def call(self, *command: str | int) -> Any:
        """Have this server carry out a command, wherever its keys belong."""
        return await self._redis.call(*command)

    async def meet(self, other: ClusterServer) -> None:
        """Make it known to another, and so to all that this one knows."""
        await self.call("CLUSTER", "MEET", OWN_ADDRESS, other.port, other._bus_port)

    async def is_replicated(self, tag: str) -> None:
        """Return once a replica has what was written up to now; `tag` is of a slot that this master has."""
        await self.call("SET", f"{tag}mark", "")  # WAIT is for what came over the same connection
        assert await self.call("WAIT", 1, round(DEADLINE_S * 1000)) == 1

    async def follows(self) -> bool:
        """Return whether it is a replica that gets all that its master writes."""
        return b"master_link_status:up" in await self.call("INFO", "replication")

    async def knows_all(self, count: int, replicas: int) -> bool:
        """Return whether it takes the cluster for whole, with as many servers, and as many of them replicas."""
        info, servers = await self.call("CLUSTER", "INFO"), await self.call("CLUSTER", "NODES")
        is_known = f"cluster_known_nodes:{count}\r".encode() in info and servers.count(b"slave ") == replicas
        return is_known and b"cluster_state:ok" in info


class RedisCluster:
    """The servers, masters first, for as long as the `async with` block lasts. `replicas`: of the first master."""

    def __init__(self, replicas: int = 0) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="matchstream-cluster-"))
        self.servers: list[ClusterServer] = []
        ports = free_ports(2 * (MASTERS + replicas))  # at once, so that they differ
        for port, bus_port in zip(ports[::2], ports[1::2], strict=True):
            directory = self._directory / str(port)
            directory.mkdir()
            self.servers.append(ClusterServer(directory, port, bus_port))
        self._to_undo = AsyncExitStack()

    @property
    def masters(self) -> list[ClusterServer]:
        """Those that had a part of the slots in the beginning."""
        return self.servers[:MASTERS]

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as to_undo:
            to_undo.push_async_callback(asyncio.to_thread, shutil.rmtree, self._directory)
            for server in self.servers:
                to_undo.push_async_callback(server.close)
                await server.start()
            await self._join()
            self._to_undo = to_undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._to_undo.aclose()

    async def is_whole(self, replicas: int = 0) -> None:
        """Return once all servers take the cluster for whole, with as many replicas."""

        async def all_know_all() -> bool:
            try:
                known = [await server.knows_all(len(self.servers), replicas) for server in self.servers]
            except StoreUnavailableError:
                return False
            return all(known)

        await eventually(all_know_all, "the cluster is whole")

    async def owner(self, slot: int) -> ClusterServer:
        """Return the master of a slot, by what the last server knows."""
        for first, last, (_, port, *_), *_ in await self.servers[-1].call("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(server for server in self.servers if server.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    async def _join(self) -> None:
        step = -(-SLOTS // MASTERS)
        for number, server in enumerate(self.servers):
            await server.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < MASTERS:
                await server.call("CLUSTER", "ADDSLOTSRANGE", number * step, min((number + 1) * step, SLOTS) - 1)
            if number:
                await self.servers[0].meet(server)
        await self.is_whole()
        first = (await self.servers[0].call("CLUSTER", "MYID")).decode()
        for replica in self.servers[MASTERS:]:
            await replica.call("CLUSTER", "REPLICATE", first)
            await eventually(replica.follows, "the replica has what its master has")
        await self.is_whole(len(self.servers) - MASTERS)  # a replica is elected by masters that know it as one

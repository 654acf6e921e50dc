"""The one shard of a Redis Cluster in which a system lives: found, connected to, and found again when it has moved.

A cluster divides its keys among shards by slots, and carries out no script and no transaction across them. So all keys
and channels of one system begin with the same hash tag, `{0}` (`common.store.keys`): they share a slot, every step that
is atomic on one Redis is so here, and what is published by SPUBLISH goes to that shard's servers alone, where PUBLISH
would go to every server of the cluster. What that costs: a system is served by one shard and can be no faster than
it; a cluster gives it a replica to fail over to, and room for other systems. Those have other tags, from the number of
their database: a cluster has no databases, so `redis://…/7` stands for the tag `{7}` there, and numbers fall on shards
as they may.

Rejected:

* Spreading one system, a match a slot, visits and requests in others: the writer's step (request deleted, command
  carried out, answer published) would fall apart into steps between which it can die.
* redis-py's RedisCluster: it repeats commands whose answer was lost, and `common.store.connections` must not.
* Following MOVED within a call, or ASK. Who is told MOVED is told that the store is not available, as in any outage;
  the next call goes to the new owner. While a slot is moved by hand, its keys are on two servers, and some calls fail.

After a failover, what the old master had acknowledged and not yet replicated is lost: replication in Redis Cluster is
asynchronous. The server named by the URL must be there when a node starts; later any server of the cluster will do.
Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, RedisError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from common.store.connection import Argument, ClusterServer, RedisConnection

_HOPS: Final = 4
"""How many servers are asked, each named by the one before. Two are enough as long as they agree."""

_UNKNOWN_HOSTS: Final = (None, b"", b"?")
"""What a server calls itself as long as it does not know by which address it is reached."""


class Shard:
    """Where the slot of `tag` is served in the cluster that the server `seed` belongs to.

    `connection_to` makes a connection to a server, not made yet.
    """

    def __init__(
        self, connection_to: Callable[[ClusterServer], RedisConnection], seed: ClusterServer, tag: str
    ) -> None:
        self._connection_to = connection_to
        self._servers = [seed]
        self._slot = key_slot(tag.encode())

    def connection(self) -> ShardConnection:
        """Return a new connection to whoever serves the slot by the time it is made."""
        return ShardConnection(self)

    async def connect(self) -> RedisConnection:
        """Return a connection, made, to a server that says itself that it is the slot's master.

        Raise RedisError or OSError if none of the servers that are known leads to it.
        """
        failure: Exception | None = None
        for server in tuple(self._servers):
            self._servers = [
                *(other for other in self._servers if other != server),
                server,
            ]  # last, if it leads nowhere
            try:
                return await self._follow(server)
            except (RedisError, OSError) as error:
                failure = error
        assert failure is not None  # noqa: S101  # there is at least the seed
        raise failure

    async def _follow(self, server: ClusterServer) -> RedisConnection:
        """Go from a server to the one that it names; what one says of another may be out of date."""
        for _ in range(_HOPS):
            connection = self._connection_to(server)
            try:
                await connection.connect()
                ranges = await _ask(connection)
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            owner = owner_of(self._slot, ranges, server)
            if owner == server:
                self._servers = [server, *(other for other in servers(ranges, server) if other != server)]
                return connection
            await connection.disconnect(nowait=True)
            if owner is None:
                raise RedisConnectionError(f"no server of the cluster has slot {self._slot}")
            server = owner
        raise RedisConnectionError(f"the servers of the cluster do not agree on who has slot {self._slot}")


async def _ask(connection: RedisConnection) -> list[Any]:
    await connection.send_packed_command(connection.pack_commands([("CLUSTER", "SLOTS")]))
    ranges: list[Any] = await connection.read_response()
    return ranges


class ShardConnection:
    """A `RedisConnection` to a shard, wherever it is; made anew when that has moved."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._made: RedisConnection | None = None
        self._is_misled = False

    @property
    def is_connected(self) -> bool:
        """Whether it is made, and the shard is still where it leads, as far as is known."""
        return self._made is not None and self._made.is_connected and not self._is_misled

    async def connect(self) -> None:
        """Find the shard's owner and connect to it."""
        await self.disconnect(nowait=True)
        self._made = await self._shard.connect()
        self._is_misled = False

    async def disconnect(self, nowait: bool = False) -> None:
        """Close it; with `nowait` without waiting until it is closed."""
        if self._made is not None:
            await self._made.disconnect(nowait=nowait)

    async def can_read(self) -> bool:
        """Return whether there is something to read, an end of the stream included."""
        return await self._connected().can_read()

    def pack_commands(self, commands: Iterable[Iterable[Argument]]) -> list[bytes]:
        """Return commands as they go over the wire."""
        return self._connected().pack_commands(commands)

    async def send_packed_command(self, command: Iterable[bytes]) -> None:
        """Write; wait while too much is unsent."""
        await self._connected().send_packed_command(command)

    async def read_response(self) -> Any:
        """Return the next answer. Raise RedisError; after a MovedError the connection counts as not made."""
        try:
            return await self._connected().read_response()
        except MovedError:
            self._is_misled = True  # the answers behind this one are read all the same
            raise

    def _connected(self) -> RedisConnection:
        if self._made is None:
            raise RedisConnectionError("not connected")
        return self._made


def servers(ranges: list[Any], asked: ClusterServer) -> list[ClusterServer]:
    """Return all servers in an answer of `asked` to CLUSTER SLOTS, each once, masters and replicas."""
    return list(dict.fromkeys(_server(entry, asked) for _, _, *entries in ranges for entry in entries))


def owner_of(slot: int, ranges: list[Any], asked: ClusterServer) -> ClusterServer | None:
    """Return the master of a slot by an answer of `asked` to CLUSTER SLOTS; None if the slot has none."""
    for first, last, master, *_ in ranges:
        if first <= slot <= last:
            return _server(master, asked)
    return None


def _server(entry: list[Any], asked: ClusterServer) -> ClusterServer:
    host, port, *_ = entry
    return (asked[0] if host in _UNKNOWN_HOSTS else host.decode(), port)

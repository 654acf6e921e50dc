"""A connection to Redis in pub/sub mode, as a process that reads it and makes it anew whenever it breaks.

It is a process of its own, linked to the one it reads for, because to read is to wait, and its owner has a mailbox to
see to. All it knows it tells its owner, in the order in which it happened: `Connected`, what Redis says, `Lost`, and
again.

A network that is cut off does not say so: what was sent is waited for in silence. So a PING goes out every second, and
two seconds in which nothing at all is heard end the connection. They are counted in turns of this process and not read
off a clock, so that a node that was too busy to listen does not take its own deafness for Redis's silence.

In a Redis Cluster the connection leads to the shard of the system, and the channels are sharded ones; their names have
the system's tag on the wire only. A server that gives the shard up ends the subscriptions unasked; then the connection
counts as lost, and the next one leads to where the shard is now.

redis-py has a `PubSub` of its own; it reconnects inside a read without saying that messages may have been missed, which
is the one thing that a subscriber must know.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from common.otp import GenServer

if TYPE_CHECKING:
    from common.otp import Process
    from common.store.endpoint import Argument, Connection, Endpoint

CONNECT_S = 2.0
"""How long making a connection may take, the first answer included."""
PING_S = 1.0
SILENT_PINGS = 2
"""After how many PINGs in a row without a sound the connection counts as dead."""
RETRY_S = 0.2
"""The pause between two attempts to connect."""

_START = "start"

Outbox = asyncio.Queue[tuple[str, ...]]
"""Commands to be sent over one connection; when that is lost, so are they."""


@dataclass(frozen=True, slots=True)
class Published:
    """Something was published on a channel."""

    channel: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Subscribed:
    """To the owner: Redis has answered one SUBSCRIBE for this channel; from here on nothing is missed."""

    channel: str


@dataclass(frozen=True, slots=True)
class Connected:
    """To the owner: there is a connection, with no subscription yet. What is to be sent over it goes into `outbox`."""

    outbox: Outbox


@dataclass(frozen=True, slots=True)
class Lost:
    """To the owner: there is no connection, `why` in words."""

    why: str


class PubSub(GenServer):
    """Reads what Redis publishes, for as long as its owner lives."""

    def __init__(self, endpoint: Endpoint, owner: Process) -> None:
        self._endpoint = endpoint
        self._owner = owner
        self._tag = endpoint.tag
        self._heard = False
        self._leaving: Counter[str] = Counter()

    async def init(self) -> None:
        """Begin."""
        self.process.send(_START)

    async def handle_info(self, message: Any) -> None:
        """Read for ever: an exit signal ends it."""
        del message  # there is only one
        while True:
            await self._connect_and_read()
            await asyncio.sleep(RETRY_S)

    async def _connect_and_read(self) -> None:
        connection = self._endpoint.connection()
        try:
            async with asyncio.timeout(CONNECT_S):
                await connection.connect()
                await _send(connection, ("PING",))  # one that loads its data says so here, not to each SUBSCRIBE
                await connection.read_response()
            outbox: Outbox = asyncio.Queue()
            self._leaving.clear()
            self._owner.send(Connected(outbox))
            async with asyncio.TaskGroup() as group:
                for each in (self._write(connection, outbox), self._ping(outbox)):
                    group.create_task(each, name=self.process.name)
                await self._read(connection)
        except* (RedisError, OSError) as errors:  # asyncio's TimeoutError is an OSError
            self._owner.send(Lost(self._endpoint.explain(_first(errors))))
        finally:
            await connection.disconnect(nowait=True)

    async def _read(self, connection: Connection) -> None:
        while True:
            heard = await connection.read_response()
            self._heard = True
            if not isinstance(heard, list):  # the answer to a PING while nothing is subscribed
                continue
            kind, channel, *rest = heard
            name = channel.decode().removeprefix(self._tag)
            if kind in {b"message", b"smessage"}:
                self._owner.send(Published(name, rest[0]))
            elif kind in {b"subscribe", b"ssubscribe"}:
                self._owner.send(Subscribed(name))
            elif kind in {b"unsubscribe", b"sunsubscribe"}:
                self._take_leave(name)

    def _take_leave(self, name: str) -> None:
        """Take note that a subscription has ended. Raise RedisConnectionError if nobody had asked for that."""
        if not self._leaving[name]:
            raise RedisConnectionError("it has given up the shard")
        self._leaving[name] -= 1
        if not self._leaving[name]:
            del self._leaving[name]

    async def _write(self, connection: Connection, outbox: Outbox) -> None:
        while True:
            await _send(connection, self._as_sent(*await outbox.get()))

    def _as_sent(self, command: str, *channels: str) -> tuple[Argument, ...]:
        if command == "UNSUBSCRIBE":
            self._leaving.update(channels)
        sharded = "S" if self._tag and channels else ""
        return (sharded + command, *(self._tag + channel for channel in channels))

    async def _ping(self, outbox: Outbox) -> None:
        silent = 0
        while silent < SILENT_PINGS:
            self._heard = False
            outbox.put_nowait(("PING",))
            await asyncio.sleep(PING_S)
            silent = 0 if self._heard else silent + 1
        raise TimeoutError(f"nothing was heard for {SILENT_PINGS * PING_S:g} s")


async def _send(connection: Connection, command: tuple[Argument, ...]) -> None:
    await connection.send_packed_command(connection.pack_commands([command]))


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, Exception)  # noqa: S101  # what `except*` caught
    return first

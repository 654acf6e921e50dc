"""Who serves from a Redis: every server has a connection there that carries its name, for as long as it runs.

A server that does not follow what others write to the same database would leave its fans in the dark about it, and is
not to start beside another. Redis's own list of clients (CLIENT SETNAME, CLIENT LIST) tells who is there: it needs no
key that a server which was killed would leave behind, since its connection ends with it. Who starts gives its name
first and looks then, so of two that start together at least one sees the other. What tells of a host that lost its
power is only that nothing comes from it any more; so a connection asks something every second, and one that was silent
for IDLE_S is not counted. It asks for a key: a server that has given up the system's shard says so then.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoPermissionError, RedisError, ResponseError

from common.store.endpoint import RedisEndpoint
from common.store.errors import StoreUnavailableError
from common.store.keys import LIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from common.store.connection import Argument

ASK_S: Final = 1.0
"""How often the connection is used."""
IDLE_S: Final = 10
"""How long a connection may be silent whose server is taken to be alive."""

_TIMEOUT_S: Final = 2.0
_PREFIX: Final = "matchstream"


@dataclass(frozen=True, slots=True)
class ServerName:
    """What a server is called among the clients of Redis; `follows` if it follows what others write."""

    follows: bool
    host: str
    pid: int
    system: str
    """What its keys begin with (`common.store.keys`): a cluster has no databases."""
    start: str
    """Different each time, also where hosts and process ids are the same, as in containers."""

    def __str__(self) -> str:
        """Return it as one word, as Redis wants it."""
        follows = "follows" if self.follows else "alone"
        return f"{_PREFIX}:{follows}:{self.host}:{self.pid}:{self.system}:{self.start}"


class PresenceUnknownError(Exception):
    """Redis does not let this user name its connections, or list them."""


class SharedRedisError(Exception):
    """Another server serves from the same database, and one of the two does not follow the other."""


class Presence:
    """The connection by which a server is there, and sees who else is; made anew by each `announce`.

    Raise RedisUrlError if `url` cannot be read.
    """

    def __init__(self, url: str, *, follows: bool) -> None:
        self._endpoint = RedisEndpoint(url, _TIMEOUT_S)
        self._name = ServerName(follows, socket.gethostname(), os.getpid(), self._endpoint.tag, secrets.token_hex(8))
        self._connection = self._endpoint.connection()

    @property
    def address(self) -> str:
        """Where Redis is, for people."""
        return self._endpoint.address

    async def announce(self) -> None:
        """Give Redis the server's name, then look who else is there.

        Raise SharedRedisError if another server is there that must not be; PresenceUnknownError; both while this one
        is there all the same. Raise StoreUnavailableError.
        """
        await self.close()
        await self._make()
        try:
            await self._ask("PING")  # one that loads its data says so
            await self._ask("CLIENT", "SETNAME", str(self._name))
            listed: bytes = await self._ask("CLIENT", "LIST")
        except ResponseError as error:
            raise PresenceUnknownError(
                f"whether another server uses the Redis at {self.address} cannot be known, since this user may not ask "
                f"({' '.join(str(error).split())}): allow it CLIENT SETNAME and CLIENT LIST"
            ) from None
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(self._endpoint.explain(error)) from None
        other = next(_others(listed.decode(errors="replace"), self._name), None)
        if other is not None:
            raise SharedRedisError(
                f"another server, process {other.pid} on {other.host}, uses this database of Redis at {self.address}, "
                "and the fans of one would not hear of what is posted to the other: give this one a database of its "
                "own, as in redis://HOST:PORT/1, or serve stage 3 on both"
            )

    async def lost(self) -> None:
        """Return when the connection has broken, or Redis is silent, or another serves in its place."""
        try:
            while True:
                await asyncio.sleep(ASK_S)
                with suppress(NoPermissionError):  # an answer as well
                    await self._ask("EXISTS", self._endpoint.tag + LIVE)
        except (RedisError, OSError):  # asyncio's TimeoutError is an OSError
            await self.close()

    async def close(self) -> None:
        """Close the connection, so that the server is there no more."""
        await self._connection.disconnect(nowait=True)

    async def _make(self) -> None:
        self._connection = self._endpoint.connection()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._connection.connect()
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(self._endpoint.explain(error)) from None

    async def _ask(self, *command: Argument) -> Any:
        async with asyncio.timeout(_TIMEOUT_S):
            await self._connection.send_packed_command(self._connection.pack_commands([command]))
            return await self._connection.read_response()


def _others(listed: str, name: ServerName) -> Iterator[ServerName]:
    """Return who is in an answer to CLIENT LIST beside `name`, and must not be, on the same database."""
    clients = [dict(_fields(line)) for line in listed.splitlines()]
    own = next((client for client in clients if client.get("name") == str(name)), {})
    for client in clients:
        other = _parse(client)
        if (
            other is not None
            and other.start != name.start
            and (client.get("db"), other.system) == (own.get("db"), name.system)
            and int(client.get("idle", "0")) < IDLE_S
            and not (other.follows and name.follows)
        ):
            yield other


def _fields(line: str) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, _, value in (field.partition("=") for field in line.split(" ")))


def _parse(client: Mapping[str, str]) -> ServerName | None:
    """Return the name of a server; None if it is none."""
    match client.get("name", "").split(":"):
        case [prefix, follows, host, pid, system, start] if prefix == _PREFIX and pid.isdecimal():
            return ServerName(follows == "follows", host, int(pid), system, start)
        case _:
            return None

"""A fixed number of connections to one Redis, and the answers that come over them.

What it must guarantee:

* Never more connections than allowed: how many there are is one of the things that are measured. Callers beyond that
  wait, first come first served.
* An answer reaches the call that asked for it: a connection whose exchange did not end well (time-out, cancellation,
  anything) is closed, since its answer may still arrive and must not be taken for the next one's.
* No command is sent twice. When a connection breaks after a command was written, Redis may or may not have carried it
  out; sending it again might do it twice. The caller is told and decides. (A connection that broke *before* anything
  was written is made anew: that is safe, and that is how the service resumes when Redis is back.)
* One deadline a call, waiting for a free connection included, so that a Redis which hangs cannot pile up callers.

It uses redis-py's `Connection` (sockets, log-in, TLS, hiredis) and not its client, whose pool, retries and metrics cost
as much again as the exchange itself.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import ConnectionPool
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from common.store.errors import RedisUrlError, StoreUnavailableError

Argument = str | bytes | int

_URL_FORMS = "write redis://[USER:PASSWORD@]HOST:PORT/DB, rediss://… for TLS, or unix:///PATH"


@dataclass(frozen=True)
class ConnectionStatistics:
    """What a `Connections` has and has done: counts, all of them now or since it was made."""

    limit: int
    opened: int
    busy: int
    calls: int
    failures: int


class _Connection(Protocol):
    """What is used of redis-py's connections, which have no type annotations of their own."""

    @property
    def is_connected(self) -> bool: ...

    async def connect(self) -> None: ...

    async def disconnect(self, nowait: bool = False) -> None: ...

    async def can_read(self) -> bool: ...

    def pack_commands(self, commands: Iterable[Iterable[Argument]]) -> list[bytes]: ...

    async def send_packed_command(self, command: Iterable[bytes]) -> None: ...

    async def read_response(self) -> Any: ...


class Connections:
    """At most `limit` connections to the Redis at `url`, opened when first needed.

    Times are seconds: `connect_timeout` bounds making a connection, `command_timeout` a whole call. Nothing is sent
    before the first call. Raise RedisUrlError if `url` cannot be read, ValueError if `limit` is below 1.
    """

    def __init__(self, url: str, limit: int, connect_timeout: float, command_timeout: float) -> None:
        if limit < 1:
            raise ValueError(f"{limit} connections to Redis are not enough: allow at least 1")
        factory = _factory(url, connect_timeout)
        self._make_connection: Callable[[], _Connection] = factory.make_connection
        self._options: Mapping[str, Any] = factory.connection_kwargs
        self._limit = limit
        self._command_timeout = command_timeout
        self._free = asyncio.Semaphore(limit)
        # Last in, first out: a few warm connections serve a light load, and the others are never opened.
        self._idle: list[_Connection] = []
        self._opened = self._busy = self._calls = self._failures = 0
        self._closed = False

    @property
    def address(self) -> str:
        """Where Redis is: `HOST:PORT` or the path of its socket, never with a password."""
        if "path" in self._options:
            return str(self._options["path"])
        return f"{self._options.get('host', 'localhost')}:{self._options.get('port', 6379)}"

    async def call(self, *command: Argument) -> Any:
        """Send one command and return Redis's answer. Raise StoreUnavailableError, which also stands for a refusal."""
        (answer,) = await self.call_all((command,))
        return answer

    async def call_all(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send commands in one go and return their answers, in order; they are not one transaction.

        Raise StoreUnavailableError if any is refused or unanswered; the others may have been carried out.
        """
        self._calls += 1
        try:
            # Not redis-py's own time-outs: it would set two a command, and on Python 3.11 each write's costs a task.
            async with asyncio.timeout(self._command_timeout), self._free:
                answers = await self._exchange(commands)
        except TimeoutError:
            self._failures += 1
            raise StoreUnavailableError(
                f"Redis at {self.address} did not answer within {self._command_timeout:g} s: "
                "check that it runs and is not overloaded"
            ) from None
        except (RedisError, OSError) as error:
            self._failures += 1
            raise StoreUnavailableError(self._explain(error)) from None
        for answer in answers:
            if isinstance(answer, ResponseError):
                self._failures += 1
                raise StoreUnavailableError(self._explain(answer)) from None
        return answers

    async def _exchange(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        if self._closed:
            raise RedisConnectionError("closed by this program")
        connection = self._idle.pop() if self._idle else self._make_connection()
        self._busy += 1
        try:
            await self._make_ready(connection)
            await connection.send_packed_command(connection.pack_commands(commands))
            answers = [await _answer(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            self._busy -= 1
        if self._closed:
            await connection.disconnect()
        else:
            self._idle.append(connection)
        return answers

    async def _make_ready(self, connection: _Connection) -> None:
        # While it was idle nothing can have come but the end: Redis stopped, or closed what was not used for long.
        if connection.is_connected and await connection.can_read():
            await connection.disconnect(nowait=True)
        if not connection.is_connected:
            await connection.connect()
            self._opened += 1

    def _explain(self, error: Exception) -> str:
        # The error itself is not chained to what is raised: a traceback would show what is left out here.
        text = " ".join(str(error).split())
        if password := self._options.get("password"):  # Redis repeats the arguments of a command that it does not know
            text = text.replace(password, "***")
        if isinstance(error, (AuthenticationError, NoPermissionError)):
            return f"Redis at {self.address} refuses this user ({text}): put the right name and password into its URL"
        if isinstance(error, ResponseError):
            return f"Redis at {self.address} refused a command ({text}): look at that server, then try again"
        return f"Redis at {self.address} cannot be reached ({text}): check its address and that it runs"

    async def close(self) -> None:
        """Close the connections; those in use close when their call ends. Later calls fail."""
        self._closed = True
        while self._idle:
            await self._idle.pop().disconnect()

    def statistics(self) -> ConnectionStatistics:
        """Return the counts as they are now."""
        return ConnectionStatistics(self._limit, self._opened, self._busy, self._calls, self._failures)


async def _answer(connection: _Connection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:  # an answer like any other: those after it must be read all the same
        return refusal


def _factory(url: str, connect_timeout: float) -> ConnectionPool:
    """Return what makes connections (redis-py's pool is used for nothing else). Raise RedisUrlError.

    redis-py passes over what it does not understand, and would then talk to a Redis that nobody named; hence the
    checks. Messages repeat nothing of the URL: where it is wrong it may hold the password in any place.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            understood = parts.path not in {"", "/"} and not parts.hostname
        else:
            understood = parts.port != 0 and (parts.path.removeprefix("/") or "0").isdecimal()
        if not understood or not all(_is_url_option(name) for name in parse_qs(parts.query)):
            raise RedisUrlError(f"the URL of Redis cannot be understood: {_URL_FORMS}")
        factory = ConnectionPool.from_url(
            url,
            protocol=2,  # nothing is pushed between the answers, and a connection needs no greeting
            socket_timeout=None,
            socket_connect_timeout=connect_timeout,
        )
        make: Callable[[], object] = factory.make_connection
        make()  # connects nothing yet, but looks at the options
    except (ValueError, TypeError, RedisError):
        raise RedisUrlError(f"the URL of Redis cannot be understood: {_URL_FORMS}") from None
    return factory


def _is_url_option(name: str) -> bool:
    # Any other would change how this module talks to Redis, for example have it decode what it reads.
    return name in {"db", "username", "password"} or name.startswith("ssl_")

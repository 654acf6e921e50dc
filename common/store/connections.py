"""A fixed number of connections to one Redis, and the answers that come over them.

What it must guarantee:

* Never more connections than allowed: how many there are is one of the things that are measured. Callers beyond that
  wait, first come first served.
* An answer reaches the call that asked for it: a connection whose exchange did not end well (time-out, cancellation,
  anything) is closed, since its answer may still arrive and must not be taken for the next one's.
* No command is sent twice. When a connection breaks after a command was written, Redis may or may not have carried it
  out; sending it again might do it twice. The caller is told that (UnknownOutcomeError) and decides. To close the
  connection takes nothing back: a Redis that was stopped reads what the kernel has for it when it goes on. So what must
  not be done late has to say itself until when it may be (`common.store.redis_store`). (A connection that broke
  *before* anything was written is made anew: that is safe, and that is how the service resumes when Redis is back.)
* One deadline a call, waiting for a free connection included, so that a Redis which hangs cannot pile up callers.

It uses redis-py's `Connection` (sockets, log-in, TLS, hiredis) and not its client, whose pool, retries and metrics cost
as much again as the exchange itself.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from common.store.connection import Argument, RedisConnection
from common.store.endpoint import RedisEndpoint
from common.store.errors import StoreUnavailableError, UnknownOutcomeError, WrongTypeError


@dataclass(frozen=True)
class ConnectionStatistics:
    """What a `Connections` has and has done: counts, all of them now or since it was made."""

    limit: int
    opened: int
    busy: int
    calls: int
    failures: int


class Redis(Protocol):
    """What a store needs of a way to Redis; `Connections` is the direct one."""

    async def call(self, *command: Argument) -> Any:
        """Have one command carried out and return Redis's answer. Raise StoreUnavailableError."""
        ...

    async def call_all(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Have commands carried out in order and return their answers. Raise StoreUnavailableError."""
        ...


class Connections:
    """At most `limit` connections to the Redis at `url`, opened when first needed.

    Times are seconds: `connect_timeout` bounds making a connection, `command_timeout` a whole call. Nothing is sent
    before the first call. Raise RedisUrlError if `url` cannot be read, ValueError if `limit` is below 1.
    """

    def __init__(self, url: str, limit: int, connect_timeout: float, command_timeout: float) -> None:
        if limit < 1:
            raise ValueError(f"{limit} connections to Redis are not enough: allow at least 1")
        self._endpoint = RedisEndpoint(url, connect_timeout)
        self._limit = limit
        self._command_timeout = command_timeout
        self._free = asyncio.Semaphore(limit)
        # Last in, first out: a few warm connections serve a light load, and the others are never opened.
        self._idle: list[RedisConnection] = []
        self._opened = self._busy = self._calls = self._failures = 0
        self._closed = False

    @property
    def address(self) -> str:
        """Where Redis is: `HOST:PORT` or the path of its socket, never with a password."""
        return self._endpoint.address

    @property
    def tag(self) -> str:
        """What all keys and channels must begin with; empty but in a cluster."""
        return self._endpoint.tag

    async def call(self, *command: Argument) -> Any:
        """Send one command and return Redis's answer. Raise StoreUnavailableError, which also stands for a refusal."""
        (answer,) = await self.call_all((command,))
        return answer

    async def call_all(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send commands in one go and return their answers, in order; they are not one transaction.

        Raise StoreUnavailableError if any is refused, UnknownOutcomeError if the others may have been carried out.
        """
        answers = await self.answers(commands)
        if refusal := refusal_in(answers):
            raise refusal
        return answers

    async def answers(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Do as `call_all`, but where a command is refused return the StoreUnavailableError in its answer's place.

        Raise StoreUnavailableError if nothing could be sent, UnknownOutcomeError if any is unanswered.
        """
        self._calls += 1
        error_type = StoreUnavailableError
        try:
            # Not redis-py's own time-outs: it would set two a command, and on Python 3.11 each write's costs a task.
            async with asyncio.timeout(self._command_timeout), self._free:
                connection = await self._take()
                error_type = UnknownOutcomeError
                answers = await self._exchange(connection, commands)
        except TimeoutError:
            self._failures += 1
            raise error_type(
                f"Redis at {self.address} did not answer within {self._command_timeout:g} s: "
                "check that it runs and is not overloaded"
            ) from None
        except (RedisError, OSError) as error:
            self._failures += 1
            raise error_type(self._endpoint.explain(error)) from None
        return [self._refusal(answer) if isinstance(answer, ResponseError) else answer for answer in answers]

    def _refusal(self, answer: ResponseError) -> StoreUnavailableError:
        self._failures += 1
        kind = WrongTypeError if str(answer).startswith(WrongTypeError.SAYS) else StoreUnavailableError
        return kind(self._endpoint.explain(answer))

    async def _take(self) -> RedisConnection:
        """Return a connection that is made; nothing was sent over it yet."""
        if self._closed:
            raise RedisConnectionError("closed by this program")
        connection = self._idle.pop() if self._idle else self._endpoint.connection()
        try:
            # While it was idle nothing can have come but the end: Redis stopped, or closed what was not used for long.
            if connection.is_connected and await connection.can_read():
                await connection.disconnect(nowait=True)
            if not connection.is_connected:
                await connection.connect()
                self._opened += 1
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _exchange(self, connection: RedisConnection, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        self._busy += 1
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            answers = [await _answer(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            self._busy -= 1
        if self._closed:
            await _closed(connection)
        else:
            self._idle.append(connection)
        return answers

    async def close(self) -> None:
        """Close the connections; those in use close when their call ends. Later calls fail."""
        self._closed = True
        while self._idle:
            await _closed(self._idle.pop())

    def statistics(self) -> ConnectionStatistics:
        """Return the counts as they are now."""
        return ConnectionStatistics(self._limit, self._opened, self._busy, self._calls, self._failures)


def refusal_in(answers: Sequence[Any]) -> StoreUnavailableError | None:
    """Return what to say of answers of which some are a StoreUnavailableError: of some only, that others may count."""
    refusals = [answer for answer in answers if isinstance(answer, StoreUnavailableError)]
    if not refusals:
        return None
    return refusals[0] if len(refusals) == len(answers) else UnknownOutcomeError(str(refusals[0]))


async def _closed(connection: RedisConnection) -> None:
    """Close a connection; if that takes long, it goes on by itself, and is nobody's failure."""
    with suppress(RedisError, OSError):
        await connection.disconnect()


async def _answer(connection: RedisConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:  # an answer like any other: those after it must be read all the same
        return refusal

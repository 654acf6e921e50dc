"""Stands between a client and Redis, and has the connection break at a chosen command, or fall silent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Self

import hiredis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType


class Fate(Enum):
    """What becomes of a command: it passes; it never gets to Redis; it does, but its answer does not come back."""

    PASS = "pass"  # noqa: S105  # no password
    LOSE_COMMAND = "lose the command"
    LOSE_ANSWER = "lose the answer"


class Proxy:
    """Relays commands to the Redis at `target` (`unix://…`) one by one, as `decide` says. Not for pub/sub."""

    def __init__(self, directory: Path, target: str, decide: Callable[[list[bytes]], Fate]) -> None:
        self._path = directory / "proxy.sock"
        self._target = target.removeprefix("unix://")
        self._decide = decide
        self._relays: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"unix://{self._path}"

    def fall_silent(self) -> None:
        """Pass nothing on, in neither direction, and close nothing."""
        self._open.clear()

    def resume(self) -> None:
        """Go on after `fall_silent`."""
        self._open.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, self._path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        if self._relays:
            await asyncio.wait(self._relays)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.create_task(self._relay(reader, writer), name="relay")
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_redis, to_redis = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.close()
            return
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while command := await _command(reader):
                    await self._open.wait()
                    fate = self._decide(command)
                    if fate is Fate.LOSE_COMMAND:
                        break
                    to_redis.write(_packed(command))
                    answer = await _answer(from_redis)
                    await self._open.wait()
                    if fate is Fate.LOSE_ANSWER:
                        break
                    writer.write(answer)
        finally:
            for each in (to_redis, writer):
                each.close()


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readline())[1:] or 0)
    return [(await reader.readexactly(int((await reader.readline())[1:]) + 2))[:-2] for _ in range(count)]


def _packed(command: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in command)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    parser, answer = hiredis.Reader(), b""
    while parser.gets() is False:
        part = await reader.read(65536)
        if not part:
            raise ConnectionError
        parser.feed(part)
        answer += part
    return answer

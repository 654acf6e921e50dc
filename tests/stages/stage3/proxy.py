"""Stands between a client and Redis, and has the connection break at a chosen command, or fall silent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING

import hiredis

from tests.stages.stage3.relaying import Relaying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Fate(Enum):
    """What becomes of a command: it passes; it never gets to Redis; it does, but its answer does not come back."""

    PASS = "pass"  # noqa: S105  # no password
    LOSE_COMMAND = "lose the command"
    LOSE_ANSWER = "lose the answer"


class Proxy(Relaying):
    """Relays commands to the Redis at `target` (`unix://…`) one by one, as `decide` says. Not for pub/sub."""

    def __init__(self, directory: Path, target: str, decide: Callable[[list[bytes]], Fate]) -> None:
        super().__init__()
        self._path = directory / "proxy.sock"
        self._target = target.removeprefix("unix://")
        self._decide = decide
        self._open = asyncio.Event()
        self._open.set()

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

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self.accept, self._path)

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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

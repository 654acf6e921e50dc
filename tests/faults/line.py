"""The line between a host and Redis, which can be cut: what is sent meanwhile comes late, as TCP has it, or never."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.stages.stage3.relaying import Relaying

if TYPE_CHECKING:
    from pathlib import Path

_BUFFER = 65536


class Line(Relaying):
    """Relays connections to the Unix socket at `target`."""

    def __init__(self, target: Path) -> None:
        super().__init__()
        self._target = target
        self._open = asyncio.Event()
        self._open.set()

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 to connect to."""
        assert self.server is not None
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Carry nothing, in neither direction, and tell nobody; not even that one of the ends closed."""
        self._open.clear()

    def join(self) -> None:
        """Go on after `cut`."""
        self._open.set()

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self.accept, "127.0.0.1", 0)

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            from_redis, to_redis = await asyncio.open_unix_connection(self._target)
        except OSError:  # Redis is away; the client is told so
            writer.close()
            return
        ways = [
            asyncio.create_task(self._carry(*way), name="way") for way in ((reader, to_redis), (from_redis, writer))
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await self._open.wait()
        finally:
            for way in ways:
                way.cancel()
            for each in (to_redis, writer):
                each.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(_BUFFER):
                await self._open.wait()
                writer.write(data)
                await writer.drain()

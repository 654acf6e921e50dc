"""What stands between a client and a server in tests: a listener, and a task for each connection that it relays."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Relaying(ABC):
    """Listens while it is entered; at the end every connection that it relays is broken off."""

    def __init__(self) -> None:
        self.server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def listen(self) -> asyncio.Server:
        """Start to listen, with `accept` for each connection."""

    @abstractmethod
    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until one of its ends closes it."""

    async def __aenter__(self) -> Self:
        self.server = await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.server is not None
        self.server.close()
        for relay in self._relays:
            relay.cancel()
        if self._relays:
            await asyncio.wait(self._relays)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Have a connection relayed by a task of its own."""
        relay = asyncio.create_task(self.relay(reader, writer), name="relay")
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

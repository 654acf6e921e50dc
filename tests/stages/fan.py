"""A fan for tests: it keeps all that it hears, as bytes and as what they mean."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from common.wire.reader import ErrorLine, Frame, FrameReader, GoodbyeLine, Heard
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from types import TracebackType

    from common.domain.events import Detail


class Fan:
    """One connection; an async context manager that connects and, at its end, leaves. No wait goes past DEADLINE_S."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._frames = FrameReader()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self.raw = b""
        self.heard: list[Heard] = []
        self.closed = False

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(DEADLINE_S):
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def frames(self) -> list[Frame]:
        """The status and the events."""
        return [element for element in self.heard if isinstance(element, Frame)]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the frames."""
        return [frame.kind for frame in self.frames]

    @property
    def errors(self) -> list[str]:
        """The messages of the ERROR lines."""
        return [element.message for element in self.heard if isinstance(element, ErrorLine)]

    @property
    def goodbyes(self) -> list[str]:
        """The messages of the GOODBYE lines."""
        return [element.message for element in self.heard if isinstance(element, GoodbyeLine)]

    def told(self, key: str = "comment") -> list[Detail]:
        """Return the detail `key` of every frame that has it, in order."""
        return [frame.details[key] for frame in self.frames if key in frame.details]

    async def welcome(self) -> None:
        """Hear the welcome; then the connection is accepted and waits in no queue."""
        await self.read_until(lambda: len(self.heard) >= 2)

    async def greet(self, user: str, match_id: str | None = None, end: str = "\n") -> None:
        """Say who wants to watch what; `match_id` None is the current match."""
        line = f"V:2:{user}" if match_id is None else f"VERSION:1:CONNECT:{user}:MATCH:{match_id}"
        await self.send(f"{line}{end}".encode())

    async def watch(self, user: str, match_id: str | None = None) -> None:
        """Greet, and hear the status."""
        await self.greet(user, match_id)
        await self.read_until(lambda: bool(self.frames))

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            await self._writer.drain()

    async def read_until(self, wanted: Callable[[], bool]) -> None:
        """Read until `wanted` holds of what was heard; fail if the server closes before that."""
        async with asyncio.timeout(DEADLINE_S):
            while not wanted():
                assert await self._read_some(), f"closed after {self.heard[-3:]}"

    async def read_events(self, count: int) -> None:
        """Read until as many events were heard after the status."""
        await self.read_until(lambda: len(self.frames) > count)

    async def read_to_end(self) -> None:
        """Read until the server closes; fail if it closes in the middle of something."""
        async with asyncio.timeout(DEADLINE_S):
            while await self._read_some():
                pass
        assert self._frames.pending == 0, f"cut off: {self.raw[-200:]!r}"

    async def read_to_loss(self) -> None:
        """Read until the connection ends, in whatever way and wherever in a message."""
        async with asyncio.timeout(DEADLINE_S):
            with suppress(ConnectionResetError):
                while await self._read_some():
                    pass

    def say_no_more(self) -> None:
        """Close this side of the connection, as `nc -N` when its input ends; the server may go on."""
        self._writer.write_eof()

    def leave(self) -> None:
        """Close, as a program that ends well."""
        self._writer.close()

    def reset(self) -> None:
        """Vanish, if the connection is still there: the server gets RST in place of FIN (socket(7), SO_LINGER of 0)."""
        found: socket.socket = self._writer.get_extra_info("socket")
        with suppress(OSError):  # it has ended already
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _read_some(self) -> bool:
        data = await self._reader.read(65536)
        self.raw += data
        self.heard += self._frames.feed(data)
        self.closed = not data
        return bool(data)


Connect = Callable[[], Fan]
"""Makes a fan who will connect at the next of a server's addresses."""

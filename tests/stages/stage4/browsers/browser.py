"""A browser for tests: it asks by HTTP, and keeps what it is answered."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_HEAD: Final = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]+\r\n((?:[^\r\n]+\r\n)*)\r\n", re.DOTALL)


class Browser:
    """One connection; an async context manager that connects and, at its end, leaves. No wait goes past DEADLINE_S."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self.raw = b""
        self.status = 0
        """0 until the head of the answer is complete."""
        self.headers: dict[str, str] = {}
        self.body = b""

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(DEADLINE_S):
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            await self._writer.drain()

    def say_no_more(self) -> None:
        """Close this side."""
        self._writer.write_eof()

    async def ask(self, path: str, headers: str = "") -> Self:
        """Ask for a path, and read the head of the answer."""
        await self.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n".encode())
        return await self.read_head()

    async def read_head(self) -> Self:
        """Read the head of the answer."""
        await self.read_until(lambda: bool(self.status))
        return self

    async def read_until(self, wanted: Callable[[], bool]) -> None:
        """Read until `wanted` holds; fail if the server closes before that."""
        async with asyncio.timeout(DEADLINE_S):
            while not wanted():
                assert await self._read_some(), f"closed after {self.raw[-300:]!r}"

    async def read_to_end(self) -> None:
        """Read until the server says no more."""
        async with asyncio.timeout(DEADLINE_S):
            while await self._read_some():
                pass

    @property
    def problem(self) -> str:
        """The line of a refusal; the answer has to be that alone."""
        assert self.headers["content-type"] == "application/json"
        assert self.headers["content-length"] == str(len(self.body))
        problem = json.loads(self.body)
        assert problem.pop("field") is None
        (line,) = problem.values()
        assert "\n" not in line
        return str(line)

    async def _read_some(self) -> bool:
        data = b""
        with suppress(ConnectionResetError):
            data = await self._reader.read(65536)
        self.raw += data
        if self.status:
            self.body += data
            return bool(data)
        found = _HEAD.match(self.raw)
        if found is not None:
            self.status = int(found[1])
            lines = (line.split(": ", 1) for line in found[2].decode().splitlines())
            self.headers = {name.lower(): value for name, value in lines}
            self.body = self.raw[found.end() :]
        return bool(data)


class Stream(Browser):
    """An EventSource."""

    async def watch(self, match_id: str, headers: str = "", query: str = "") -> Self:
        """Ask for a match, and read its head and the first message."""
        await self.ask(f"/1/match/{match_id}/stream{query}", headers)
        assert (self.status, self.headers["content-type"]) == (200, "text/event-stream")
        return self

    async def resume(self, match_id: str, place: str) -> Self:
        """Ask as a browser does that was cut off."""
        return await self.watch(match_id, f"Last-Event-ID: {place}\r\n")

    async def read_messages(self, count: int) -> None:
        """Read until as many messages are there."""
        await self.read_until(lambda: len(self.messages) >= count)

    @property
    def blocks(self) -> list[dict[str, str]]:
        """The blocks that are complete; the comments of one stand under no name."""
        return [
            dict(line.split(":", 1) for line in block.split("\n")) for block in self.body.decode().split("\n\n")[:-1]
        ]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages that have no type of their own, each of which has its place as the `id`."""
        found = [block for block in self.blocks if "data" in block and "event" not in block]
        messages = [json.loads(block["data"]) for block in found]
        assert [block["id"].strip() for block in found] == [message["id"] for message in messages]
        return messages

    @property
    def kinds(self) -> list[str]:
        """The kinds of the messages."""
        return [message["kind"] for message in self.messages]

    @property
    def comments(self) -> list[str]:
        """What is not for pages, in order."""
        return [block[""].strip() for block in self.blocks if "" in block]

    @property
    def last(self) -> tuple[str, str]:
        """The type of the last block, and the line that it has."""
        block = self.blocks[-1]
        return block["event"].strip(), json.loads(block["data"])["error"]

    def told(self) -> list[str]:
        """Return the comments of the events."""
        return [message["details"]["comment"] for message in self.messages if "comment" in message["details"]]

"""A client as strict as the tester that came with the original in 2011: it runs unchanged against every stage.

It reads line by line, waits for how the two lines of the welcome begin, and speaks after the second; each event ends
with an empty line. It was served correctly if it saw `stop`, or `status` before the server closed.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from tests.stages.game import Announce, Game
    from tests.stages.serving import ServerProcess

WELCOME = (b"Welcome to Match Stream.", b"To watch the current game use: V:2:<your-name>")
HEADER = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (\w+):\n")


async def watch(address: tuple[str, int], said: bytes, seen: asyncio.Queue[str]) -> None:
    """Watch to the end; `seen` gets the kind of each event when its empty line has come. Fail where it would."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for begins in WELCOME:
            assert (await reader.readline()).startswith(begins)
        writer.write(said)
        kind = b""
        while line := await reader.readline():
            header = HEADER.fullmatch(line)
            if header:
                assert not kind, "an event without an empty line at its end"
                kind = header[1]
            elif line == b"\r\n":
                seen.put_nowait(kind.decode())
                kind = b""
            else:
                assert kind, f"a line outside of events: {line!r}"
                assert line.startswith(b"\t")
        assert not kind, "closed in the middle of an event"
    finally:
        writer.close()


async def test_a_match_until_its_end(server: ServerProcess, game: Game) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()
    said = f"VERSION:1:CONNECT:tester:MATCH:{game.id}\r\n".encode()
    async with asyncio.timeout(DEADLINE_S):
        watching = asyncio.create_task(watch(next(server.fan_addresses()), said, seen), name="tester")
        assert await seen.get() == "status"
        for posted in (await game.goal(), await game.foul("hard"), await game.stop()):
            assert await seen.get() == posted.kind
        await watching
    assert seen.empty()


async def test_the_current_match(server: ServerProcess, game: Game) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(DEADLINE_S):
        watching = asyncio.create_task(watch(next(server.fan_addresses()), b"V:2:tester\r\n", seen), name="tester")
        assert await seen.get() == "status"
        await game.stop()
        assert await seen.get() == "stop"
        await watching


async def test_a_match_that_has_not_started(server: ServerProcess, announce: Announce) -> None:
    game = await announce("m")
    seen: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(DEADLINE_S):
        await watch(next(server.fan_addresses()), f"VERSION:1:CONNECT:tester:MATCH:{game.id}\r\n".encode(), seen)
    assert seen.get_nowait() == "status"
    assert seen.empty()

"""A match in the real `telnet` program."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.needs import needs
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from tests.stages.game import Game
    from tests.stages.serving import ServerProcess


@needs("telnet", "telnet")
async def test_telnet(server: ServerProcess, game: Game) -> None:
    host, port = next(server.fan_addresses())
    telnet = await asyncio.create_subprocess_exec(
        "telnet", host, str(port), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert telnet.stdin is not None
    assert telnet.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            await telnet.stdout.readuntil(b"Welcome to Match Stream.")
            await telnet.stdout.readuntil(b"V:2:")
            telnet.stdin.write(b"V:2:someone\n")  # sent as \r\n: RFC 854, "The NVT printer and keyboard"
            await telnet.stdout.readuntil(b": status:")
            await telnet.stdout.readuntil(f"home: {game.new.home}".encode())
            await telnet.stdout.readuntil(b"period: first")
            await game.goal()
            await telnet.stdout.readuntil(b": goal:")
            await telnet.stdout.readuntil("player: Ñandú (10) ".encode())
            await game.stop()
            await telnet.stdout.readuntil(b": stop:")
            await telnet.wait()
    finally:
        if telnet.returncode is None:
            telnet.kill()
            await telnet.wait()

"""A Redis that is further away: what passes is late, whole and in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from harness.targets.far_redis import FarRedis
from harness.targets.redis_proxy import Delay, Proxy
from tests.virtual_time import run_virtual

if TYPE_CHECKING:
    from pathlib import Path


class Written:
    """A transport that keeps what is written to it, and when."""

    def __init__(self) -> None:
        self.writes: list[tuple[float, bytes]] = []
        self.closed_s: float | None = None

    def write(self, data: bytes) -> None:
        self.writes.append((asyncio.get_running_loop().time(), data))

    def close(self) -> None:
        self.closed_s = asyncio.get_running_loop().time()


def test_everything_is_held_equally_long_and_in_order() -> None:
    async def main() -> None:
        now = asyncio.get_running_loop().time
        delay, to = Delay(0.5), Written()
        began_s = now()
        delay.pass_on(to, b"one")  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
        delay.pass_on(to, b"two")  # type: ignore[arg-type]
        delay.pass_on(to, b"")  # type: ignore[arg-type]
        await asyncio.sleep(5)
        assert [(round(at - began_s, 3), data) for at, data in to.writes] == [(0.5, b"one"), (0.7, b"two")]
        assert to.closed_s is not None
        assert round(to.closed_s - began_s, 3) == 0.7

    run_virtual(main())


def test_a_proxy_joins_both_ends_and_parts_them(tmp_path: Path) -> None:
    path = str(tmp_path / "echo")
    parted = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data.upper())
        writer.close()
        await writer.wait_closed()
        parted.set()

    async def main() -> None:
        async with await asyncio.start_unix_server(echo, path), Proxy(path, 0.02) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"PING"
            writer.close()
            await writer.wait_closed()
            await parted.wait()

    asyncio.run(main())


def test_a_far_redis_is_there_until_it_is_stopped() -> None:
    far = FarRedis.start(0.001)
    try:
        assert far.url.startswith("redis://127.0.0.1:")
        assert far.program.ended() is None
    finally:
        far.stop()

"""What tests of a proxy in front of a server need: ports to put it at, and somebody else to put it in front of."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Iterator

    from aiohttp.typedefs import Handler

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Front:
    """A proxy that serves: where fans connect, and the API."""

    fans: tuple[str, int]
    url: str
    pid: int


@contextmanager
def free_ports(count: int) -> Iterator[tuple[int, ...]]:
    """Hold ports: nobody is given one, nobody listens there, and who asks for it by number may (SO_REUSEADDR)."""
    held = [socket.socket() for _ in range(count)]
    try:
        for sock in held:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((HOST, 0))
        yield tuple(sock.getsockname()[1] for sock in held)
    finally:
        for sock in held:
            sock.close()


def serves(process: asyncio.subprocess.Process, port: int) -> bool:
    """Whether somebody accepts at a port; fail if the process that is to has ended."""
    assert process.returncode is None, "it ended; what it said is above, or in its log"
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0


@asynccontextmanager
async def api_that(handler: Handler) -> AsyncIterator[list[str]]:
    """Serve `handler` at every path, on two ports; give where that is."""
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(served)
    await runner.setup()
    try:
        for _ in range(2):
            await web.TCPSite(runner, HOST, 0).start()
        yield [f"{HOST}:{at[1]}" for at in runner.addresses]
    finally:
        await runner.cleanup()

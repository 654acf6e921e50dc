"""A server of a test: it runs on an event loop in a thread of its own, for as long as the block lasts."""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Final, Self

PATIENCE_S: Final = 60.0
TURNS: Final = 3
"""Of the loop, in which who was accepted gets a transport and is served."""


class LoopServer:
    """Runs `_run`, which listens with `_listen`, serves until `_is_over`, and then closes what it opened."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._listeners: list[socket.socket] = []
        self._over: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._begin()), name="server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_S)

    async def _begin(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        await self._run()

    async def _run(self) -> None:
        raise NotImplementedError

    def _listen(self) -> tuple[socket.socket, int]:
        """Return a socket that listens at a port of this machine, for the server that accepts there, and the port."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listeners.append(listener)
        return listener, int(listener.getsockname()[1])

    async def _is_over(self) -> None:
        """Serve until the block ends, and return when nobody is being accepted.

        asyncio gives who it accepted a transport one turn later. Where its server was closed in between that fails,
        silently, and leaves the connection to the garbage collector, whose warning then fails another test.
        """
        self._ready.set()
        await self._over.wait()
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
        for _ in range(TURNS):
            await asyncio.sleep(0)

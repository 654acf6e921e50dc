"""A server of a test: it runs on an event loop in a thread of its own, for as long as the block lasts."""

import asyncio
import threading
from types import TracebackType
from typing import Self

PATIENCE_S = 60.0


class LoopServer:
    """Runs `_run`, which sets `_ready` when it serves, and returns once `_over` is set."""

    def __init__(self) -> None:
        self._ready = threading.Event()
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

"""A Redis that is further away: `python -m harness.targets.redis_proxy SECONDS` starts one, and a proxy before it.

It says `ready URL PID` when it can be used, with the process id of the Redis, and ends both on SIGTERM.

Whatever passes the proxy is held back for half of SECONDS on its way there, and for half on its way back, so a round
trip takes that much longer, as to another rack or another town; how much passes at a time is not limited. netem would
do the same in the kernel (tc-netem(8)), and needs root for it.

All bytes are held equally long, so they pass in the order in which they came, and one queue is enough for all
connections. epoll_wait(2) counts in whole milliseconds, half of which would be the half of what is asked for here:
select(2) on the epoll object, which counts in microseconds, does the waiting.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from common.store.embedded import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BACKLOG: Final = 1024


class FineSelector(selectors.EpollSelector):
    """An epoll that is woken within microseconds of a timer, not within two milliseconds."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as `selectors.BaseSelector.select` does."""
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


class Delay:
    """Hands over what it is given `delay_s` later, in the order in which it was given; empty bytes are an end."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._held: deque[tuple[float, asyncio.WriteTransport, bytes]] = deque()

    def pass_on(self, to: asyncio.WriteTransport, data: bytes) -> None:
        """Write `data` to a transport later, or close it."""
        due_s = asyncio.get_running_loop().time() + self._delay_s
        self._held.append((due_s, to, data))
        if len(self._held) == 1:
            asyncio.get_running_loop().call_at(due_s, self._release)

    def _release(self) -> None:
        held, now = self._held, asyncio.get_running_loop().time()
        while held and held[0][0] <= now:
            _, to, data = held.popleft()
            if data:
                to.write(data)
            else:
                to.close()
        if held:
            asyncio.get_running_loop().call_at(held[0][0], self._release)


class _End(asyncio.Protocol):
    """One end of a connection through the proxy. What it hears before the other end is there waits for that."""

    def __init__(self, delay: Delay, ends: set[_End]) -> None:
        self._delay = delay
        self._ends = ends
        self._early: list[bytes] = []
        self._other: asyncio.WriteTransport | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- of a stream; this tells the type checker
        self.transport = transport
        self._ends.add(self)

    def joined_to(self, other: asyncio.WriteTransport) -> None:
        self._other = other
        for data in self._early:
            self._delay.pass_on(other, data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early.append(data)
        else:
            self._delay.pass_on(self._other, data)

    def connection_lost(self, _: Exception | None) -> None:
        self._ends.discard(self)
        self.data_received(b"")


class _Front(_End):
    """The end towards whoever asks; `join` finds it the other one."""

    def __init__(self, delay: Delay, ends: set[_End], join: Callable[[_Front], None]) -> None:
        super().__init__(delay, ends)
        self._join = join

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._join(self)


class Proxy:
    """Takes connections on a free TCP port of 127.0.0.1 and joins each to the Unix socket at `path`.

    Enter it for the port; leaving it breaks all connections.
    """

    def __init__(self, path: str, round_trip_s: float) -> None:
        self._path = path
        self._delay = Delay(round_trip_s / 2)
        self._ends: set[_End] = set()
        self._joining: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> int:
        """Begin, and return the port."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Front(self._delay, self._ends, self._begin_join), "127.0.0.1", 0, backlog=_BACKLOG
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        """End all."""
        self._server.close()
        for task in tuple(self._joining):
            task.cancel()
        for end in tuple(self._ends):
            if end.transport is not None:
                end.transport.abort()
        await asyncio.sleep(0)  # in which they go

    def _begin_join(self, front: _Front) -> None:
        task = asyncio.create_task(self._reach(front), name="proxy-join")
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _reach(self, front: _Front) -> None:
        assert front.transport is not None  # noqa: S101 -- it is connected; this tells the type checker
        try:
            transport, back = await asyncio.get_running_loop().create_unix_connection(
                lambda: _End(self._delay, self._ends), self._path
            )
        except OSError:
            front.transport.close()
            return
        back.joined_to(front.transport)
        front.joined_to(transport)


async def _run(round_trip_s: float) -> None:
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)
    async with EmbeddedRedis() as redis, Proxy(unquote(urlsplit(redis.url).path), round_trip_s) as port:
        print(f"ready redis://127.0.0.1:{port} {redis.pid}", flush=True)  # noqa: T201 -- its one line
        await told_to_end.wait()


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Hold a Redis until SIGTERM."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(FineSelector())) as runner:
        runner.run(_run(float(arguments[0])))


if __name__ == "__main__":
    main()

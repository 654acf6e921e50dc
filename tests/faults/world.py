"""The servers of a run, one Redis behind them, and how each fault strikes them.

Stages 0 to 2.5 are one process. From stage 3 on there is a parent with nodes, and one node more on a host of its own:
that one reaches Redis by a line that can be cut, while fans and reporters reach it still.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

import psutil

from common.store.connections import Connections
from common.store.errors import StoreUnavailableError
from tests.faults.faults import Fault, Kind, Victim, has_nodes
from tests.faults.line import Line
from tests.faults.records import Fork
from tests.faults.saves import Save
from tests.faults.server import Server, frozen_for, killed
from tests.loopback import OWN_ADDRESS
from tests.redis_server import RedisServer
from tests.stages.stage3.nodes import nodes_below
from tests.stages.stage3.writer import writer

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from types import TracebackType

NODES: Final = 2
_EXCEPTION: Final = re.compile(r"^Traceback .*\n(?:[ ].*\n)*(.*)$", re.MULTILINE)
_LOOK_S: Final = 0.5
"""How long it may take to ask Redis who is the writer; if it cannot say, nobody is struck."""


class World:
    """All programs of a run; an async context manager that starts them and ends them, and whatever they started.

    They log to files in `directory`, where copies of what Redis kept are as well. `forks` are the rollbacks until now,
    each with what was lost by it.
    """

    def __init__(self, stage: str, directory: Path) -> None:
        self._stage = stage
        self._directory = directory
        self._stack = AsyncExitStack()
        self._redis = RedisServer()
        self._redis_lock = asyncio.Lock()
        self._line = Line(self._redis.directory / "redis.sock")
        self._servers: list[Server] = []
        self._raw = Connections(self._redis.url, 1, _LOOK_S, _LOOK_S)
        self.forks: list[tuple[Fork, Save]] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._redis)
            stack.push_async_callback(self._raw.close)
            await self._start(stack, "server", "--redis", self._redis.url, *self._options())
            if has_nodes(self._stage):
                await stack.enter_async_context(self._line)
                await self._start(stack, "host", "--join", f"redis://127.0.0.1:{self._line.port}")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def fans(self) -> list[tuple[str, int]]:
        """Where fans connect."""
        return [(OWN_ADDRESS, port) for server in self._servers for port in server.fan_ports]

    @property
    def urls(self) -> list[str]:
        """Where reporters post."""
        return [f"http://{OWN_ADDRESS}:{port}" for server in self._servers for port in server.http_ports]

    def tracebacks(self) -> list[str]:
        """Return the line behind each traceback in the logs: the exception."""
        logs = [log.read_text(errors="replace") for log in self._directory.glob("*.log")]
        return [words for log in logs for words in _EXCEPTION.findall(log)]

    async def strike(self, fault: Fault) -> None:
        """Have a fault fall on its victim, if there is one now, and return when it is over. Raise ServerError."""
        match fault:
            case Fault(kind=Kind.ROLLBACK):
                await self._roll_back(fault.lasts_s)
            case Fault(kind=Kind.CUT):
                self._line.cut()
                await asyncio.sleep(fault.lasts_s)
                self._line.join()
            case Fault(victim=Victim.REDIS):
                await self._strike_redis(fault)
            case Fault(victim=Victim.SERVER):
                await self._strike_server(fault, self._servers[0])
            case _:
                await self._strike_node(fault)

    async def _strike_redis(self, fault: Fault) -> None:
        async with self._redis_lock:
            if fault.kind is Kind.STOP:
                assert self._redis.pid is not None
                await frozen_for(self._redis.pid, fault.lasts_s)
            else:
                await self._redis.kill()
                await asyncio.sleep(fault.lasts_s)
                await self._redis.start()

    async def _roll_back(self, older_s: float) -> None:
        clock = asyncio.get_running_loop().time
        async with self._redis_lock:
            saved_s, save = clock(), await asyncio.to_thread(Save, self._redis.directory, self._directory)
            await asyncio.sleep(older_s)
            killed_s = clock()
            await self._redis.kill()
            lost = await asyncio.to_thread(Save, self._redis.directory, self._directory)
            await asyncio.to_thread(save.put_back, self._redis.directory)
            await self._redis.start()
            self.forks.append((Fork(saved_s, killed_s, clock()), lost))

    async def _strike_node(self, fault: Fault) -> None:
        """Strike one of the nodes: its parent starts it again by itself, and the one without a parent is started."""
        parent, host = self._servers
        pids = [*_nodes_of(parent), host.pid]
        pid = await self._writer() if fault.victim is Victim.WRITER else pids[fault.lot % len(pids)]
        if pid == host.pid:
            await self._strike_server(fault, host)
        elif pid in pids and fault.kind is Kind.STOP:
            await frozen_for(pid, fault.lasts_s)
        elif pid in pids:
            killed(pid)

    async def _strike_server(self, fault: Fault, server: Server) -> None:
        async with server.lock:
            if fault.kind is Kind.STOP:
                await frozen_for(server.pid, fault.lasts_s)
            else:
                await server.kill()
                await asyncio.sleep(fault.lasts_s)
                await server.start()

    async def _writer(self) -> int | None:
        try:
            now = await writer(self._raw)
        except StoreUnavailableError:
            return None
        return None if now is None else now.pid

    async def _start(self, stack: AsyncExitStack, name: str, *options: str) -> None:
        server = Server(("--stage", self._stage, *options), self._directory / f"{name}.log")
        stack.push_async_callback(server.end)
        await server.start()
        self._servers.append(server)

    def _options(self) -> tuple[str, ...]:
        return ("--nodes", str(NODES)) if has_nodes(self._stage) else ()


def _nodes_of(parent: Server) -> Collection[int]:
    try:
        return nodes_below(parent.pid).values()
    except psutil.NoSuchProcess:  # it has just been killed
        return ()

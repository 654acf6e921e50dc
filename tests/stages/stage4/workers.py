"""`matchstream serve --stage 4` with workers, and who of its fans is served by which."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import psutil

from common.http.client import ReporterClient
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AsyncExitStack
    from pathlib import Path

    from common.http.statistics import Statistics, WorkerStatistics
    from tests.stages.fan import Connect, Fan

COUNT: Final = 2


class WorkersProcess(ServerProcess):
    """A node with COUNT workers."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__("4", directory, "--workers", str(COUNT), *options)

    @property
    def zygote(self) -> psutil.Process:
        """The process that forks the workers."""
        (zygote,) = (child for child in psutil.Process(self.pid).children() if "stages.zygote" in child.cmdline())
        return zygote

    @property
    def worker_pids(self) -> set[int]:
        """The workers that run now."""
        return {child.pid for child in self.zygote.children()}


@asynccontextmanager
async def api_of(server: ServerProcess) -> AsyncIterator[ReporterClient]:
    """Give a client of its API."""
    async with ReporterClient(server.url, TOKEN) as api:
        yield api


async def workers(api: ReporterClient) -> Mapping[int, WorkerStatistics]:
    """Return what is told of each worker, by process id."""
    return {worker.pid: worker for worker in (await api.statistics()).workers}


async def serving(api: ReporterClient, *, without: int | None = None) -> Mapping[int, WorkerStatistics]:
    """Return what is told of all workers once they serve and answer, and that one has gone."""
    found: Mapping[int, WorkerStatistics] = {}

    async def all_serve() -> bool:
        nonlocal found
        found = await workers(api)
        return len(found) == COUNT and without not in found and all(one.answers for one in found.values())

    await eventually(all_serve, f"{COUNT} workers serve, and {without} is none of them")
    return found


async def nobody_there(api: ReporterClient) -> Statistics:
    """Return the statistics once the fans of other tests have gone."""
    found: list[Statistics] = []

    async def nobody() -> bool:
        found.append(await api.statistics())
        return found[-1].connections == 0

    await eventually(nobody, "all fans have gone")
    return found[-1]


async def fans_of_each(
    stack: AsyncExitStack, api: ReporterClient, connect: Connect, match_id: str, *, each: int = 1
) -> dict[int, list[Fan]]:
    """Connect fans until each worker has `each` of them at least; return them by its process id.

    The kernel chooses who gets a fan, so which it was is seen by who has accepted one more.
    """
    found: dict[int, list[Fan]] = {pid: [] for pid in await serving(api)}
    number = 0
    while min(map(len, found.values())) < each:
        number += 1
        before = await workers(api)
        fan = await stack.enter_async_context(connect())
        stack.callback(_vanish, fan)
        await fan.watch(f"fan-{number}", match_id)
        after = await workers(api)
        (pid,) = (pid for pid, worker in after.items() if worker.accepted > before[pid].accepted)
        found[pid].append(fan)
    return found


def _vanish(fan: Fan) -> None:
    """Have a fan reset its connection, if it has one: of one that is only closed the server learns a minute later."""
    if not fan.closed:
        fan.reset()


def kill(pid: int) -> None:
    """End a process with SIGKILL."""
    os.kill(pid, signal.SIGKILL)

"""A node: the processes of one event loop, and the names under which they are known."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from common.otp.gen_server import GenServer
from common.otp.hibernation import HibernatingProcess
from common.otp.scheduler import RunQueue
from common.otp.signals import SHUTDOWN, NoProcessError
from common.otp.task_process import TaskProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from common.otp.process import Process

_Server = TypeVar("_Server", bound=GenServer)


class AlreadyStartedError(Exception):
    """The name belongs to a running process, which `process` is."""

    def __init__(self, name: str, process: Process) -> None:
        super().__init__(f"{name} is registered already")
        self.process = process


class Node:
    """Starts processes and knows them by name (`register/2`, `whereis/1`).

    `run_queue` gives those without a task their turns; a plain one if nothing is said.
    """

    def __init__(self, run_queue: RunQueue | None = None) -> None:
        self._names: dict[str, Process] = {}
        self._aliases: dict[Process, list[str]] = {}
        self._processes: dict[Process, None] = {}  # a set that keeps the order
        self._past: dict[type[GenServer], list[int]] = {}  # of those that ended: how many, and the messages of all
        self.restarts: Counter[tuple[str, str]] = Counter()
        """How often each (kind, name) was started again by its supervisor."""
        self.run_queue = run_queue or RunQueue()
        self._sleepers_guard: asyncio.Task[None] | None = None
        self._nobody_left: asyncio.Future[None] | None = None

    def __getitem__(self, name: str) -> Process:
        """Return the process registered as `name`. Raise NoProcessError."""
        try:
            return self._names[name]
        except KeyError:
            raise NoProcessError(f"no process is registered as {name}") from None

    def whereis(self, name: str) -> Process | None:
        """Return the process registered as `name`, or None."""
        return self._names.get(name)

    def name_of(self, process: Process) -> str | None:
        """Return a name under which a process is registered, None if there is none."""
        if self._names.get(process.name) is process:
            return process.name
        return next(iter(self._aliases.get(process, ())), None)

    async def start(self, server: GenServer, *, name: str | None = None, parent: Process | None = None) -> Process:
        """Run `server` in a process of its own; return when its `init` is done (`gen_server:start_link`).

        With a `name` the process is registered from before `init` until its end. With a `parent` the two are linked,
        and the parent's exit signals end the process even when it traps exits. Raise AlreadyStartedError if the name
        is taken, and whatever `init` raises. If the start is cancelled, the process has ended when this returns. It
        does not suspend for a server that hibernates and has a plain `init`.
        """
        process, started = self.begin(server, name=name, parent=parent)
        if started is not None:
            await self.finish_start(process, started)
        return process

    def begin(
        self, server: GenServer, *, name: str | None = None, parent: Process | None = None
    ) -> tuple[Process, asyncio.Future[None] | None]:
        """Do as `start`, but do not wait: return with the process None if it has started, or what `finish_start` takes.

        Raise as `start` does.
        """
        if name is not None and name in self._names:
            raise AlreadyStartedError(name, self._names[name])
        kind = HibernatingProcess if server.hibernates else TaskProcess
        process = kind(self, server, name or type(server).__name__, parent)
        server.process = process
        if name is not None:
            self._names[name] = process
        self._processes[process] = None
        if server.hibernates:
            self._guard_sleepers()
        if parent is not None:
            process.link(parent)
        return process, process.run()

    def register(self, name: str, process: Process) -> None:
        """Make a running process known by a name more, until its end (`register/2`). Raise AlreadyStartedError."""
        if name in self._names:
            raise AlreadyStartedError(name, self._names[name])
        self._names[name] = process
        self._aliases.setdefault(process, []).append(name)

    def servers(self, kind: type[_Server]) -> Iterator[_Server]:
        """Go through the running servers of a kind, in the order in which they were started."""
        return (process.server for process in self._processes if isinstance(process.server, kind))

    def processes(self) -> list[Process]:
        """Return all running processes (`processes/0`), in the order in which they were started."""
        return list(self._processes)

    def past(self) -> dict[str, tuple[int, int]]:
        """Return by kind how many processes have ended, and how many messages they had handled."""
        ended: dict[str, tuple[int, int]] = {}
        for server, (count, handled) in self._past.items():
            before = ended.get(server.__name__, (0, 0))
            ended[server.__name__] = (before[0] + count, before[1] + handled)
        return ended

    def count_restart(self, process: Process) -> None:
        """Take note that a supervisor started this process in place of one that ended; the nameless share a count."""
        self.restarts[process.kind, process.name] += 1

    def forget(self, process: Process) -> None:
        """Drop an ended process and its name; called by the process itself."""
        self._processes.pop(process, None)
        past = self._past.setdefault(type(process.server), [0, 0])
        past[0] += 1
        past[1] += process.handled
        if self._names.get(process.name) is process:
            del self._names[process.name]
        for name in self._aliases.pop(process, ()):
            del self._names[name]
        if self._nobody_left is not None and not self._processes:
            if not self._nobody_left.done():
                self._nobody_left.set_result(None)
            self._nobody_left = None

    async def finish_start(self, process: Process, started: asyncio.Future[None]) -> None:
        """Wait until a process that was begun has started. Raise what its `init` raises."""
        try:
            await started
        except asyncio.CancelledError:  # nobody will know of this process, so nobody would end it
            if process.parent is not None:
                process.unlink(process.parent)
            if process.initialised:
                process.exit(SHUTDOWN)
            else:
                process.kill()
            await process.wait()
            raise

    def _guard_sleepers(self) -> None:
        if self._nobody_left is None or self._nobody_left.done():
            self._nobody_left = asyncio.get_running_loop().create_future()
            self._sleepers_guard = asyncio.create_task(self._end_with_loop(self._nobody_left), name="node")

    async def _end_with_loop(self, nobody_left: asyncio.Future[None]) -> None:
        """Be cancelled in place of the processes that have no task, until nobody is left."""
        try:
            await nobody_left
        except asyncio.CancelledError:
            sleepers = [process for process in self._processes if isinstance(process, HibernatingProcess)]
            for process in sleepers:
                process.shut_down()
            for process in sleepers:
                await process.wait()
            raise

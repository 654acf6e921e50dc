"""A node: the processes of one event loop, and the names under which they are known."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from common.otp.gen_server import GenServer
from common.otp.process import Process
from common.otp.signals import SHUTDOWN, AlreadyStartedError, NoProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_Server = TypeVar("_Server", bound=GenServer)


@dataclass(frozen=True, slots=True)
class NodeStatistics:
    """A count of a node's processes: in all, by kind of server, and the messages that wait in their mailboxes."""

    processes: int
    kinds: Mapping[str, int]
    queued: int


class Node:
    """Starts processes and knows them by name (`register/2`, `whereis/1`)."""

    def __init__(self) -> None:
        self._names: dict[str, Process] = {}
        self._processes: set[Process] = set()

    def __getitem__(self, name: str) -> Process:
        """Return the process registered as `name`. Raise NoProcessError."""
        try:
            return self._names[name]
        except KeyError:
            raise NoProcessError(f"no process is registered as {name}") from None

    def whereis(self, name: str) -> Process | None:
        """Return the process registered as `name`, or None."""
        return self._names.get(name)

    async def start(self, server: GenServer, *, name: str | None = None, parent: Process | None = None) -> Process:
        """Run `server` in a process of its own; return when its `init` is done (`gen_server:start_link`).

        With a `name` the process is registered from before `init` until its end. With a `parent` the two are linked,
        and the parent's exit signals end the process even when it traps exits. Raise AlreadyStartedError if the name
        is taken, and whatever `init` raises. If the start is cancelled, the process has ended when this returns.
        """
        if name is not None and name in self._names:
            raise AlreadyStartedError(name, self._names[name])
        process = Process(self, server, name or type(server).__name__, parent)
        server.process = process
        if name is not None:
            self._names[name] = process
        self._processes.add(process)
        if parent is not None:
            process.link(parent)
        started = process.run()
        try:
            await started
        except asyncio.CancelledError:  # nobody will know of this process, so nobody would end it
            if parent is not None:
                process.unlink(parent)
            if started.cancelled():
                process.kill()  # out of its init
            else:
                process.exit(SHUTDOWN)
            await process.wait()
            raise
        return process

    def servers(self, kind: type[_Server]) -> Iterator[_Server]:
        """Go through the running servers of a kind."""
        return (process.server for process in self._processes if isinstance(process.server, kind))

    def forget(self, process: Process) -> None:
        """Drop an ended process and its name; called by the process itself."""
        self._processes.discard(process)
        if self._names.get(process.name) is process:
            del self._names[process.name]

    def statistics(self) -> NodeStatistics:
        """Count the processes now."""
        kinds = Counter(type(process.server).__name__ for process in self._processes)
        return NodeStatistics(len(self._processes), kinds, sum(process.queued for process in self._processes))

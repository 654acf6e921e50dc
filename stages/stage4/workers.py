"""Lesson `workers`: the fans of a node are served by processes that share its ports, forked from a warm parent.

Cause: one process has one core, and a limit on open files. Stage 3 has nodes for that, and each of those is a whole
server: 40 MB, 200 connections to Redis, two reads from Redis an event. A worker has the fans of the plane and nothing
else; what is once a node stays in the node (`stages.stage4.worker`, `stages.stage4.relay`).

* Each worker listens on all of the node's ports by sockets of its own (SO_REUSEPORT): the kernel chooses one by a hash
  of the addresses, so workers get about as many fans each, within some per cent.
* The sockets are opened by the node, which never accepts from them, and handed to the workers. So a connection that
  waits when its worker is killed waits for the next one, and is not reset; and the ports are taken as long as the node
  lives, by others too: the first socket of each port shares it only after it was bound.
* Workers are forked by a process that has all modules loaded (`stages.stage4.zygote`), so they share its memory.
* One that ends is started again; all may end at once. Its fans have to connect again, and nobody else notices.

As many as there are cores, or more if as many fans are expected as would not find open files in so few. Scenarios that
exercise it: a burst (C, ART) where there are cores to spare; N beyond the open files of one process; a worker killed
under load, whose fans come back.

A worker takes 7.1 MB of its own, and 0.19 KB a fan of it; idle it takes 0.2 ms of CPU a second. All of 4 workers killed
at once, their 50,000 fans, who connected again at once, were answered within 1.9 s (2 cores, shared with others).

Rejected: workers that open their sockets themselves (who waits in the queue of one that is killed is reset); one worker
a port, so that the kernel need not choose (whoever serves has to hand out ports); a process in front that accepts and
hands descriptors on (its one core is the bound); a subscription to Redis a worker (60 instead of one).
"""

from __future__ import annotations

import asyncio
import math
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from common.listening import close_all
from common.otp import CallError, ChildSpec, NoProcessError, Restart, SimpleOneForOne, StartChild
from common.tuning.open_files import OpenFiles, kept_files
from stages.stage0.ports import listen, listen_too
from stages.stage0.server import Server
from stages.stage4.fans import Fans
from stages.stage4.roster import Roster, WorkersFarewells
from stages.stage4.worker_process import WaitUntilServing, WorkerProcess, WorkerStartError, stop_s
from stages.stage4.workers_web import worker_name
from stages.stage4.zygote_process import ZygoteProcess

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from common.http.server import ApiServer
    from stages.options import Addresses, Options, System
    from stages.stage0.parts import Parts, Stage

PERIOD_S: Final = 10.0
TIMES: Final = 5
"""How often each worker may end within PERIOD_S before their supervisor gives up."""
_FULL: Final = 0.9
"""What share of a worker's files is counted on: the kernel's hash gives some workers more fans than others."""


class WorkerSup(SimpleOneForOne):
    """Starts the workers, each with its share of the listening sockets; all end side by side."""

    NAME = "worker_sup"

    def __init__(self, parts: Parts, options: Options, shares: Sequence[Sequence[socket.socket]]) -> None:
        super().__init__(
            lambda number: WorkerProcess(parts, _its_share(options, len(shares)), number, shares[number]),
            Restart.PERMANENT,
            shutdown_s=stop_s(options),
            intensity=TIMES * len(shares),
            period_s=PERIOD_S,
        )
        self._numbers = range(len(shares))

    async def init(self) -> None:
        """Start all."""
        for number in self._numbers:
            await self._start(StartChild((number,), worker_name(number)))


class WorkersServer(Server):
    """A node whose fans are in workers; without a zygote, one that serves them itself."""

    def __init__(self, parts: Parts, options: Options) -> None:
        super().__init__(parts, options)
        self._shares: list[Sequence[socket.socket]] = []
        if parts.zygote is not None and options.workers != 0:
            farewells = WorkersFarewells(self.parts.server_plane)
            self.parts = replace(self.parts, farewells=farewells, roster=Roster(farewells))

    def _listen(self) -> Sequence[socket.socket]:
        if self.parts.roster is None:
            return super()._listen()
        self._shares = [listen(self.parts, self.options, shared=True)]
        ports = [listening.getsockname()[1] for listening in self._shares[0]]
        workers = self.options.workers
        assert workers is not None  # noqa: S101  # see with_workers
        for _ in range(1, workers):
            self._shares.append(listen_too(self.parts, self.options, ports))
        return self._shares[0]

    async def _drain(self, until_s: float) -> None:
        if self.parts.roster is not None:
            self._close()  # while the node has them open the kernel has fans wait, though no worker will take them
        await super()._drain(until_s)

    def _children(self, api: ApiServer) -> list[ChildSpec]:
        parts, options = self.parts, self.options
        children = super()._children(api)
        if parts.roster is None:
            return children
        in_workers = {Fans.NAME, *self._listener_names()}
        own = [child for child in children if child.id not in in_workers]
        serving = [
            ChildSpec(ZygoteProcess.NAME, parts.zygote),
            ChildSpec(WorkerSup.NAME, lambda: WorkerSup(parts, options, self._shares), shutdown_s=stop_s(options)),
        ]
        web = next(index for index, child in enumerate(own) if child.id == parts.web.NAME)
        return [*own[:web], *serving, *own[web:]]

    async def _serve(self) -> Addresses:
        addresses = await super()._serve()
        if self.parts.roster is not None:
            await self._workers_serve()
        return addresses

    async def _workers_serve(self) -> None:
        """Return when all workers do. Raise WorkerStartError."""
        names = map(worker_name, range(len(self._shares)))
        try:
            await asyncio.gather(*(self.node[name].call(WaitUntilServing()) for name in names))
        except (CallError, NoProcessError) as error:
            why = "the workers cannot be started; what they said on standard error tells why"
            raise WorkerStartError(why) from error

    def _close(self) -> None:
        super()._close()
        for share in self._shares:
            close_all(share)


def _its_share(options: Options, workers: int) -> Options:
    """Return what one worker is told of limits that are the node's."""
    return replace(
        options,
        max_fans=None if options.max_fans is None else math.ceil(options.max_fans / workers),
        max_rate=None if options.max_rate is None else options.max_rate / workers,
    )


def workers_for(told: int | None, expected_fans: int, nodes: int, open_files: int) -> int:
    """Return how many workers a node has: as it was told, else one a core, or as many as the fans' open files take."""
    if told is not None:
        return told
    files = min(OpenFiles.read().hard, open_files)
    fans = math.ceil(expected_fans / nodes)
    return max(len(os.sched_getaffinity(0)), math.ceil(fans / (_FULL * (files - kept_files(files)))))


def with_workers(system: Callable[[Stage, Options], System]) -> Callable[[Stage, Options], System]:
    """Return what starts a stage whose nodes have workers: one node, unless more are asked for."""

    def start(stage: Stage, options: Options) -> System:
        parts = replace(stage.parts, zygote=partial(ZygoteProcess, stage))
        nodes = options.nodes or 1
        workers = workers_for(options.workers, options.expected_fans, nodes, parts.open_files)
        return system(replace(stage, parts=parts), replace(options, nodes=nodes, workers=workers))

    return start

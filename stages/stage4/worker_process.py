"""A worker as the node's supervisor sees it: a gen_server that owns a process (Erlang: a port).

A crash of the process is a crash of this gen_server, and the supervisor starts another. The sockets on which it listens
are the node's, so nobody who waits to be accepted notices.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from common.otp import NO_REPLY, SHUTDOWN, CallError, Down, Failure, GenServer, NoProcessError, Stop, reply
from stages.stage4.channel import Channel
from stages.stage4.relay import Relays
from stages.stage4.worker_messages import Farewell, HasRoom, Ready, Setup, StopServing
from stages.stage4.zygote_process import ForkWorker, KillWorker, ZygoteProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.otp import Reason, ReplyTo
    from stages.options import Options
    from stages.stage0.parts import Parts
    from stages.stage4.roster import Roster, Worker
    from stages.stage4.zygote_process import Child

_log = logging.getLogger(__name__)

STOP_S: Final = 5.0
"""How long a worker may take to end in order, besides the grace that it gives its fans."""
KILL_S: Final = 2.0
"""How long one may take to be gone that had to be killed."""
_RETRY_S: Final = 0.1
"""The pause before the zygote is asked again, while it is being restarted."""


class WorkerStartError(Exception):
    """A worker ended before it served; what it said on standard error tells why."""


@dataclass(frozen=True, slots=True)
class WaitUntilServing:
    """A call that is answered when the worker accepts fans. Failure of WorkerStartError if it ends instead."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """To the process itself: the worker has ended, in this way."""

    how: str


class WorkerProcess(GenServer):
    """Has one worker forked, serves it, and ends with it."""

    _worker: Worker
    _relays: Relays

    def __init__(self, parts: Parts, options: Options, number: int, listening: Sequence[socket.socket]) -> None:
        self._parts = parts
        self._roster: Roster = parts.roster
        self._setup = Setup(number, options)
        self._listening = listening
        self._waiting: list[ReplyTo] = []
        self._child: Child | None = None
        self._is_ending = False

    @property
    def pid(self) -> int:
        """The worker's process id, 0 before it is there."""
        return self._worker.pid

    @property
    def serves(self) -> bool:
        """Whether it accepts fans."""
        return self._worker.serves

    async def init(self) -> None:
        """Have the worker forked; it is not waited for, so that all start side by side."""
        ours, theirs = socket.socketpair()
        channel = await Channel.over(ours, self._hear, self._lost)
        self._worker = self._roster.enter(self._setup.number, channel)
        self._relays = Relays(self._parts, self.process, channel, self._roster.bodies)
        self.spawn(self._run(theirs))

    def handle_call(self, request: WaitUntilServing, reply_to: ReplyTo) -> object:
        """Answer now, or when the worker serves."""
        del request  # there is no other
        if self._worker.serves:
            return None
        self._waiting.append(reply_to)
        return NO_REPLY

    def handle_info(self, message: Down | _Ended) -> None:
        """Tell the worker of the end of whoever told it of a match; end with the worker."""
        if isinstance(message, Down):
            self._relays.end(message.monitor)
            return
        if self._worker.serves:
            _log.warning("%s (process %d) %s; starting it again", self.process.name, self._worker.pid, message.how)
        else:
            why = f"{self.process.name} {message.how} before it served; if it said why, that is above"
            self._answer(Failure(WorkerStartError(why)))
        raise Stop(message.how)

    async def terminate(self, reason: Reason) -> None:
        """End the worker: in order if the node stops, and if that does not help in time with SIGKILL."""
        self._is_ending = True
        if reason == SHUTDOWN:
            self._worker.channel.tell(StopServing())
            await self._gone(self._setup.options.grace_s + STOP_S)
        self.close_port()
        await self._gone(KILL_S)
        self._roster.leave(self._worker)

    def close_port(self) -> None:
        """End the worker now."""
        self._worker.channel.abort()
        zygote = self.node.whereis(ZygoteProcess.NAME)
        if zygote is not None and self._child is not None and not self._child.ended.done():
            zygote.cast(KillWorker(self._child.pid))

    async def _gone(self, within_s: float) -> None:
        if self._child is not None and not self._child.ended.done():
            await asyncio.wait((self._child.ended,), timeout=within_s)

    async def _run(self, theirs: socket.socket) -> None:
        """Fork, and see how it ends."""
        with theirs:
            self._child = await self._fork(theirs)
        self._worker.pid = self._child.pid
        status = await asyncio.shield(self._child.ended)
        self.process.send(_Ended(_how(status)))

    async def _fork(self, theirs: socket.socket) -> Child:
        while True:
            with suppress(CallError, NoProcessError):
                order = ForkWorker(self._setup, (theirs, *self._listening))
                child: Child = await self.node[ZygoteProcess.NAME].call(order)
                return child
            await asyncio.sleep(_RETRY_S)

    def _hear(self, number: int, message: Any) -> None:
        if isinstance(message, Ready):
            self._worker.seen, self._worker.serves = message.seen, True
            self._answer(None)
        elif isinstance(message, HasRoom):
            self._worker.has_room = message.has_room
        elif isinstance(message, Farewell):
            self._roster.farewells.add(message.said, message.cut_off)
        else:
            self._relays.serve(number, message)

    def _lost(self) -> None:
        """See to it that a worker ends that does not read what it is told; one that reads does so by itself."""
        if not self._is_ending:
            self.close_port()

    def _answer(self, answer: Failure | None) -> None:
        for reply_to in self._waiting:
            reply(reply_to, answer)
        self._waiting.clear()


def stop_s(options: Options) -> float:
    """Return how long workers may take to end, those too that do not."""
    return options.grace_s + STOP_S + 2 * KILL_S


def _how(status: int | None) -> str:
    if status is None:
        return "ended with the zygote"
    return f"ended with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"

"""Supervisors: `one_for_one` for children known in advance, `simple_one_for_one` for many of one kind.

Source of the rules: OTP Design Principles, "Supervisor Behaviour". Restarts are counted over a sliding window; past the
intensity the supervisor gives up, and its own supervisor decides. The counts of the talk are the defaults: 5 in 10 s.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from common.otp.gen_server import GenServer
from common.otp.node import AlreadyStartedError
from common.otp.process import Exit
from common.otp.signals import NORMAL, SHUTDOWN, Failure, Reason, Stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from common.otp.process import Process, ReplyTo

_log = logging.getLogger(__name__)


class Restart(Enum):
    """When an ended child is started again: always, after a crash only, or never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child of a `one_for_one` supervisor.

    `start` makes a new server each time. The process is registered as `id`. At shutdown it gets `shutdown_s` seconds
    to end before it is killed.
    """

    id: str
    start: Callable[[], GenServer]
    restart: Restart = Restart.PERMANENT
    shutdown_s: float = 5.0


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """The call that has a `one_for_one` supervisor stop a child by its id (OTP: `supervisor:terminate_child/2`)."""

    id: str


class _Intensity:
    """Counts restarts: no more than `limit` in any `period_s` seconds."""

    __slots__ = ("_limit", "_period_s", "_times_s")

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._period_s = period_s
        self._times_s: deque[float] = deque()

    def count(self) -> None:
        """Count a restart. Raise Stop when it is one too many."""
        now_s = asyncio.get_running_loop().time()
        self._times_s.append(now_s)
        while self._times_s[0] < now_s - self._period_s:
            self._times_s.popleft()
        if len(self._times_s) > self._limit:
            _log.error("gave up after %d restarts within %g s", self._limit, self._period_s)
            raise Stop("reached_max_restart_intensity")


def _wants_restart(restart: Restart, reason: Reason) -> bool:
    if restart is Restart.TRANSIENT:
        return reason not in (NORMAL, SHUTDOWN)
    return restart is Restart.PERMANENT


async def _shut_down(children: Iterable[Process], within_s: float) -> None:
    """End children that run side by side; kill those that have not ended in time."""
    children = list(children)
    for child in children:
        child.exit(SHUTDOWN)
    if not children:
        return
    _, late = await asyncio.wait([child.gone() for child in children], timeout=within_s)
    if late:
        for child in children:
            child.kill()
        await asyncio.wait(late)


class Supervisor(GenServer):
    """Starts its children in order, restarts each by its spec, and stops them in reverse order (`one_for_one`)."""

    trap_exit = True

    def __init__(self, specs: Sequence[ChildSpec], *, intensity: int = 5, period_s: float = 10.0) -> None:
        self._specs = {spec.id: spec for spec in specs}
        self._children: dict[str, Process] = {}
        self._intensity = _Intensity(intensity, period_s)

    async def init(self) -> None:
        """Start every child; if one cannot start, stop those before it and raise what it raised."""
        try:
            for spec in self._specs.values():
                await self._start(spec)
        except BaseException:
            await self._stop_children()
            raise

    async def handle_call(self, request: TerminateChild, reply_to: ReplyTo) -> None:
        """Stop a child, and answer when it has ended; it is not started again."""
        del reply_to  # answered by returning
        if request.id in self._children:
            await _shut_down([self._children.pop(request.id)], self._specs[request.id].shutdown_s)

    async def handle_info(self, message: Any) -> None:  # an Exit, or something to pass over
        """Restart the child that ended, if its spec says so."""
        if not isinstance(message, Exit):
            return
        ended = next((id_ for id_, child in self._children.items() if child is message.process), None)
        if ended is None:
            return
        spec = self._specs[ended]
        del self._children[ended]
        if _wants_restart(spec.restart, message.reason):
            await self._restart(spec)

    async def terminate(self, reason: Reason) -> None:
        """Stop the children, the last one first."""
        _log.debug("%s stops: %s", self.process.name, reason)
        await self._stop_children()

    async def _start(self, spec: ChildSpec) -> None:
        self._children[spec.id] = await self.node.start(spec.start(), name=spec.id, parent=self.process)

    async def _restart(self, spec: ChildSpec) -> None:
        while True:
            self._intensity.count()
            try:
                await self._start(spec)
            except Exception:
                _log.exception("%s could not be restarted", spec.id)
            else:
                self.node.count_restart(self._children[spec.id])
                return

    async def _stop_children(self) -> None:
        for id_, spec in reversed(self._specs.items()):  # by spec: a restart does not change the order
            if id_ in self._children:
                await _shut_down([self._children.pop(id_)], spec.shutdown_s)


@dataclass(frozen=True, slots=True)
class StartChild:
    """The call that has a `simple_one_for_one` supervisor start a child; `name` registers it."""

    args: tuple[Any, ...]
    name: str | None = None


class SimpleOneForOne(GenServer):
    """Supervises any number of children of one kind, started on demand (`simple_one_for_one`).

    Every start is a call that this one process answers after the child's `init`: with many children at once, it is the
    queue in front of which they wait (the talk's stage 2.4).
    """

    trap_exit = True

    def __init__(
        self,
        child: Callable[..., GenServer],
        restart: Restart = Restart.TEMPORARY,
        *,
        shutdown_s: float = 5.0,
        intensity: int = 5,
        period_s: float = 10.0,
    ) -> None:
        self._child = child
        self._restart = restart
        self._shutdown_s = shutdown_s
        self._intensity = _Intensity(intensity, period_s)
        self._children: dict[Process, StartChild | None] = {}  # None: it is not started again

    def handle_call(self, request: StartChild, reply_to: ReplyTo) -> Process | Failure | Awaitable[Process | Failure]:
        """Start a child and answer with its process; with what its `init` raised; or with AlreadyStartedError."""
        del reply_to  # answered by returning
        try:
            child, started = self._begin(request)
        except Exception as error:  # whatever init raised is the starter's answer
            return Failure(error)
        return self._add(child, request) if started is None else self._finish_start(child, started, request)

    def handle_info(self, message: Any) -> Awaitable[None] | None:  # an Exit, or something to pass over
        """Forget the child that ended, or start it again."""
        request = self._children.pop(message.process, None) if isinstance(message, Exit) else None
        if request is None or not _wants_restart(self._restart, message.reason):
            return None
        return self._start_again(request)

    async def terminate(self, reason: Reason) -> None:
        """Stop all children at once."""
        _log.debug("%s stops: %s", self.process.name, reason)
        await _shut_down(self._children, self._shutdown_s)

    async def _start_again(self, request: StartChild) -> None:
        while True:
            self._intensity.count()
            try:
                child = await self._start(request)
            except AlreadyStartedError:
                return  # somebody asked for it again before its exit was handled here
            except Exception:
                _log.exception("a child of %s could not be restarted", self.process.name)
            else:
                self.node.count_restart(child)
                return

    async def _start(self, request: StartChild) -> Process:
        child, started = self._begin(request)
        if started is not None:
            await self.node.finish_start(child, started)
        return self._add(child, request)

    def _begin(self, request: StartChild) -> tuple[Process, asyncio.Future[None] | None]:
        return self.node.begin(self._child(*request.args), name=request.name, parent=self.process)

    async def _finish_start(
        self, child: Process, started: asyncio.Future[None], request: StartChild
    ) -> Process | Failure:
        try:
            await self.node.finish_start(child, started)
        except Exception as error:  # see handle_call
            return Failure(error)
        return self._add(child, request)

    def _add(self, child: Process, request: StartChild) -> Process:
        self._children[child] = None if self._restart is Restart.TEMPORARY else request
        return child

"""A process: a mailbox, and a gen_server that gets one message at a time from it. Here is what both kinds share.

`TaskProcess` runs its server in a task from start to end; `HibernatingProcess` needs one only while a callback waits.
What must hold for either:

* A callback runs alone: nothing else touches the server's state while it awaits.
* Whoever waits for an answer gets one. Every pending call is held in `_callers` and fails with `CallError` when the
  process ends, also one whose reply was postponed and one still in the mailbox.
* An end is told exactly once, to links and monitors, after the server's `terminate` has run. `terminate` is not cut
  short: once it is due, no exit signal counts but `kill`.
* An exit signal ends what a callback waits for by a cancellation; after it no message is handled, whatever the callback
  makes of that. A cancellation from elsewhere (the loop being shut down) ends the process with `shutdown`. A
  CancelledError that nobody sent (what a callback waited for was cancelled) is a crash.
* What has ended holds nobody, and no garbage collector is needed to be rid of it: its `server` is another one then, or
  process and server would hold each other. (Except for who crashes in a call: the crash has the frames, those have the
  caller, and the caller has the crash.)

An idle process is small: what it may hold of others is in tuples as long as that is little (see `ties`), one message
that waits needs no deque (760 bytes), and what is rarely asked for is made when it is.

Unlike OTP, `terminate` is called whether the process traps exits or not; only `kill` skips it. As in OTP a kill is not
handed on: what is linked to the killed process gets the signal `killed`, and terminates.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from common.otp.gen_server import DONE, GenServer
from common.otp.signals import (
    KILL,
    KILLED,
    NO_PROCESS,
    NO_REPLY,
    NORMAL,
    CallError,
    Failure,
    Reason,
    Stop,
)
from common.otp.tasks import failure_of, task_of, was_cancelled
from common.otp.ties import tied, untied

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection

    from common.otp.node import Node

_log = logging.getLogger(__name__)

_CALL, _CAST, _INFO, _EXIT = range(4)

_ENDED: Final = GenServer()
"""The server of every process that has ended."""

ReplyTo = asyncio.Future[Any]
"""Who waits for the answer of a call (OTP's `From`)."""

_Message = tuple[int, Any, ReplyTo | None]


@dataclass(frozen=True, slots=True)
class Exit:
    """A linked process ended; delivered to `handle_info` of a process that traps exits."""

    process: Process
    reason: Reason


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """A reference to a monitor, as `erlang:monitor/2` returns; compared by identity."""

    process: Process
    watcher: Process


@dataclass(frozen=True, slots=True)
class Down:
    """A monitored process ended, or was not there when the monitor was set (`noproc`)."""

    monitor: Monitor
    reason: Reason


def reply(reply_to: ReplyTo, answer: Any) -> None:  # an answer is whatever the server says
    """Answer a call (`gen_server:reply/2`), unless by `NO_REPLY`; a caller that no longer waits is left in peace."""
    if answer is NO_REPLY or reply_to.done():
        return
    if isinstance(answer, Failure):
        reply_to.set_exception(answer.error)
    else:
        reply_to.set_result(answer)


class Process(ABC):
    """A running gen_server as others see it: something to call, cast to, link and monitor."""

    __slots__ = (
        "_beside",
        "_callers",
        "_exit",
        "_gone",
        "_links",
        "_mailbox",
        "_monitors",
        "_watching",
        "handled",
        "initialised",
        "name",
        "node",
        "parent",
        "server",
    )

    def __init__(self, node: Node, server: GenServer, name: str, parent: Process | None) -> None:
        self.node = node
        self.server = server
        self.name = name
        self.parent = parent
        self.handled = 0
        self._mailbox: _Message | deque[_Message] | None = None
        self._callers: Collection[ReplyTo] = ()
        self._links: Collection[Process] = ()
        self._monitors: Collection[Monitor] = ()
        self._watching: Collection[Monitor] = ()
        self._beside: Collection[asyncio.Task[Any]] = ()
        self._gone: asyncio.Future[None] | None = None
        self._exit: Reason | None = None
        self.initialised = False

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self.server is not _ENDED

    @property
    def kind(self) -> str:
        """What its server is called, which says what it does."""
        return type(self.server).__name__

    @property
    def queued(self) -> int:
        """Messages that wait in the mailbox."""
        mailbox = self._mailbox
        if mailbox is None:
            return 0
        return len(mailbox) if isinstance(mailbox, deque) else 1

    async def call(self, request: object) -> Any:  # the server's answer
        """Ask, and wait for the answer as long as it takes (`gen_server:call/3` with `infinity`).

        Who wants to wait for less has `asyncio.timeout`. Raise CallError if the process has ended or ends before it
        answers; or the error of a `Failure` that the server returned.
        """
        if self.server is _ENDED:
            raise CallError(self.name, NO_PROCESS)
        reply_to: ReplyTo = asyncio.get_running_loop().create_future()
        self._callers = tied(self._callers, reply_to)
        self._ask((_CALL, request, reply_to))
        try:
            return await reply_to
        finally:
            self._callers = untied(self._callers, reply_to)
            del reply_to  # it holds an error whose traceback holds this frame

    def cast(self, message: object) -> None:
        """Send a message for `handle_cast`; one to a process that has ended is dropped, as in OTP."""
        self._post((_CAST, message, None))

    def send(self, message: object) -> None:
        """Send a message for `handle_info`; one to a process that has ended is dropped."""
        self._post((_INFO, message, None))

    def link(self, other: Process) -> None:
        """Tie two ends together: the exit of one is signalled to the other. A link to the dead signals `noproc`."""
        if not (self.alive and other.alive):
            self.exit(NO_PROCESS, other)  # nothing happens to the one
            other.exit(NO_PROCESS, self)  # that is dead already
            return
        self._links = tied(self._links, other)
        other._links = tied(other._links, self)  # both ends of one link

    def unlink(self, other: Process) -> None:
        """Undo `link`."""
        self._links = untied(self._links, other)
        other._links = untied(other._links, self)  # both ends of one link

    def monitor(self, other: Process) -> Monitor:
        """Have a `Down` sent to this process when `other` ends; at once if it has ended already."""
        monitor = Monitor(other, self)
        if other.alive and self.alive:
            other._monitors = tied(other._monitors, monitor)  # both ends of one monitor
            self._watching = tied(self._watching, monitor)
        else:
            self.send(Down(monitor, NO_PROCESS))
        return monitor

    def demonitor(self, monitor: Monitor) -> None:
        """Undo `monitor`; a `Down` already in the mailbox stays there."""
        self._watching = untied(self._watching, monitor)
        target = monitor.process
        target._monitors = untied(target._monitors, monitor)  # noqa: SLF001  # both ends of one monitor

    def exit(self, reason: Reason, sender: Process | None = None) -> None:
        """Signal an exit (`exit/2`).

        From a linked process it ends this one, unless the reason is `normal`, or arrives as an `Exit` message if this
        one traps exits. From the parent, or from nobody (an order from outside), it ends the process in any case; one
        that traps exits first handles what is already in its mailbox, as in OTP.
        """
        if sender is self.parent:
            sender = None  # its word is an order
        if self.server.trap_exit:
            self._post((_EXIT, reason, None) if sender is None else (_INFO, Exit(sender, reason), None))
        elif sender is None or reason != NORMAL:
            self._end(reason)

    def kill(self) -> None:
        """End the process at once, without `terminate` (`exit(Pid, kill)`); links see `killed`."""
        self._end(KILL)

    async def wait(self) -> None:
        """Return when the process has ended."""
        await asyncio.wait([self.gone()])

    def gone(self) -> asyncio.Future[None]:
        """Return a future that is done when the process has ended. All who ask share it: nobody may cancel it."""
        if self._gone is None:
            self._gone = asyncio.get_running_loop().create_future()
            if not self.alive:
                self._gone.set_result(None)
        return self._gone

    def reply_later(self, reply_to: ReplyTo, awaitable: Awaitable[Any]) -> None:
        """Await beside, and answer: see `GenServer.reply_later`."""
        self._begin_beside(awaitable, reply_to)

    def spawn(self, awaitable: Awaitable[object]) -> None:
        """Await beside: see `GenServer.spawn`."""
        self._begin_beside(awaitable, None)

    @abstractmethod
    def run(self) -> asyncio.Future[None] | None:
        """Start; called once, by the node. Return None when `init` is done, or what is done when `init` is.

        Raise what `init` raises, or CallError if an exit came before it was done; or the future does.
        """

    @abstractmethod
    def _wake(self) -> None:
        """Have a message handled: the mailbox was empty before."""

    @abstractmethod
    def _interrupt(self) -> None:
        """Have the process end by `_exit`, which has just been set."""

    def _ask(self, call: _Message) -> None:
        """Have a call handled in its turn."""
        self._post(call)

    def _post(self, message: _Message) -> None:
        mailbox = self._mailbox
        if mailbox is None:
            if self.server is not _ENDED:
                self._mailbox = message
                self._wake()
        elif isinstance(mailbox, deque):
            mailbox.append(message)
        else:
            self._mailbox = deque((mailbox, message))

    def _end(self, reason: Reason) -> None:
        if self.server is not _ENDED and (self._exit is None or reason == KILL):
            self._exit = reason
            self._interrupt()

    def _work(self, until: int) -> tuple[Awaitable[Any], ReplyTo | None] | None:
        """Handle messages until there is none, or `until` have been handled in all, or the process is to end.

        If a callback has to wait, return for what, and who is to be answered then.
        """
        server = self.server
        while (mailbox := self._mailbox) is not None and self._exit is None and self.handled < until:
            if isinstance(mailbox, deque):
                kind, payload, reply_to = mailbox.popleft()
                if not mailbox:
                    self._mailbox = None
            else:
                kind, payload, reply_to = mailbox
                self._mailbox = None
            self.handled += 1
            if reply_to is not None:
                try:
                    answer = server.handle_call(payload, reply_to)
                except Stop as stop:
                    reply(reply_to, stop.reply)
                    raise
                if isinstance(answer, CoroutineType):
                    return answer, reply_to
                reply(reply_to, answer)
            elif kind == _EXIT:
                raise Stop(payload)
            else:
                done = server.handle_cast(payload) if kind == _CAST else server.handle_info(payload)
                if done is not None and done is not DONE:
                    return done, None
        return None

    def _reason(self, error: BaseException) -> Reason:
        """Return the exit reason that an exception of the server's code is; log a crash, unless the starter gets it."""
        if isinstance(error, Stop):
            return error.reason
        if not self.initialised:
            return error
        how = ": what it waited for was cancelled" if isinstance(error, asyncio.CancelledError) else ""
        _log.error("%s crashed%s", self.name, how, exc_info=error)
        return error

    def _fail(self, error: BaseException) -> None:
        """Let what a callback raised be the end of the process, unless it is killed anyway."""
        reason = self._reason(error)
        if self._exit != KILL:
            self._exit = reason

    def _fail_to_terminate(self, error: BaseException) -> None:
        _log.error("%s crashed in terminate", self.name, exc_info=error)
        if self._exit != KILL:
            self._exit = error

    def _finish(self) -> Reason:
        """End by `_exit`: tell everybody, and let go of everything. Return the reason as others see it."""
        assert self._exit is not None  # noqa: S101  # nothing ends without a reason
        was_killed = self._exit == KILL
        reason, self._exit = KILLED if was_killed else self._exit, None
        self.node.forget(self)
        server, self.server = self.server, _ENDED
        self._mailbox = None
        for reply_to in tuple(self._callers):
            if not reply_to.done():
                reply_to.set_exception(CallError(self.name, reason))
        for task in tuple(self._beside):
            task.cancel()
        watching, self._watching = self._watching, ()
        for monitor in watching:
            target = monitor.process
            target._monitors = untied(target._monitors, monitor)  # noqa: SLF001  # both ends of one monitor
        monitors, self._monitors = self._monitors, ()
        for monitor in monitors:
            watcher = monitor.watcher
            watcher._watching = untied(watcher._watching, monitor)  # noqa: SLF001  # both ends of one monitor
            watcher.send(Down(monitor, reason))
        links, self._links = self._links, ()
        for other in links:
            other._links = untied(other._links, self)  # noqa: SLF001  # both ends of one link
            other.exit(reason, self)
        if self._gone is not None:
            self._gone.set_result(None)
        if was_killed:
            server.close_port()
        return reason

    def _start_error(self, reason: Reason) -> Exception:
        return reason if isinstance(reason, Exception) else CallError(self.name, reason)

    def _begin_beside(self, awaitable: Awaitable[Any], reply_to: ReplyTo | None) -> None:
        task = task_of(awaitable, f"{self.name}, beside")
        self._beside = tied(self._beside, task)
        task.add_done_callback(partial(self._end_beside, reply_to))

    def _end_beside(self, reply_to: ReplyTo | None, task: asyncio.Task[Any]) -> None:
        self._beside = untied(self._beside, task)
        error = failure_of(task)
        if reply_to is not None:
            failure = Failure(error if isinstance(error, Exception) else CallError(self.name, error)) if error else None
            reply(reply_to, failure or task.result())
        elif error is not None and not was_cancelled(task):
            self.exit(self._reason(error))

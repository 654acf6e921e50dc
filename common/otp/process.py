"""A process: one asyncio task that takes messages from its own mailbox, one at a time, and runs a gen_server with them.

What must hold, and how it does:

* A callback runs alone: nothing else touches the server's state while it awaits. One task, one mailbox.
* Whoever waits for an answer gets one. Every pending call is held in `_callers` and fails with `CallError` when the
  process ends, also one whose reply was postponed and one still in the mailbox.
* An end is told exactly once, to links and monitors, after the server's `terminate` has run. `terminate` is not cut
  short: once it is due, no exit signal counts but `kill`.
* An exit signal is a cancellation with a reason (to a process that traps exits: a message). It is the only cancellation
  that is not passed on: one that comes from elsewhere (the loop being shut down) ends the process with `shutdown` and
  goes on its way. A CancelledError that nobody sent to this task (what it waited for was cancelled) is a crash.
* A task that is cancelled before its first step never runs a line, so `terminate` and the signals would be lost; until
  the first step an exit only leaves its reason, and the task finds it.

Unlike OTP, `terminate` is called whether the process traps exits or not; only `kill` skips it. As in OTP a kill is not
handed on: what is linked to the killed process gets the signal `killed`, and terminates.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from common.otp.signals import (
    KILLED,
    NO_PROCESS,
    NORMAL,
    SHUTDOWN,
    CallError,
    CallTimeoutError,
    Down,
    Exit,
    Failure,
    Monitor,
    Reason,
    Stop,
)

if TYPE_CHECKING:
    from common.otp.gen_server import GenServer
    from common.otp.node import Node

_log = logging.getLogger(__name__)

NO_REPLY: Final = object()
"""Returned by `handle_call` when the answer comes later, by `reply`."""

_KILL: Final = "kill"
"""The exit reason that skips `terminate`; others see the end of it as `killed`, which is a reason like any other."""

_TURN = 64
"""Messages a process may handle before the others get the loop: what a budget of reductions is to the BEAM."""

_CALL, _CAST, _INFO, _EXIT = range(4)

ReplyTo = asyncio.Future[Any]
"""Who waits for the answer of a call (OTP's `From`)."""


def reply(reply_to: ReplyTo, answer: Any) -> None:  # an answer is whatever the server says
    """Answer a call (`gen_server:reply/2`); a caller that no longer waits is left in peace."""
    if reply_to.done():
        return
    if isinstance(answer, Failure):
        reply_to.set_exception(answer.error)
    else:
        reply_to.set_result(answer)


async def _take_in_cancellation(task: asyncio.Task[None]) -> None:
    """Let the cancellation of an exit signal arrive that would disturb `terminate`.

    A process that signals its own exit and then raises ends before it hears of it.
    """
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    task.uncancel()


class Process:
    """A running gen_server as others see it: something to call, cast to, link and monitor."""

    __slots__ = (
        "_begun",
        "_callers",
        "_ended",
        "_exit",
        "_links",
        "_mailbox",
        "_monitors",
        "_task",
        "_wakeup",
        "_watching",
        "handled",
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
        self._mailbox: deque[tuple[int, Any, ReplyTo | None]] = deque()
        self._wakeup: asyncio.Future[None] | None = None
        self._callers: set[ReplyTo] = set()
        self._links: set[Process] = set()
        self._monitors: set[Monitor] = set()
        self._watching: set[Monitor] = set()
        self._exit: Reason | None = None
        self._ended: Reason | None = None
        self._begun = False
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._ended is None

    @property
    def queued(self) -> int:
        """Messages that wait in the mailbox."""
        return len(self._mailbox)

    async def call(self, request: object, timeout_s: float | None = 5.0) -> Any:  # the server's answer
        """Ask and wait for the answer (`gen_server:call/3`).

        `timeout_s` in seconds, None for as long as it takes. Raise CallTimeoutError; CallError if the process has ended
        or ends before it answers; or the error of a `Failure` that the server returned.
        """
        if self._ended is not None:
            raise CallError(self.name, NO_PROCESS)
        reply_to: ReplyTo = asyncio.get_running_loop().create_future()
        self._callers.add(reply_to)
        self._post((_CALL, request, reply_to))
        try:
            if timeout_s is None:
                return await reply_to
            async with asyncio.timeout(timeout_s):
                return await reply_to
        except TimeoutError:
            if not reply_to.cancelled():
                return reply_to.result()  # it came as the time ran out, or is the server's own Failure(TimeoutError)
            raise CallTimeoutError(f"{self.name} did not answer within {timeout_s} s") from None
        finally:
            self._callers.discard(reply_to)

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
        self._links.add(other)
        other._links.add(self)  # both ends of one link

    def unlink(self, other: Process) -> None:
        """Undo `link`."""
        self._links.discard(other)
        other._links.discard(self)  # both ends of one link

    def monitor(self, other: Process) -> Monitor:
        """Have a `Down` sent to this process when `other` ends; at once if it has ended already."""
        monitor = Monitor(other, self)
        if other.alive and self.alive:
            other._monitors.add(monitor)  # both ends of one monitor
            self._watching.add(monitor)
        else:
            self.send(Down(monitor, NO_PROCESS))
        return monitor

    def demonitor(self, monitor: Monitor) -> None:
        """Undo `monitor`; a `Down` already in the mailbox stays there."""
        self._watching.discard(monitor)
        monitor.process._monitors.discard(monitor)  # noqa: SLF001  # both ends of one monitor

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
        self._end(_KILL)

    async def wait(self) -> None:
        """Return when the process has ended."""
        assert self._task is not None  # noqa: S101  # the node starts it in the same breath as it makes the process
        await asyncio.wait([self._task])

    def run(self) -> asyncio.Future[None]:
        """Start the task; the future is done when `init` is, and raises what it raised. Called once, by the node."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(started), name=self.name)
        return started

    def _post(self, message: tuple[int, Any, ReplyTo | None]) -> None:
        if self._ended is not None:
            return
        self._mailbox.append(message)
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def _end(self, reason: Reason) -> None:
        if self._ended is not None or (self._exit is not None and reason != _KILL):
            return
        self._exit = reason
        if self._begun and self._task is not None:
            self._task.cancel()

    async def _run(self, started: asyncio.Future[None]) -> None:
        self._begun = True
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine of asyncio runs in one
        initialised = cancelled_from_outside = False
        reason: Reason = NORMAL
        try:
            if self._exit is not None:
                raise Stop(self._exit)  # noqa: TRY301  # the exit came before the first step
            await self.server.init()
            initialised = True
            reply(started, None)
            await self._serve()
        except Stop as stop:
            reason = stop.reason
        except asyncio.CancelledError as error:
            cancelled_from_outside = self._exit is None and task.cancelling() > 0
            reason = self._exit or (SHUTDOWN if cancelled_from_outside else error)
            task.uncancel()  # it has arrived; `asyncio.timeout` and `TaskGroup` in `terminate` look at this count
            if reason is error:
                _log.exception("%s crashed: what it waited for was cancelled", self.name)
        except Exception as error:  # a crash of any kind is this process's exit reason
            reason = error
            _log.exception("%s crashed", self.name)
        if self._exit is not None and task.cancelling():
            await _take_in_cancellation(task)
        if self._exit != _KILL:
            self._exit = reason  # from here on no signal counts but a kill
        if initialised:
            cancelled_from_outside |= await self._terminate(reason)
        self._finish(KILLED if self._exit == _KILL else self._exit or reason, started)
        if cancelled_from_outside:
            raise asyncio.CancelledError

    async def _terminate(self, reason: Reason) -> bool:
        """Have the server clean up, unless killed; return whether that was cancelled from outside."""
        if self._exit == _KILL:
            return False
        try:
            await self.server.terminate(reason)
        except asyncio.CancelledError:
            return self._exit != _KILL
        except Exception as error:
            _log.exception("%s crashed in terminate", self.name)
            self._exit = error
        return False

    async def _serve(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        server, mailbox = self.server, self._mailbox
        turn = 0
        while True:
            while mailbox:
                kind, payload, reply_to = mailbox.popleft()
                self.handled += 1
                if kind == _CALL:
                    assert reply_to is not None  # noqa: S101  # a call is always posted with one
                    answer = server.handle_call(payload, reply_to)
                    if isinstance(answer, CoroutineType):
                        answer = await answer
                    if answer is not NO_REPLY:
                        reply(reply_to, answer)
                elif kind == _EXIT:
                    raise Stop(payload)
                else:
                    done = server.handle_cast(payload) if kind == _CAST else server.handle_info(payload)
                    if done is not None:
                        await done
                turn += 1
                if turn == _TURN:
                    turn = 0
                    await asyncio.sleep(0)
            payload = reply_to = answer = None  # an idle process does not keep its last message alive
            self._wakeup = loop.create_future()
            await self._wakeup
            self._wakeup = None

    def _finish(self, reason: Reason, started: asyncio.Future[None]) -> None:
        self._ended = reason
        self.node.forget(self)
        if not started.done():
            started.set_exception(reason if isinstance(reason, Exception) else CallError(self.name, reason))
        for reply_to in tuple(self._callers):
            if not reply_to.done():
                reply_to.set_exception(CallError(self.name, reason))
        self._mailbox.clear()
        for monitor in self._watching:
            monitor.process._monitors.discard(monitor)  # noqa: SLF001  # both ends of one monitor
        for monitor in self._monitors:
            monitor.watcher._watching.discard(monitor)  # noqa: SLF001  # both ends of one monitor
            monitor.watcher.send(Down(monitor, reason))
        self._watching.clear()  # whoever holds on to this process should not
        self._monitors.clear()  # hold on to all it knew
        links, self._links = self._links, set()
        for other in links:
            other._links.discard(self)  # noqa: SLF001  # both ends of one link
            other.exit(reason, self)

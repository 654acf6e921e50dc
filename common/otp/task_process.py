"""A process that is one asyncio task from start to end, as a gen_server is one Erlang process.

* An exit signal is a cancellation with a reason (to a process that traps exits: a message). It is the only cancellation
  that is not passed on: one that comes from elsewhere ends the process with `shutdown` and goes on its way.
* A task that is cancelled before its first step never runs a line, so `terminate` and the signals would be lost; until
  the first step an exit only leaves its reason, and the task finds it. Where the loop ends and cancels all tasks, those
  that wait for such a process are told by what is called when its task is done.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from common.otp.process import Process, reply
from common.otp.scheduler import TURN
from common.otp.signals import KILL, SHUTDOWN, Failure, Stop

if TYPE_CHECKING:
    from common.otp.gen_server import GenServer
    from common.otp.node import Node


async def _take_in_cancellation(task: asyncio.Task[None]) -> None:
    """Let the cancellation of an exit signal arrive that would disturb `terminate`.

    A process that signals its own exit and then raises ends before it hears of it.
    """
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    task.uncancel()


class TaskProcess(Process):
    """Runs its server in a task of its own, which waits for the next message when there is none."""

    __slots__ = ("_begun", "_task", "_wakeup")

    def __init__(self, node: Node, server: GenServer, name: str, parent: Process | None) -> None:
        super().__init__(node, server, name, parent)
        self._task: asyncio.Task[None] | None = None
        self._wakeup: asyncio.Future[None] | None = None
        self._begun = False

    def run(self) -> asyncio.Future[None]:
        """Start the task; the future is done when `init` is, and raises what it raised."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(started), name=self.name)
        self._task.add_done_callback(partial(self._end_unbegun, started))
        return started

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def _interrupt(self) -> None:
        if self._begun and self._task is not None:
            self._task.cancel()

    def _end_unbegun(self, started: asyncio.Future[None], task: asyncio.Task[None]) -> None:
        """End a process whose task was cancelled, from elsewhere, before its first step."""
        del task
        if not self._begun:
            self._exit = self._exit or SHUTDOWN
            self._task = None
            reply(started, Failure(self._start_error(self._finish())))

    async def _run(self, started: asyncio.Future[None]) -> None:
        self._begun = True
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine of asyncio runs in one
        is_signalled = cancelled_from_outside = False
        try:
            if self._exit is not None:
                raise Stop(self._exit)  # noqa: TRY301  # the exit came before the first step
            waiting = self.server.init()
            if waiting is not None:
                await waiting
            self.initialised = True
            reply(started, None)
            await self._serve()
        except asyncio.CancelledError as error:
            is_signalled = self._exit is not None
            cancelled_from_outside = not is_signalled and task.cancelling() > 0
            task.uncancel()  # it has arrived; `asyncio.timeout` and `TaskGroup` in `terminate` look at this count
            if not is_signalled:
                self._fail(Stop(SHUTDOWN) if cancelled_from_outside else error)
        except Exception as error:  # a crash of any kind is this process's exit reason
            is_signalled = self._exit is not None
            self._fail(error)
        if is_signalled and task.cancelling():
            await _take_in_cancellation(task)
        if self.initialised and self._exit != KILL:
            cancelled_from_outside |= await self._terminate()
        self._task = None
        reason = self._finish()
        if not started.done():
            reply(started, Failure(self._start_error(reason)))
        del reason, started  # the frames of a crash are in it, and this is one of them
        if cancelled_from_outside:
            raise asyncio.CancelledError

    async def _terminate(self) -> bool:
        """Have the server clean up; return whether that was cancelled from outside."""
        assert self._exit is not None  # noqa: S101  # that is why it terminates
        try:
            waiting = self.server.terminate(self._exit)
            if waiting is not None:
                await waiting
        except asyncio.CancelledError:
            return self._exit != KILL
        except Exception as error:
            self._fail_to_terminate(error)
        return False

    async def _serve(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        until = self.handled + TURN
        while True:
            pending = self._work(until)
            if pending is not None:
                waiting, reply_to = pending
                try:
                    answer = await waiting
                except Stop as stop:
                    if reply_to is not None:
                        reply(reply_to, stop.reply)
                    raise
                if reply_to is not None:
                    reply(reply_to, answer)
                del pending, waiting, reply_to, answer  # an idle process does not keep its last message alive
            if self._exit is not None:
                raise Stop(self._exit)  # its own doing, or the callback did not let the cancellation out
            if self.handled >= until:
                await asyncio.sleep(0)
                until = self.handled + TURN
            elif self._mailbox is None:
                self._wakeup = loop.create_future()
                await self._wakeup
                self._wakeup = None
                until = self.handled + TURN

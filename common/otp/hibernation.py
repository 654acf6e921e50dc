"""A process that hibernates: while it has nothing to do it has no task, no stack and no mailbox.

Source: the slides "Stage 2.3, gen_server: memory footprint", erlang:hibernate/3. What is left of an idle process is its
server and the few words of `Process`.

* A message puts it into the run queue of its node; its turn there handles the message by calling the server. As long as
  the callbacks are plain there is no task, which is most of what a message to an idle process would cost.
* A call to a process that is asleep does not even need the run queue: the caller runs it, and has the answer at once
  unless a callback waits.
* A callback that has to wait does so in a task of its own: the task is the callback, not the process. So a task that
  is cancelled before its first step loses nothing; and `terminate` has a task that nobody has cancelled yet.
* What a task can be asked for, a process that has none must be: an exit signal finds it in the run queue, and the end
  of the loop, which cancels tasks, reaches it through the node.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from common.otp.gen_server import DONE
from common.otp.process import Process, ReplyTo, reply
from common.otp.scheduler import TURN
from common.otp.signals import KILL, SHUTDOWN, Failure, Stop
from common.otp.tasks import failure_of, task_of, was_cancelled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.otp.gen_server import GenServer
    from common.otp.node import Node
    from common.otp.process import _Message


class HibernatingProcess(Process):
    """Runs its server in the turns that its node's run queue gives it, and in a task while a callback waits."""

    __slots__ = ("_is_asleep", "_task")

    def __init__(self, node: Node, server: GenServer, name: str, parent: Process | None) -> None:
        super().__init__(node, server, name, parent)
        self._is_asleep = False
        self._task: asyncio.Task[Any] | None = None

    def run(self) -> asyncio.Future[None] | None:
        """Start: `init` runs at once, and if it has to wait, the future is done when it is."""
        if self._exit is None:
            try:
                waiting = self.server.init()
            except (Exception, asyncio.CancelledError) as error:
                self._fail(error)
            else:
                if waiting is not None and waiting is not DONE:
                    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._wait_for(waiting, partial(self._started, started))
                    return started
                self.initialised = True
                self._rest()
                return None
        raise self._start_error(self._finish())

    def turn(self) -> int:
        """Handle messages for a while, or end; return how many were handled. Called by the run queue."""
        before, pending = self.handled, None
        try:
            pending = self._work(before + TURN)
        except (Exception, asyncio.CancelledError) as error:  # a CancelledError is of a future that it looked at
            self._fail(error)
        if pending is not None:
            self._wait_for(pending[0], partial(self._handled, pending[1]))
        else:
            self._go_on()
        return self.handled - before

    def shut_down(self) -> None:
        """End the process as a cancellation from outside would, if it has no task that can be cancelled."""
        if self._task is None:
            self._end(SHUTDOWN)

    def _ask(self, call: _Message) -> None:
        """Have a call handled: if the process is asleep at once, in the caller's turn, since nothing came before it."""
        if self._is_asleep:
            self._is_asleep = False
            self._mailbox = call
            self.turn()
        else:
            self._post(call)

    def _wake(self) -> None:
        if self._is_asleep:
            self._is_asleep = False
            self.node.run_queue.add(self)

    def _interrupt(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._wake()  # or else it is in the run queue, or having its turn

    def _go_on(self) -> None:
        if self._exit is not None:
            self._terminate()
        else:
            self._rest()

    def _rest(self) -> None:
        """Hibernate if there is nothing to do, else wait for a turn."""
        if self._mailbox is None and self._exit is None:
            self._is_asleep = True
        else:
            self.node.run_queue.add(self)

    def _wait_for(self, awaitable: Awaitable[Any], then: Callable[[asyncio.Task[Any]], None]) -> None:
        self._task = task_of(awaitable, self.name)
        self._task.add_done_callback(then)
        if self._exit is not None:
            self._task.cancel()  # the callback has brought this on before it came to wait

    def _failure(self, task: asyncio.Task[Any]) -> BaseException | None:
        """Return how the callback has failed whose task is done, if it has; that is the end of the process then."""
        self._task = None
        error = failure_of(task)
        if error is None:
            return None
        if not isinstance(error, asyncio.CancelledError) or self._exit is None:  # or else the exit signal did that
            self._fail(Stop(SHUTDOWN) if was_cancelled(task) else error)
        return error

    def _started(self, started: asyncio.Future[None], task: asyncio.Task[None]) -> None:
        if self._failure(task) is not None:
            reply(started, Failure(self._start_error(self._finish())))
        else:
            self.initialised = True
            reply(started, None)
            self._rest()

    def _handled(self, reply_to: ReplyTo | None, task: asyncio.Task[Any]) -> None:
        error = self._failure(task)
        if reply_to is not None and (error is None or isinstance(error, Stop)):
            reply(reply_to, task.result() if error is None else error.reply)
        self._go_on()

    def _terminate(self) -> None:
        if self._exit is not None and self._exit != KILL:
            try:
                waiting = self.server.terminate(self._exit)
            except (Exception, asyncio.CancelledError) as error:
                self._fail_to_terminate(error)
            else:
                if waiting is not None and waiting is not DONE:
                    self._task = task_of(waiting, self.name)
                    self._task.add_done_callback(self._terminated)
                    return
        self._finish()

    def _terminated(self, task: asyncio.Task[None]) -> None:
        self._task = None
        error = failure_of(task)
        if error is not None and not was_cancelled(task):
            self._fail_to_terminate(error)
        self._finish()

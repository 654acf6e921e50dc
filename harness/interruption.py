"""Ctrl-C, SIGTERM and SIGHUP while something is measured: noted when they come, obeyed where that waits.

A signal handler that raises does so between any two steps of a program: when a process has been started and nobody has
written down yet that it must be ended, or when a lock is held that `with` does not know of yet, and stays held then for
ever, or in a finalizer, where Python drops the exception
(https://docs.python.org/3/library/signal.html#note-on-signal-handlers-and-exceptions). A trial consists of such steps.
So within `interruptions_deferred` the handler only makes a note, and KeyboardInterrupt is raised by who waits: every
wait that may last looks at the note fifty times a second, is run by `run_interruptibly`, or has nothing to lose and is
`interrupted_at_once`.

Of 1,600 trials that were interrupted within 50 ms after their generator was started, five never ended with a handler
that raises: four stood at a lock of coverage, which takes it at each call, and one had dropped the exception. Now none.

Rejected: signal.pthread_sigmask around each step. What is started inherits the mask and could not be told to end.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

from common.process_start import ending_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from threading import Event

_T = TypeVar("_T")


class _Note:
    """What a process has been told, as signals are the whole process's: that it is to end, and whom that wakes."""

    def __init__(self) -> None:
        self.is_due = False
        self.wake: Callable[[], object] | None = None

    def make(self, number: int, frame: object) -> None:
        del number, frame
        self.is_due = True
        if self.wake is not None:
            self.wake()


_note: Final = _Note()


@contextmanager
def interruptions_deferred() -> Iterator[None]:
    """Have Ctrl-C, SIGTERM and SIGHUP noted inside instead of obeyed at once.

    Enter it in the main thread, and only once.

    Raise KeyboardInterrupt at the end if one was noted that nobody inside has obeyed, unless another error ends the
    block. A signal that the process ignores is ignored inside as well.
    """
    before = {number: signal.getsignal(number) for number in ending_signals()}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _note.make)
    try:
        yield
        raise_if_interrupted()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _note.is_due = False


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt if an interruption was noted, once for each: another may come while things are undone."""
    if _note.is_due:
        _note.is_due = False
        raise KeyboardInterrupt


def sleep_interruptibly(seconds: float) -> None:
    """Sleep for a fraction of a second, between two looks at what is waited for. Raise KeyboardInterrupt if noted."""
    raise_if_interrupted()
    time.sleep(seconds)


@contextmanager
def interrupted_at_once() -> Iterator[None]:
    """Have KeyboardInterrupt raised inside wherever it may come: for system calls that last, with nothing to undo."""
    with _woken_by(raise_if_interrupted):
        yield


def run_interruptibly(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine as asyncio.run does; an interruption cancels it. Raise KeyboardInterrupt then."""
    try:
        return asyncio.run(_told(coroutine))
    except asyncio.CancelledError:
        raise_if_interrupted()
        raise


async def _told(coroutine: Coroutine[Any, Any, _T]) -> _T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 -- a coroutine that runs has a task; this tells the type checker
    with _woken_by(lambda: loop.call_soon_threadsafe(task.cancel)):  # a handler runs while the loop is asleep
        return await coroutine


@contextmanager
def _woken_by(wake: Callable[[], object]) -> Iterator[None]:
    """Have `wake` called inside when an interruption is noted, and at once if one was before."""
    before, _note.wake = _note.wake, wake
    try:
        if _note.is_due:
            wake()
        yield
    finally:
        _note.wake = before


@contextmanager
def background_thread(name: str, work: Callable[[], object], over: Event) -> Iterator[None]:
    """Have `work` done in a thread inside; leaving sets `over`, at which it must return, and waits until it has.

    No KeyboardInterrupt may come while the thread starts.
    """
    thread = Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

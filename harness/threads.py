"""A thread beside a trial, which ends with it."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event


@contextmanager
def thread_beside(name: str, work: Callable[[], object], over: Event) -> Iterator[None]:
    """Have `work` done in a thread inside; leaving sets `over`, at which it must return, and waits until it has.

    No KeyboardInterrupt may come while the thread starts (see `harness.interruption`).
    """
    thread = Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

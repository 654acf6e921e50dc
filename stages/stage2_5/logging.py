"""Lesson `logging`: choose what to log, and write it beside.

What a process handles is logged from WARNING on, which is never: such a line costs a look at a level and no write.
What is left goes into a queue, from which a thread writes it to standard error (logging.handlers.QueueHandler: "so that
handling can be done in a separate thread").
"""

from __future__ import annotations

import logging
import queue
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from typing import TYPE_CHECKING, Final

from stages.stage0.log import messages

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def log_beside() -> Iterator[None]:
    """Log events and what is worse than INFO, from a thread; at the end everything that was said is written."""
    writer = logging.StreamHandler()
    writer.setFormatter(logging.Formatter(FORMAT))
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = QueueHandler(lines)  # not by basicConfig, which would have it format each line a first time
    listener = QueueListener(lines, writer)
    root = logging.getLogger()
    levels = [(logger, logger.level) for logger in (root, messages)]
    root.setLevel(logging.INFO)
    messages.setLevel(logging.WARNING)
    root.addHandler(handler)
    listener.start()
    try:
        yield
    finally:
        root.removeHandler(handler)  # nobody would write what it takes from here on
        for logger, level in levels:
            logger.setLevel(level)
        listener.stop()

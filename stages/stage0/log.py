"""The log of the baseline: to standard error, written where it is said, a line a message that a process handles.

What goes wrong for every fan of a crowd is the exception: that is a line a minute (`Seldom`).
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

messages: Final = logging.getLogger("matchstream.messages")
"""What each process handles, a line a message."""
events: Final = logging.getLogger("matchstream.events")
"""What happens in the matches, a line an event."""


SILENCE_S: Final = 60.0
"""How long the log is spared another line of the same trouble; under a crowd it comes and goes all the time."""


class Seldom:
    """Logs one kind of trouble, the first time and then at most once in SILENCE_S seconds, however often it is told."""

    __slots__ = ("_log", "_silent_until_s")

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._silent_until_s = 0.0

    def warning(self, message: str, *values: object) -> None:
        """Log a warning, as `logging.Logger.warning` does, unless there was one just now."""
        now_s = monotonic()
        if now_s >= self._silent_until_s:
            self._silent_until_s = now_s + SILENCE_S
            self._log.warning(message, *values)


@contextmanager
def log_everything() -> Iterator[None]:
    """Log all there is, from INFO on, in the format that Python's logging has by itself."""
    logging.basicConfig(level=logging.INFO)
    yield

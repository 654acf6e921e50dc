"""The log of the baseline: to standard error, written where it is said, a line a message that a process handles."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

messages: Final = logging.getLogger("matchstream.messages")
"""What each process handles, a line a message."""
events: Final = logging.getLogger("matchstream.events")
"""What happens in the matches, a line an event."""


@contextmanager
def log_everything() -> Iterator[None]:
    """Log all there is, from INFO on, in the format that Python's logging has by itself."""
    logging.basicConfig(level=logging.INFO)
    yield

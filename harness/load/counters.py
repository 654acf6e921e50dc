"""Counts that a generator process keeps where the trial can see them: a few numbers in shared memory.

Reports over the control connection would have to be read in time, or the generator would block on a full pipe in the
middle of a measurement. Here the generator writes when it likes and the trial looks when it likes. Each number is one
aligned machine word, so none is ever half-written; two of them may be a turn of the loop apart.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

from harness.load.samples import Progress

if TYPE_CHECKING:
    from typing import Self

_FIELDS: Final = 8  # of Progress
_HEARD: Final = _FIELDS  # after them: whether it was heard that the last event comes
_WORDS: Final = _FIELDS + 1
_WORD: Final = 8  # bytes of a signed 64-bit integer


class SharedProgress:
    """One writer's progress, seen by its readers. `fd` is to be handed to the other process, which `attach`es to it."""

    __slots__ = ("_memory", "_words", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, _WORDS * _WORD)
        self._words = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls) -> Self:
        """Make the shared memory, all zero."""
        fd = os.memfd_create("generator-progress")
        os.ftruncate(fd, _WORDS * _WORD)
        return cls(fd)

    def publish(self, progress: Progress) -> None:
        """Show this progress to the readers."""
        words = self._words
        words[0] = progress.started
        words[1] = progress.connected
        words[2] = progress.answered
        words[3] = progress.failed
        words[4] = progress.closed
        words[5] = progress.receipts
        words[6] = progress.slow
        words[7] = progress.away

    def read(self) -> Progress:
        """Return what was published last."""
        return Progress(*self._words[:_FIELDS])

    def hear_events_end(self) -> None:
        """Show the readers that the process has heard `EventsEnd`, and does as it says."""
        self._words[_HEARD] = 1

    @property
    def has_heard_events_end(self) -> bool:
        """Whether it has."""
        return bool(self._words[_HEARD])

    def close(self) -> None:
        """Let go of the memory; a second call does nothing."""
        if self.fd >= 0:
            self._words.release()
            self._memory.close()
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

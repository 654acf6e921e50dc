"""Waiting for the fans, wherever they are played: on this machine, or on those of a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.load.samples import Progress

_LOOK_EVERY_S: Final = 0.02
_SURPLUS_S: Final = 0.5  # how long an event that is delivered twice may take to come again


class AwaitedFans(ABC):
    """Fans that are on their way; `_expected` is how many are to come, so far as is known."""

    _expected: int

    @abstractmethod
    def progress(self) -> Progress:
        """Return how far the fans are, as was published last."""

    @abstractmethod
    def _pause(self, seconds: float) -> None:
        """Sleep, or raise GeneratorError as soon as it is known that who plays the fans has died."""

    def hold(self, seconds: float) -> None:
        """Let the fans be for so long. Raise GeneratorError if a generator process died."""
        deadline = monotonic() + seconds
        while (left_s := deadline - monotonic()) > 0:
            self._pause(min(_LOOK_EVERY_S, left_s))

    def wait_all_settled(self, timeout_s: float, on_progress: Callable[[Progress], None] | None = None) -> Progress:
        """Wait until every fan that was to come so far was answered or has failed.

        Return the progress then, or that after `timeout_s`.
        `on_progress` is called about fifty times a second. Raise GeneratorError if a generator process died.
        """
        deadline = monotonic() + timeout_s
        while True:
            progress = self.progress()
            if on_progress is not None:
                on_progress(progress)
            left_s = deadline - monotonic()
            if progress.settled >= self._expected or left_s <= 0:
                return progress
            self._pause(min(_LOOK_EVERY_S, left_s))

    def wait_all_back(self, timeout_s: float) -> Progress:
        """Wait until every fan who lost its connection, and connects again, was served again.

        Return the progress then, or that after `timeout_s`. Raise GeneratorError if a generator process died.
        """
        deadline = monotonic() + timeout_s
        while (progress := self.progress()).away and (left_s := deadline - monotonic()) > 0:
            self._pause(min(_LOOK_EVERY_S, left_s))
        return progress

    def wait_until_quiet(self, quiet_s: float, timeout_s: float, receipts: int | None = None) -> Progress:
        """Wait until the server has closed all who were answered, or none of them got anything for `quiet_s` seconds.

        Where the server does not close anybody, `receipts` says how many all must get together: once they are there,
        half a second of quiet is enough, in which an event may come that should not.
        Return the progress then, or that after `timeout_s`. Raise GeneratorError if a generator process died.
        """
        deadline = monotonic() + timeout_s
        changed_at = monotonic()
        progress = self.progress()
        while progress.closed < progress.answered - progress.slow:
            is_all = receipts is not None and progress.receipts >= receipts
            patience_s = min(quiet_s, _SURPLUS_S) if is_all else quiet_s
            if monotonic() >= min(changed_at + patience_s, deadline):
                break
            self._pause(_LOOK_EVERY_S)
            before, progress = progress, self.progress()
            if progress != before:
                changed_at = monotonic()
        return progress

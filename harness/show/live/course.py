"""How a trial goes, in figures for a person who looks on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.load.samples import Progress

if TYPE_CHECKING:
    from harness.load.reporter import Posted

NOBODY: Final = Progress()
"""The fans before the first was started."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the trial has told: its phase of `total` steps (0: not known), and what became of its posts.

    `watching` are the fans who were there when the first event was posted; `refusal` is why the last post that was
    refused was.
    """

    phase: str = "starting"
    total: int = 0
    watching: int = 0
    accepted: int = 0
    refused: int = 0
    refusal: str | None = None

    def begin(self, phase: str, total: int, progress: Progress) -> Told:
        """Return what is told at the beginning of a phase, with the fans as they are."""
        watching = progress.answered - progress.closed if phase == "posting" else self.watching
        return replace(self, phase=phase, total=total, watching=watching)

    def post(self, posted: Posted) -> Told:
        """Return what is told after a post."""
        if posted.accepted:
            return replace(self, accepted=self.accepted + 1)
        return replace(self, refused=self.refused + 1, refusal=posted.error)

    def reached(self, progress: Progress) -> int:
        """Return how many fans have the last event that was accepted, if all have those before.

        Fans tell how much they got, not what, so an event that was lost counts as one that is late.
        """
        due_before = self.watching * max(self.accepted - 1, 0)
        return min(max(progress.receipts - due_before, 0), self.watching) if self.accepted else 0


@dataclass(frozen=True, slots=True)
class Pace:
    """The fans at two moments, in seconds of time.monotonic, the later one being now."""

    at_s: float = 0.0
    progress: Progress = NOBODY
    before_s: float = 0.0
    before: Progress = NOBODY

    def next(self, at_s: float, progress: Progress) -> Pace:
        """Return the pace at the next moment."""
        return Pace(at_s, progress, self.at_s, self.progress)

    def per_s(self, count: str) -> float:
        """Return how much a count of the progress, by its name, grew in a second; 0 if no time has passed."""
        passed_s = self.at_s - self.before_s
        grown: int = getattr(self.progress, count) - getattr(self.before, count)
        return grown / passed_s if passed_s > 0 else 0.0

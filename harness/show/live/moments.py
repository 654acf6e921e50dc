"""A trial so far as lines of a chart: how many fans there were at each moment, what they got in a second. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.show.live.course import Pace

MOST: Final = 600
"""Moments that are kept: when there are more, every other one goes, and only every other one comes from then on."""


class Moments:
    """The columns of such a chart; `at_s` is from the first moment."""

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._every = self._skipped = 1
        self._rows: list[tuple[float, int, int, float]] = []

    def add(self, pace: Pace) -> None:
        """Note a moment."""
        if self._first_s is None:
            self._first_s = pace.at_s
        if self._skipped < self._every:
            self._skipped += 1
            return
        self._skipped = 1
        fans = pace.progress
        held = fans.answered - fans.closed
        rate = pace.per_s("receipts") if self._rows else 0.0  # the first has nothing before it
        self._rows.append((round(pace.at_s - self._first_s, 1), fans.connected - fans.closed, held, round(rate, 1)))
        if len(self._rows) > MOST:
            del self._rows[1::2]
            self._every *= 2

    def columns(self) -> dict[str, list[float]]:
        """Return `at_s`, `connected`, `answered` and `receipts_per_s`."""
        names = ("at_s", "connected", "answered", "receipts_per_s")
        return {name: [row[column] for row in self._rows] for column, name in enumerate(names)}

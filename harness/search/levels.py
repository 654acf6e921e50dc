"""The levels that a search may try: a scale from the smallest to the ceiling, and where to go next on it. Pure."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Levels are the multiples of `unit` from `unit` itself to `ceiling`.

    Two levels are *close* if nothing lies between them, or the lower is within `precision` of the upper, relative to
    the upper one.
    """

    unit: float
    ceiling: float
    precision: float

    @property
    def smallest(self) -> float:
        """The lowest level there is."""
        return self.unit

    @property
    def largest(self) -> float:
        """The highest level there is: the multiple at the ceiling, or the last one below it."""
        return max(self.unit, math.floor(self.ceiling / self.unit) * self.unit)

    def at(self, value: float) -> float:
        """Return the level at `value`, or the next one below; the nearest end of the scale for what is beyond it."""
        return min(max(math.floor(value / self.unit) * self.unit, self.smallest), self.largest)

    def is_close(self, lower: float, upper: float) -> bool:
        """Whether two levels need none between them."""
        return upper - lower <= self.unit or (upper - lower) / upper <= self.precision

    def between(self, lower: float, upper: float) -> float:
        """Return the level in the middle of two that are not close: as many times the lower as the upper is of it."""
        return min(max(self.at(math.sqrt(lower * upper)), lower + self.unit), upper - self.unit)

    def above(self, lower: float, stride: float) -> float:
        """Return the level that is `stride` of `lower` above it, at least one; none above the largest."""
        return min(max(self.at(lower * (1 + stride)), lower + self.unit), self.largest)

    def below(self, upper: float, stride: float) -> float:
        """Return the level that is `stride` of `upper` below it, at least one; none below the smallest."""
        return max(min(self.at(upper * (1 - stride)), upper - self.unit), self.smallest)

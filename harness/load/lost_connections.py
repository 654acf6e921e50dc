"""The connections that fans lost and did not part from, raw: a row each, so that fans who lose none cost nothing."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class LostConnections:
    """The columns have a row for each connection that a fan lost after it was served, in the order of the losses.

    Times are as in `Samples`: when it was lost, when the fan was served again, NaN if it never was, and when the try
    began that was served. `upto` is the highest number of an event that the fan had until then, 0 if none. `ended`
    counts them by how they were lost.

    Of the tries to connect again `tried` were made and `served` were answered, also of fans whom nobody had served
    before; `failures` counts the others by what became of them, as far as they were over.
    """

    fan: array[int] = field(default_factory=lambda: array("i"))
    lost_s: array[float] = field(default_factory=lambda: array("d"))
    back_s: array[float] = field(default_factory=lambda: array("d"))
    tried_s: array[float] = field(default_factory=lambda: array("d"))
    upto: array[int] = field(default_factory=lambda: array("i"))
    ended: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    served: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def lose(self, fan: int, at_s: float, upto: int, how: str) -> int:
        """Take a loss down, and return its row."""
        self.ended[how] += 1
        self.fan.append(fan)
        self.lost_s.append(at_s)
        self.back_s.append(math.nan)
        self.tried_s.append(math.nan)
        self.upto.append(upto)
        return len(self.fan) - 1

    @classmethod
    def merged(cls, parts: Iterable[tuple[range, LostConnections]]) -> Self:
        """Return what all fans lost; the fan k of a part is `fans[k]` of its range."""
        every = cls()
        for fans, part in parts:
            every.fan.extend(map(fans.__getitem__, part.fan))
            every.lost_s.extend(part.lost_s)
            every.back_s.extend(part.back_s)
            every.tried_s.extend(part.tried_s)
            every.upto.extend(part.upto)
            every.ended.update(part.ended)
            every.tried += part.tried
            every.served += part.served
            every.failures.update(part.failures)
        return every

"""The figures of trials, and the ratios between two sets of them. Pure.

A trial that is not valid says nothing of its server: it is kept in its record, and is in no figure and in no count.

Times are those of fans who were answered. A server that serves only a few of them serves those fast, and would be
praised for it; so where one side serves less than `SAME_FANS` of what the other does, its times are not compared:
`served` has told what there is to tell.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from harness.campaign.bootstrap import not_measured, ratio, ratio_of_limits
from harness.campaign.plan import DIMENSIONS
from harness.records.campaign import Figure, FoundLimit, Measurement, Ratio
from harness.records.search import Dimension

SAME_FANS = 0.99

_FIELDS: Mapping[Figure, str] = MappingProxyType(
    {
        "served": "served",
        "art": "art_mean_s",
        "response_p99": "response_p99_s",
        "fanout": "fanout_mean_s",
        "fanout_last": "fanout_last_s",
        "memory": "memory_per_connection_bytes",
    }
)
MEASURED: tuple[Figure, ...] = tuple(_FIELDS)
"""The figures that a trial has."""

TIMES: frozenset[Figure] = frozenset({"art", "response_p99", "fanout", "fanout_last"})
"""The figures that are a time, in seconds."""


def values(trials: Sequence[Measurement], figure: Figure) -> list[float]:
    """Return the figure of each valid trial that has it; a figure is one of `MEASURED`."""
    found = (getattr(trial, _FIELDS[figure]) for trial in trials if trial.valid)
    return [float(value) for value in found if value is not None]


def mean(trials: Sequence[Measurement], figure: Figure) -> float | None:
    """Return the mean of the figure over the valid trials, or None if none has it."""
    found = values(trials, figure)
    return math.fsum(found) / len(found) if found else None


def ratios(a: Sequence[Measurement], b: Sequence[Measurement]) -> tuple[Ratio, ...]:
    """Compare the trials of B with those of A by every figure that a trial has."""
    same = _same_fans(a, b)
    return tuple(_ratio(figure, values(a, figure), values(b, figure), same_fans=same) for figure in MEASURED)


def ratios_of_limits(a: Sequence[FoundLimit], b: Sequence[FoundLimit]) -> tuple[Ratio, ...]:
    """Compare the searches of B with those of A for N and for C; `not measured` where either was not made."""
    return tuple(ratio_of_limits(figure, _limit(a, figure), _limit(b, figure)) for figure in DIMENSIONS)


def _ratio(figure: Figure, a: list[float], b: list[float], *, same_fans: bool) -> Ratio:
    if figure in TIMES and not same_fans:
        return not_measured(figure, (len(a), len(b)))
    return ratio(figure, a, b)


def _same_fans(a: Sequence[Measurement], b: Sequence[Measurement]) -> bool:
    served = mean(a, "served"), mean(b, "served")
    if served[0] is None or served[1] is None:
        return False
    return min(served[0], served[1]) >= SAME_FANS * max(served[0], served[1])


def _limit(limits: Sequence[FoundLimit], dimension: Dimension) -> FoundLimit | None:
    return next((limit for limit in limits if limit.dimension == dimension), None)


def has_too_few_runs(found: Ratio) -> bool:
    """Whether a ratio has no interval, so that no change could be seen."""
    return found.value is not None and found.low is None and found.high is None

"""The figures of trials, and the ratios between two sets of them. Pure.

A trial that is not valid says nothing of its server: it is kept in its record, and is in no figure and in no count.

Times are those of fans who were answered. A server that serves only a few of them serves those fast, and would be
praised for it; so where one side serves less than `SAME_FANS` of what the other does, its times are not compared:
`served` has told what there is to tell. Nor are they where only some trials have them: those that have would be the
lucky ones.

Failures count as infinite. A p99 that lies among the fans who were never answered is infinite, and so is the mean over
repeats of which one is: there is no ratio of it, and the judgement says who fails.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from harness.campaign.intervals import Estimate, estimates
from harness.campaign.plan import DIMENSIONS
from harness.campaign.verdicts import ratio_of_limits
from harness.records.campaign import Figure, FoundLimit, Measurement, Ratio
from harness.records.search import Dimension

SAME_FANS = 0.99

_FIELDS: Mapping[Figure, str] = MappingProxyType(
    {
        "served": "served",
        "art": "art_mean_s",
        "response_p99": "response_p99_s",
        "newcomers": "newcomers_mean_s",
        "newcomers_art": "newcomers_art_mean_s",
        "fanout": "fanout_mean_s",
        "fanout_p99": "fanout_p99_s",
        "fanout_last": "fanout_last_s",
        "memory": "memory_per_connection_bytes",
        "server_memory": "server_memory_bytes",
        "server_cpu": "cpu_mean",
        "loop_lag_p99": "loop_lag_p99_s",
        "api": "api_mean_s",
        "cut": "cut",
        "recovery": "recovery_s",
        "open_files": "open_files_held",
        "refusal": "refusal_mean_s",
        "returns": "returns_mean_s",
        "missed": "missed",
    }
)
MEASURED: tuple[Figure, ...] = ("served", "art", "response_p99", "fanout", "fanout_last", "memory")
"""The figures that every trial has. Those of a scenario are named there."""

TIMES: frozenset[Figure] = frozenset(
    {
        "art",
        "response_p99",
        "newcomers",
        "newcomers_art",
        "fanout",
        "fanout_p99",
        "fanout_last",
        "loop_lag_p99",
        "api",
        "recovery",
        "refusal",
        "returns",
    }
)
"""The figures that are a time, in seconds."""

_OF_OTHERS: frozenset[Figure] = frozenset({"refusal"})
"""Times that are not of fans who were answered, and say the more the fewer were."""


def values(trials: Sequence[Measurement], figure: Figure) -> list[float]:
    """Return the figure of each valid trial that has it; a figure is any but a limit. A percentile may be infinite."""
    found = (_value(trial, figure) for trial in trials if trial.valid)
    return [float(value) for value in found if value is not None]


def mean(trials: Sequence[Measurement], figure: Figure) -> float | None:
    """Return the mean of the figure over the valid trials, infinite if one is, or None if none has it."""
    found = values(trials, figure)
    return math.fsum(found) / len(found) if found else None


def compare(
    figure: Figure, reference: Sequence[Measurement], others: Mapping[str, Sequence[Measurement]]
) -> dict[str, Estimate]:
    """Return how each of the others compares with the reference by a figure. What cannot be compared has no value."""
    alike = {name: trials for name, trials in others.items() if _comparable(figure, reference, trials)}
    found = estimates(values(reference, figure), {name: values(trials, figure) for name, trials in alike.items()})
    none = (None, None, None, None)
    count = len(values(reference, figure))
    return {name: found.get(name) or Estimate(*none, count, 0) for name in others}


def ratios_of_limits(a: Sequence[FoundLimit], b: Sequence[FoundLimit]) -> tuple[Ratio, ...]:
    """Compare the limits of B with those of A for N and for C; `not measured` where either was not searched for."""
    return tuple(ratio_of_limits(figure, _limit(a, figure), _limit(b, figure)) for figure in DIMENSIONS)


def _value(trial: Measurement, figure: Figure) -> float | None:
    """Return what the trial has of a figure: a percentile that is missing for failures is infinite."""
    value: float | None = getattr(trial, _FIELDS[figure])
    if value is None and (figure == "response_p99" or (figure == "fanout_p99" and trial.lost)):
        return math.inf
    return value


def _comparable(figure: Figure, a: Sequence[Measurement], b: Sequence[Measurement]) -> bool:
    """Whether both have the figure of as good as the same fans, in each of their valid trials or in none.

    What is infinite may be compared with anything: it fails. A memory that did not grow may not: by how much
    connections make a server grow is then lost in what else moves its pages.
    """
    found = [*values(a, figure), *values(b, figure)]
    if any(map(math.isinf, found)):
        return True
    if figure == "memory":
        return min(found, default=1.0) > 0
    if figure not in TIMES or figure in _OF_OTHERS:
        return True
    served = mean(a, "served"), mean(b, "served")
    if served[0] is None or served[1] is None or min(served[0], served[1]) < SAME_FANS * max(served[0], served[1]):
        return False
    return all(len(values(trials, figure)) in {0, sum(trial.valid for trial in trials)} for trials in (a, b))


def _limit(limits: Sequence[FoundLimit], dimension: Dimension) -> FoundLimit | None:
    return next((limit for limit in limits if limit.dimension == dimension), None)

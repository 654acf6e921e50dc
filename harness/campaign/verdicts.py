"""What is called better or worse, and what is no change seen: a judgement over all that was compared. Pure.

Of twenty lessons that do nothing one seems to do something, at one chance in twenty each. So the judgements on a figure
are made together: p is adjusted as Benjamini and Hochberg do ("Controlling the False Discovery Rate", 1995), and of
what is then called a change at most one in twenty is none. A change is called so where the adjusted p is below 5 % and
the ratio is `SMALLEST_EFFECT` away from 1.

The interval of a ratio is that of the ratio alone. So it may exclude 1 where the judgement is "no change seen": among
so many comparisons, some such interval was to be expected.

**Limits** are not judged by p. Each search ends with a bracket, and the searches of a server with a range of them, from
the lowest last pass to the highest first fail. Two ranges that overlap are no change.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from harness.campaign.intervals import CONFIDENCE, FEWEST_RUNS, Estimate
from harness.records.campaign import Figure, FoundLimit, Judgement, PlaceboVerdicts, Ratio

SMALLEST_EFFECT = 1.03
"""A change below 3 % is none: as far apart lie two means of one server on one machine, measured an hour apart."""

_MORE_IS_BETTER: frozenset[Figure] = frozenset({"N", "C", "rate", "served"})

_Name = TypeVar("_Name")


def judged(figure: Figure, family: Mapping[_Name, Estimate]) -> dict[_Name, Ratio]:
    """Return the ratios of a figure, judged together: `family` is all that a result compares by that figure."""
    tested = [name for name, found in family.items() if found.p is not None]
    adjusted = dict(zip(tested, adjusted_p([family[name].p or 0.0 for name in tested]), strict=True))
    return {name: _ratio(figure, found, adjusted.get(name)) for name, found in family.items()}


def adjusted_p(p: Sequence[float]) -> list[float]:
    """Return each p, adjusted after Benjamini and Hochberg for there being so many."""
    adjusted, least = [1.0] * len(p), 1.0
    for rank, place in sorted(enumerate(sorted(range(len(p)), key=p.__getitem__), start=1), reverse=True):
        least = min(least, p[place] * len(p) / rank)
        adjusted[place] = least
    return adjusted


def placebo_verdicts(ratios: Iterable[Ratio]) -> PlaceboVerdicts:
    """Return how often the ratios of placebos, which cannot be anything but 1, were called better or worse."""
    compared = [ratio for ratio in ratios if ratio.adjusted_p is not None]
    return PlaceboVerdicts(compared=len(compared), false=sum(is_a_change(ratio) for ratio in compared))


def is_a_change(ratio: Ratio) -> bool:
    """Whether a ratio was called better or worse."""
    return ratio.judgement in {"better", "worse"}


def is_a_failure(ratio: Ratio) -> bool:
    """Whether there is no ratio since the figure of one side, or of both, is infinite."""
    return ratio.judgement in {"fails", "reference fails", "both fail"}


def has_too_few_runs(found: Ratio) -> bool:
    """Whether there is a ratio, and too few runs on a side to judge it."""
    return found.judgement == "too few runs"


def ratio_of_limits(figure: Figure, a: FoundLimit | None, b: FoundLimit | None) -> Ratio:
    """Compare the limits of two servers: the ratio of their median last passes, and of the ends of their ranges.

    The ends are how far apart the limits may be at least and at most, as the searches have it: 0, or None for infinite,
    where one has no last pass or no first fail.
    """
    if a is None or b is None or not (_is_found(a) and _is_found(b)):
        counts = (len(limit.files) if limit is not None and _is_found(limit) else 0 for limit in (a, b))
        return _ratio(figure, Estimate(None, None, None, None, *counts), None)
    (low_a, high_a), (low_b, high_b) = _range(a), _range(b)
    found = Estimate(
        value=_over(b.last_pass or 0.0, a.last_pass or 0.0),
        low=_over(low_b, high_a),
        high=_over(high_b, low_a),
        p=None,
        a_count=len(a.files),
        b_count=len(b.files),
    )
    judgement: Judgement = "no change seen"
    if min(found.a_count, found.b_count) < FEWEST_RUNS:
        judgement = "too few runs"
    elif low_b >= high_a or low_a >= high_b:
        judgement = "better" if low_b >= high_a else "worse"
    return _record(figure, found, None, judgement)


def _is_found(limit: FoundLimit) -> bool:
    return limit.last_pass is not None or limit.first_fail is not None


def _range(limit: FoundLimit) -> tuple[float, float]:
    return limit.lowest_pass or 0.0, math.inf if limit.highest_fail is None else limit.highest_fail


def _over(b: float, a: float) -> float | None:
    """Return b / a to six digits, or None where it is infinite."""
    if math.isinf(a):
        return 0.0
    return None if math.isinf(b) or a == 0 else float(f"{b / a:.6g}")


def _ratio(figure: Figure, found: Estimate, adjusted: float | None) -> Ratio:
    return _record(figure, found, adjusted, _judgement(figure, found, adjusted))


def _record(figure: Figure, found: Estimate, adjusted: float | None, judgement: Judgement) -> Ratio:
    return Ratio(
        figure=figure,
        value=found.value,
        low=found.low,
        high=found.high,
        p=found.p,
        adjusted_p=adjusted,
        a_count=found.a_count,
        b_count=found.b_count,
        judgement=judgement,
    )


def _judgement(figure: Figure, found: Estimate, adjusted: float | None) -> Judgement:
    if not found.a_count or not found.b_count:
        return "not measured"
    if found.a_infinite or found.b_infinite:
        return "reference fails" if not found.b_infinite else "both fail" if found.a_infinite else "fails"
    if adjusted is None:
        return "too few runs"
    value = math.inf if found.value is None else found.value
    if adjusted >= 1 - CONFIDENCE or 1 / SMALLEST_EFFECT < value < SMALLEST_EFFECT:
        return "no change seen"
    return "better" if (value > 1) == (figure in _MORE_IS_BETTER) else "worse"

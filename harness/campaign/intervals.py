"""How sure a ratio is: t intervals on log ratios, with the spread of a whole family of servers. Pure.

**Ratio of geometric means**, B over A: noise multiplies a time, it does not add to it, so what is compared are the
logarithms. The difference of their means has Student's t distribution around the true one.

**One spread for all.** Five trials alone say little of how much trials differ, and an interval made of them is wide, or
wrong. The servers that stand beside each other under one load differ from trial to trial for the same reasons, so their
variances are pooled, with as many degrees of freedom as they have together (as in an analysis of variance). But one may
lose a SYN now and then, which must not hide what the others show: who plainly differs more from trial to trial than
they do (F test at 1 %, the widest first) is left out of the pool, and whose variance is more than twice the pooled one
keeps its own, by Welch's formula. A drift from round to round widens the spread, and so errs on the safe side.

**Nothing has no logarithm.** Where a value is 0, such as fans served by a server that serves nobody, there is no
interval, and `p` is that of the rank test of Mann and Whitney. Nor has infinity one: then there is no ratio at all.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FEWEST_RUNS = 3
"""Fewer on a side are told apart by chance too easily: they have a ratio, and no interval."""

CONFIDENCE = 0.95

_STANDS_OUT = 0.01
"""How unlikely a spread must be, were it that of the others, for a server to be left out of the pool."""

_WIDER = 2.0
"""How many times the pooled variance a server keeps for itself. In simulation 95.7 % of the intervals hold the true
ratio where all have one noise, and 94.9 % where each has its own of 5 to 20 %: without this it is 93.5."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """B over A: `value`, None where it would be infinite, or one of them was not measured.

    `low` and `high` are the ends of the interval, and `p` is how often chance alone would set two equal servers as far
    apart; None where that is not known. The counts are the runs of A and of B, and how many of them are infinite: then
    all else is None.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    a_count: int
    b_count: int
    a_infinite: int = 0
    b_infinite: int = 0


@dataclass(frozen=True, slots=True)
class _Spread:
    """The variance of the logarithm from trial to trial, and with how many degrees of freedom it is known."""

    variance: float
    freedom: float
    pooled: bool


def estimates(reference: Sequence[float], others: Mapping[str, Sequence[float]]) -> dict[str, Estimate]:
    """Return for each of the others how it compares with the reference; values of one figure, none of them negative."""
    spreads = _spreads({"": reference, **{f"of {name}": values for name, values in others.items()}})
    return {
        name: _estimate(reference, values, spreads.get(""), spreads.get(f"of {name}"))
        for name, values in others.items()
    }


def _estimate(a: Sequence[float], b: Sequence[float], of_a: _Spread | None, of_b: _Spread | None) -> Estimate:
    counts = len(a), len(b)
    infinite = sum(map(math.isinf, a)), sum(map(math.isinf, b))
    if not a or not b or any(infinite):
        return Estimate(None, None, None, None, *counts, *infinite)
    few = min(counts) < FEWEST_RUNS
    if min(*a, *b) <= 0:
        mean_a, mean_b = math.fsum(a) / len(a), math.fsum(b) / len(b)
        same = mean_a == mean_b
        value = 1.0 if same else mean_b / mean_a if mean_a else None
        return Estimate(_six_digits(value), None, None, None if few else _rank_test(a, b), *counts)
    difference = _mean_log(b) - _mean_log(a)
    value = _six_digits(math.exp(difference))
    if few or of_a is None or of_b is None:
        return Estimate(value, None, None, None, *counts)
    error, freedom = _standard_error(of_a, of_b, *counts)
    low, high, p = _student(difference, error, freedom)
    return Estimate(value, _six_digits(low), _six_digits(high), p, *counts)


def _standard_error(of_a: _Spread, of_b: _Spread, a_count: int, b_count: int) -> tuple[float, float]:
    """Return the standard error of a difference of means, and its degrees of freedom (Welch, Satterthwaite)."""
    parts = of_a.variance / a_count, of_b.variance / b_count
    error = math.sqrt(sum(parts))
    if error == 0 or (of_a.pooled and of_b.pooled):
        return error, of_a.freedom
    return error, sum(parts) ** 2 / (parts[0] ** 2 / of_a.freedom + parts[1] ** 2 / of_b.freedom)


def _student(difference: float, error: float, freedom: float) -> tuple[float, float, float]:
    """Return the interval of the ratio, and p."""
    from scipy import special  # noqa: PLC0415 -- commands that compare nothing need not wait for it

    if error == 0:
        return math.exp(difference), math.exp(difference), float(difference == 0)
    reach = float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    p = 2 * float(special.stdtr(freedom, -abs(difference) / error))
    return math.exp(difference - reach), math.exp(difference + reach), p


def _rank_test(a: Sequence[float], b: Sequence[float]) -> float:
    from scipy import stats  # noqa: PLC0415 -- half a second, which commands that compare nothing need not pay

    return 1.0 if len({*a, *b}) == 1 else float(stats.mannwhitneyu(a, b).pvalue)


def _spreads(servers: Mapping[str, Sequence[float]]) -> dict[str, _Spread]:
    """Return the spread to be used for each server whose values have logarithms; none if nothing was repeated."""
    usable = {name: values for name, values in servers.items() if values and min(values) > 0 and max(values) < math.inf}
    own = {name: _own(values) for name, values in usable.items() if len(values) > 1}
    widest_first = sorted(own, key=lambda name: (-own[name].variance, name))
    while len(widest_first) > 1 and _stands_out(
        own[widest_first[0]], _pooled([usable[name] for name in widest_first[1:]])
    ):
        del widest_first[0]
    if not widest_first:
        return {}
    pooled = _pooled([usable[name] for name in widest_first])
    wider = {name: spread for name, spread in own.items() if spread.variance > _WIDER * pooled.variance}
    return {name: wider.get(name, pooled) for name in usable}


def _stands_out(own: _Spread, others: _Spread) -> bool:
    from scipy import special  # noqa: PLC0415 -- commands that compare nothing need not wait for it

    if others.variance == 0:
        return own.variance > 0
    return float(special.fdtrc(own.freedom, others.freedom, own.variance / others.variance)) < _STANDS_OUT


def _own(values: Sequence[float]) -> _Spread:
    return _Spread(_squares(values) / (len(values) - 1), len(values) - 1, pooled=False)


def _pooled(servers: Sequence[Sequence[float]]) -> _Spread:
    freedom = sum(len(values) - 1 for values in servers)
    return _Spread(math.fsum(map(_squares, servers)) / freedom, freedom, pooled=True)


def _squares(values: Sequence[float]) -> float:
    mean = _mean_log(values)
    return math.fsum((math.log(value) - mean) ** 2 for value in values)


def _mean_log(values: Sequence[float]) -> float:
    if len(set(values)) == 1:
        return math.log(values[0])  # exactly: of equal values the last digit of a sum is no spread
    return math.fsum(map(math.log, values)) / len(values)


def _six_digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")

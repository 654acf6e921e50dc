"""What changed from A to B: a ratio, an interval around it, and a judgement. Pure.

**Ratio of means**, B over A. Each value is the figure of one trial, which is a mean or a percentile over thousands of
fans already; of three or five of those a median would throw most away, and its resamples take a handful of values only.

**Interval**: the percentile bootstrap over the trials, at 95 %. What is resampled is the *share* b / (a + b), which is
in the same order as b / a and has no pole: it is 1 where A has nothing. Few trials make such an interval too narrow, so
its ends lie further out, as far as Hesterberg's expanded percentile interval has them ("What Teachers Should Know About
the Bootstrap", 2015, section 5.3). Of three trials against three it takes the whole range of resamples, and still sees
a change where there is none in one case of ten, if the noise is larger than the smallest effect; of five, in one of 20.

**Judgement**: a change is seen where the interval excludes 1 and the ratio is `SMALLEST_EFFECT` away from it. Fewer
than `FEWEST_RUNS` on a side have too little spread to hold a difference against: they get no interval, and no change
is *seen*, however far apart the two are. The random generator is seeded, so that the same values always give the same
answer, and A and B may change places: the ratio and its interval turn round, and better becomes worse.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.records.campaign import Figure, FoundLimit, Judgement, Ratio

SMALLEST_EFFECT = 1.03
"""A change below 3 % is none: as far apart lie two means of one server on one machine, measured an hour apart."""

SEARCHES_DIFFER = 1.1
"""How far apart two searches of a server may end: the last passes of five for C of stage 2.5 were 10,172 to 11,093."""

FEWEST_RUNS = 3
"""Two against two are apart in one case of three by chance alone; three against three in one of ten."""

CONFIDENCE = 0.95
RESAMPLES = 9_999
SEED = 2012

_MORE_IS_BETTER = frozenset({"N", "C", "rate", "served"})


@dataclass(frozen=True, slots=True)
class _Estimate:
    """The share b / (a + b), and the interval around it if there is one."""

    share: float
    interval: tuple[float, float] | None


def ratio(figure: Figure, a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Compare `figure` over the trials of A and B: a value each, none of them negative."""
    counts = len(a), len(b)
    if not a or not b:
        return not_measured(figure, counts)
    share = _share(float(np.mean(a)), float(np.mean(b)))
    return _judged(figure, _Estimate(share, _bootstrap(a, b) if min(counts) >= FEWEST_RUNS else None), counts)


def ratio_of_resamples(figure: Figure, a: NDArray[np.float64], b: NDArray[np.float64], value: float) -> Ratio:
    """Return `value`, the ratio of one run each, with the interval of resamples of B over those of A, taken pairwise.

    What was resampled is the caller's: the interval is no wider than that, and says nothing of other runs.
    """
    shares = _shares(a, b)
    ends = float(np.quantile(shares, (1 - CONFIDENCE) / 2)), float(np.quantile(shares, (1 + CONFIDENCE) / 2))
    return _judged(figure, _Estimate(value / (1 + value), ends), (1, 1))


def ratio_of_limits(figure: Figure, a: FoundLimit | None, b: FoundLimit | None) -> Ratio:
    """Compare two searches: the ratio of their last passes, with the interval in which that of the two limits lies.

    A limit lies between last pass and first fail; where there is none of these, from 0 on, or nobody knows how far up.
    The interval is that of the brackets, `SEARCHES_DIFFER` wider on either side: there is one search of each, which
    does not tell how chance would have moved it. Where it holds 1, no change is seen. Without a last pass on a side
    the ratio is the end of the interval that is nearest to 1.
    """
    of_a, of_b = _bracket(a), _bracket(b)
    if of_a is None or of_b is None:
        return not_measured(figure, (int(of_a is not None), int(of_b is not None)))
    (pass_a, fail_a), (pass_b, fail_b) = of_a, of_b
    low, high = _share(fail_a * SEARCHES_DIFFER, pass_b), _share(pass_a, fail_b * SEARCHES_DIFFER)
    share = _share(pass_a, pass_b) if pass_a and pass_b else min(max(low, 0.5), high)
    return _judged(figure, _Estimate(share, (low, high)), (1, 1))


def not_measured(figure: Figure, counts: tuple[int, int]) -> Ratio:
    """Return what stands for a comparison that cannot be made, with how many runs there are of A and of B."""
    a_count, b_count = counts
    return Ratio(
        figure=figure, value=None, low=None, high=None, a_count=a_count, b_count=b_count, judgement="not measured"
    )


def _bracket(limit: FoundLimit | None) -> tuple[float, float] | None:
    if limit is None or (limit.last_pass is None and limit.first_fail is None):
        return None
    return limit.last_pass or 0.0, math.inf if limit.first_fail is None else limit.first_fail


def _judged(figure: Figure, found: _Estimate, counts: tuple[int, int]) -> Ratio:
    ends = found.interval
    return Ratio(
        figure=figure,
        value=_of_share(found.share),
        low=None if ends is None else _of_share(ends[0]),
        high=None if ends is None else _of_share(ends[1]),
        a_count=counts[0],
        b_count=counts[1],
        judgement=_judgement(found, more_is_better=figure in _MORE_IS_BETTER),
    )


def _judgement(found: _Estimate, *, more_is_better: bool) -> Judgement:
    if found.interval is None:
        return "no change seen"
    low, high = found.interval
    enough = SMALLEST_EFFECT / (1 + SMALLEST_EFFECT)
    if low > 0.5 and found.share >= enough:
        return "better" if more_is_better else "worse"
    if high < 0.5 and found.share <= 1 - enough:
        return "worse" if more_is_better else "better"
    return "no change seen"


def _bootstrap(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the share. The same resamples are drawn whichever of the two is A."""
    from scipy import stats  # noqa: PLC0415 -- half a second, which commands that compare nothing need not pay

    first, second = sorted((sorted(a), sorted(b)), key=lambda side: (len(side), side))
    found = stats.bootstrap(
        (first, second),
        lambda one, other, axis: _shares(np.asarray(one.mean(axis)), np.asarray(other.mean(axis))),
        n_resamples=RESAMPLES,
        confidence_level=_expanded(len(first), len(second)),
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if sorted(a) == first else (1 - high, 1 - low)


def _expanded(fewer: int, more: int) -> float:
    """Return the level at which a percentile interval of so many values is as wide as a t interval at `CONFIDENCE`."""
    from scipy import stats  # noqa: PLC0415 -- half a second, which commands that compare nothing need not pay

    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, fewer + more - 2) * math.sqrt(fewer / (fewer - 1))
    return float(1 - 2 * stats.norm.sf(quantile))


def _shares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return b / (a + b); a half, as of equals, where both are 0."""
    total = a + b
    shares = np.full(np.shape(total), 0.5)
    np.divide(b, total, out=shares, where=total > 0)
    return shares


def _share(a: float, b: float) -> float:
    if math.isinf(a) or math.isinf(b):
        return 0.5 if a == b else float(math.isinf(b))
    return 0.5 if a == b else b / (a + b)


def _of_share(share: float) -> float | None:
    """Return b / a to six digits, or None where A has nothing and it would be infinite."""
    return float(f"{share / (1 - share):.6g}") if share < 1 else None

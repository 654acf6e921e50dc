"""Times in an HdrHistogram: from a column of samples to percentiles that can be stored and merged, never averaged.

Values are counted in microseconds from 1 µs to one hour, with three significant digits (an error below 0.1 %): see
Gil Tene's HdrHistogram, http://hdrhistogram.org. Mean and maximum are taken from the samples themselves.

What failed has no time, and leaving it out would praise a server for those whom it did not serve: it counts as
infinitely long.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

HIGHEST_US = 3_600_000_000
DIGITS = 3
FEWEST_FOR_P99 = 100
"""Of fewer times the 99th percentile is the longest, which says more by its name."""
_EXACT_BITS = 11
"""Values below 2**11 have a counter each at three digits (2,048 sub-buckets); larger ones lose their lowest bits."""


class Distribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A set of times, in seconds; at least one was measured. `histogram` is the HdrHistogram, V2 compressed, base64.

    `missing` more were asked for and never came: fans who were not answered, deliveries that were lost. Each counts as
    infinitely long, so percentiles are those of `count` + `missing`; one that falls among the missing is None.
    `mean_s`, `max_s` and the histogram are of the `count` that were measured.
    """

    count: int
    mean_s: float
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    p999_s: float | None
    max_s: float
    histogram: str
    missing: int = 0

    @property
    def asked(self) -> int:
        """How many there would be had none failed."""
        return self.count + self.missing


def distribution(times_s: NDArray[np.float64], missing: int = 0) -> Distribution | None:
    """Return the distribution of a column of times in seconds, or None where there are none.

    NaN (did not happen) is left out, and is a failure only if the caller counts it in `missing`. A negative time is a
    mistake of the caller's and raises ValueError.
    """
    times = times_s[~np.isnan(times_s)]
    if times.size == 0:
        return None
    if times.min() < 0:
        raise ValueError(f"a time is negative: {times.min()} s")
    histogram = _of_counts(counted_values(times))
    return _describe(histogram, mean_s=float(times.mean()), max_s=float(times.max()), missing=missing)


def counted_values(times_s: NDArray[np.float64]) -> Counter[int]:
    """Return how many of the times, in seconds, share each counter of a histogram, by its value in microseconds.

    They are put together first, as the library counts in Python. What was counted so is added up like any counts.
    """
    micros = np.clip(np.rint(times_s * 1e6), 1, HIGHEST_US).astype(np.int64)
    bits = np.frexp(micros.astype(np.float64))[1].astype(np.int64)
    dropped = np.maximum(bits - _EXACT_BITS, 0)
    values, counts = np.unique((micros >> dropped) << dropped, return_counts=True)
    return Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def counted_distribution(
    counts: Mapping[int, int], *, mean_s: float, max_s: float, missing: int = 0
) -> Distribution | None:
    """Return the distribution of times that `counted_values` has counted, or None where there are none."""
    if not counts:
        return None
    return _describe(_of_counts(counts), mean_s=mean_s, max_s=max_s, missing=missing)


def percentile(times_s: NDArray[np.float64] | Sequence[float], per_mille: int) -> float:
    """Return the smallest of the times (one at least) that so many in a thousand are not above: the nearest rank.

    It is one of those that were measured, with nothing between two of them. All percentiles of the harness are these.
    """
    ordered = np.sort(np.asarray(times_s))
    return float(ordered[rank(ordered.size, per_mille) - 1])


def rank(count: int, per_mille: int) -> int:
    """Return the nearest rank of a percentile among `count` times in order: 1 is the smallest, `count` the largest."""
    return max(1, -(-per_mille * count // 1000))


def merge(parts: Sequence[Distribution]) -> Distribution | None:
    """Return the distribution of all samples of `parts` together, or None where there are no parts."""
    if not parts:
        return None
    total = _empty()
    for part in parts:
        total.add(decode(part))
    count = sum(part.count for part in parts)
    mean_s = sum(part.mean_s * part.count for part in parts) / count
    missing = sum(part.missing for part in parts)
    return _describe(total, mean_s=mean_s, max_s=max(part.max_s for part in parts), missing=missing)


def decode(stored: Distribution) -> HdrHistogram:
    """Return the HdrHistogram (microseconds) that a distribution was stored with."""
    return HdrHistogram.decode(stored.histogram)


def percentile_of(stored: Distribution, percent: Fraction) -> float | None:
    """Return any percentile of what was stored, in seconds; None if it falls among the missing."""
    return _at(*_steps(decode(stored)), max(1, math.ceil(stored.asked * percent / 100)), stored.max_s)


def curve(stored: Distribution) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(value_s, share)`: each value that occurred, ascending, and the share of all asked that is no larger.

    The last share is 1 unless some are missing.
    """
    values_s, counts = _steps(decode(stored))
    return values_s, counts / stored.asked


def _empty() -> HdrHistogram:
    return HdrHistogram(1, HIGHEST_US, DIGITS)


def _of_counts(counts: Mapping[int, int]) -> HdrHistogram:
    histogram = _empty()
    for value, count in counts.items():
        histogram.record_value(value, count)
    return histogram


def _steps(histogram: HdrHistogram) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each value that occurred, in seconds, and how many samples are no larger."""
    # The library's iterator looks at each of 23,552 counters in Python.
    per_counter = np.frombuffer(histogram.counts, dtype=np.uint64)
    used = np.flatnonzero(per_counter)
    highest = [histogram.get_highest_equivalent_value(histogram.get_value_from_index(at)) for at in used.tolist()]
    return np.array(highest) / 1e6, np.cumsum(per_counter[used], dtype=np.int64)


def _describe(histogram: HdrHistogram, *, mean_s: float, max_s: float, missing: int) -> Distribution:
    values_s, counts = _steps(histogram)
    count = int(counts[-1])

    def at(per_mille: int) -> float | None:
        return _at(values_s, counts, rank(count + missing, per_mille), max_s)

    return Distribution(
        count=count,
        mean_s=mean_s,
        p50_s=at(500),
        p90_s=at(900),
        p99_s=at(990),
        p999_s=at(999),
        max_s=max_s,
        histogram=histogram.encode().decode("ascii"),
        missing=missing,
    )


def _at(values_s: NDArray[np.float64], counts: NDArray[np.int64], place: int, max_s: float) -> float | None:
    """Return the value at a place among those that are in order; None beyond the last. The library rounds the place."""
    if place > counts[-1]:
        return None
    value = float(values_s[np.searchsorted(counts, place)])
    return min(value, max_s)  # a counter stands for a range, whose upper end the largest sample need not reach

"""Times in an HdrHistogram: from a column of samples to percentiles that can be stored and merged, never averaged.

Values are counted in microseconds from 1 µs to one hour, with three significant digits (an error below 0.1 %): see
Gil Tene's HdrHistogram, http://hdrhistogram.org. Mean and maximum are taken from the samples themselves.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

HIGHEST_US = 3_600_000_000
DIGITS = 3
_EXACT_BITS = 11
"""Values below 2**11 have a counter each at three digits (2,048 sub-buckets); larger ones lose their lowest bits."""


class Distribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A set of times, in seconds; there is at least one. `histogram` is the HdrHistogram, V2 compressed, base64."""

    count: int
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    p999_s: float
    max_s: float
    histogram: str


def distribution(times_s: NDArray[np.float64]) -> Distribution | None:
    """Return the distribution of a column of times in seconds, or None where there are none.

    NaN (did not happen) is left out; a negative time is a mistake of the caller's and raises ValueError.
    """
    times = times_s[~np.isnan(times_s)]
    if times.size == 0:
        return None
    if times.min() < 0:
        raise ValueError(f"a time is negative: {times.min()} s")
    histogram = _record(times)
    return _describe(histogram, mean_s=float(times.mean()), max_s=float(times.max()))


def merge(parts: Sequence[Distribution]) -> Distribution | None:
    """Return the distribution of all samples of `parts` together, or None where there are no parts."""
    if not parts:
        return None
    total = _empty()
    for part in parts:
        total.add(decode(part))
    count = sum(part.count for part in parts)
    mean_s = sum(part.mean_s * part.count for part in parts) / count
    return _describe(total, mean_s=mean_s, max_s=max(part.max_s for part in parts))


def decode(stored: Distribution) -> HdrHistogram:
    """Return the HdrHistogram (microseconds) that a distribution was stored with."""
    return HdrHistogram.decode(stored.histogram)


def curve(stored: Distribution) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(value_s, share)`: each value that occurred, ascending, and the share of samples that are no larger."""
    values_s, counts = _steps(decode(stored))
    return values_s, counts / stored.count


def _empty() -> HdrHistogram:
    return HdrHistogram(1, HIGHEST_US, DIGITS)


def _record(times: NDArray[np.float64]) -> HdrHistogram:
    """Count a column at once: values that share a counter are put together first, as the library counts in Python."""
    micros = np.clip(np.rint(times * 1e6), 1, HIGHEST_US).astype(np.int64)
    bits = np.frexp(micros.astype(np.float64))[1].astype(np.int64)
    dropped = np.maximum(bits - _EXACT_BITS, 0)
    values, counts = np.unique((micros >> dropped) << dropped, return_counts=True)
    histogram = _empty()
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        histogram.record_value(value, count)
    return histogram


def _steps(histogram: HdrHistogram) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each value that occurred, in seconds, and how many samples are no larger."""
    # The library's iterator looks at each of 23,552 counters in Python.
    per_counter = np.frombuffer(histogram.counts, dtype=np.uint64)
    used = np.flatnonzero(per_counter)
    highest = [histogram.get_highest_equivalent_value(histogram.get_value_from_index(at)) for at in used.tolist()]
    return np.array(highest) / 1e6, np.cumsum(per_counter[used], dtype=np.int64)


def _describe(histogram: HdrHistogram, *, mean_s: float, max_s: float) -> Distribution:
    values_s, counts = _steps(histogram)
    total = int(counts[-1])

    def at(per_mille: int) -> float:
        # Nearest rank: the smallest value that so many are not above. The library rounds the rank, also downwards.
        value = float(values_s[np.searchsorted(counts, -(-per_mille * total // 1000))])
        return min(value, max_s)  # a counter stands for a range, whose upper end the largest sample need not reach

    return Distribution(
        count=total,
        mean_s=mean_s,
        p50_s=at(500),
        p90_s=at(900),
        p99_s=at(990),
        p999_s=at(999),
        max_s=max_s,
        histogram=histogram.encode().decode("ascii"),
    )

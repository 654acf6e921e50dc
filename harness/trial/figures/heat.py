"""When times of which length were seen: the counts behind a heat map, small enough to be stored with every trial."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.records.seen import Heat

STEPS: Final = 100
"""Steps of time, at most …"""

BUCKETS: Final = 24
"""… and buckets of a logarithmic axis: more than that a reader cannot tell apart, and a file does not need."""

_SHORTEST_STEP_S = 0.02
_SHORTEST_S = 1e-6


def heat(
    at_s: NDArray[np.float64], took_s: NDArray[np.float64], over_s: float, how_many: NDArray[np.int64] | None = None
) -> Heat | None:
    """Count `took_s`, each in the step of its moment `at_s`, up to `over_s`; None where there is nothing to count.

    Each counts once, or `how_many` times.

    A pair with a NaN did not happen. Buckets are equally wide on a logarithmic axis from the shortest to the longest.
    """
    known = ~np.isnan(at_s) & ~np.isnan(took_s) & (at_s >= 0) & (at_s <= over_s)
    if not known.any() or over_s <= 0:
        return None
    took = np.maximum(took_s[known], _SHORTEST_S)
    step_s = over_s / max(1, min(STEPS, math.floor(over_s / _SHORTEST_STEP_S)))
    edges_s = _edges(float(took.min()), float(took.max()))
    step = np.minimum(at_s[known] / step_s, round(over_s / step_s) - 1).astype(int)
    bucket = np.clip(np.searchsorted(edges_s, took, side="right") - 1, 0, edges_s.size - 2)
    counts = np.zeros((step.max() + 1, edges_s.size - 1), dtype=np.int64)
    np.add.at(counts, (step, bucket), 1 if how_many is None else how_many[known])
    return Heat(step_s=step_s, edges_s=tuple(edges_s.tolist()), rows=tuple(_row(row) for row in counts))


def grid_of(stored: Heat) -> NDArray[np.int64]:
    """Return the counts of a stored heat map, by step and bucket."""
    counts = np.zeros((len(stored.rows), len(stored.edges_s) - 1), dtype=np.int64)
    for step, row in enumerate(stored.rows):
        for cell in row.split():
            bucket, _, count = cell.partition(":")
            counts[step, int(bucket)] = int(count)
    return counts


def _edges(low_s: float, high_s: float) -> NDArray[np.float64]:
    """Return the ends of the buckets: one bucket where all times are equal."""
    return np.geomspace(low_s, high_s, BUCKETS + 1) if low_s < high_s else np.array([low_s, low_s * 2])


def _row(counts: NDArray[np.int64]) -> str:
    return " ".join(f"{bucket}:{counts[bucket]}" for bucket in np.flatnonzero(counts).tolist())

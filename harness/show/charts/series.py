"""Trials grouped for a chart: the repeats of one target at one load are one series; and which series are best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.campaign.figures import SAME_FANS
from harness.records.distribution import Distribution, curve, merge
from harness.records.trial import TrialResult
from harness.show.charts.floor import is_floor
from harness.show.charts.style import SeriesStyle, floor_style, series_style, short_time
from harness.units import show_load

if TYPE_CHECKING:
    from harness.records.asked import AskedLoad

Pick = Callable[[TrialResult], Distribution | None]
"""Takes the times in question from a result."""


@dataclass(frozen=True, slots=True)
class Series:
    """The valid trials of one target, at least one; `label` tells it from the other series."""

    label: str
    results: tuple[TrialResult, ...]

    @property
    def served(self) -> float:
        """What part of the fans was served, in the repeat that served fewest."""
        return min(result.seen.fans.served / result.seen.fans.asked for result in self.results)

    @property
    def is_whole(self) -> bool:
        """Whether every fan was served, or as good as: times of fewer are not to be ranked with those of all."""
        return self.served >= SAME_FANS

    @property
    def is_floor(self) -> bool:
        """Whether it is the floor, to which the others are held, but which is no server to choose."""
        return is_floor(self.results[0].asked.target)

    @property
    def name(self) -> str:
        """The label, with a warning where not every fan was served."""
        return self.label if self.is_whole else f"{self.label} ({self.served:.0%} served)"

    def times(self, pick: Pick) -> tuple[Distribution, ...]:
        """Return the times of each repeat that has any."""
        return tuple(times for result in self.results if (times := pick(result)) is not None)

    def figures(self, of: Callable[[TrialResult], float | None]) -> tuple[float, ...]:
        """Return a figure of each repeat that has it."""
        return tuple(value for result in self.results if (value := of(result)) is not None)


@dataclass(frozen=True, slots=True)
class Ranking:
    """A figure of each server with its label, the smallest first; and of the floor, where it is one and not alone."""

    servers: tuple[tuple[float, str], ...]
    floor: tuple[float, str] | None

    def aside(self, show: Callable[[float], str]) -> str:
        """Return how a sentence about the servers goes on with the floor."""
        return "" if self.floor is None else f"; {self.floor[1]}: {show(self.floor[0])}"


@dataclass(frozen=True, slots=True)
class Ribbon:
    """Times at certain shares of all asked: of all repeats merged, and the smallest and largest of a repeat.

    They are infinite where so large a share never came.
    """

    merged_s: NDArray[np.float64]
    low_s: NDArray[np.float64]
    high_s: NDArray[np.float64]


def group(results: Sequence[TrialResult]) -> tuple[Series, ...]:
    """Return the series in the order in which they first occur; invalid trials are left out.

    The load is in the labels where not all were measured at the same.
    """
    grouped: dict[tuple[str, AskedLoad], list[TrialResult]] = {}
    for result in results:
        if result.validity.valid:
            grouped.setdefault((_label(result), result.asked.load), []).append(result)
    loads = {load for _, load in grouped}
    return tuple(
        Series(
            name if len(loads) == 1 else f"{name}, N = {load.n:,}, C = {load.c:,} every {short_time(load.interval_s)}",
            tuple(same),
        )
        for (name, load), same in grouped.items()
    )


def with_load(title: str, series: Sequence[Series]) -> str:
    """Return a chart's title with the load of its series, or a word that each has its own, which its label says."""
    loads = {result.asked.load for each in series for result in each.results}
    if len(loads) > 1:
        return f"{title}, each at its own load"
    return f"{title}: {show_load(loads.pop())}" if loads else title


def by_target(results: Sequence[TrialResult]) -> tuple[Series, ...]:
    """Return the series as `group` does, whatever the load: for what does not depend on it."""
    grouped: dict[str, list[TrialResult]] = {}
    for result in results:
        if result.validity.valid:
            grouped.setdefault(_label(result), []).append(result)
    return tuple(Series(name, tuple(same)) for name, same in grouped.items())


def series_styles(series: Sequence[Series]) -> tuple[SeriesStyle, ...]:
    """Return how each series is drawn: the floor in its own way, the others one after the other."""
    servers, floors = count(), count()
    return tuple(floor_style(next(floors)) if each.is_floor else series_style(next(servers)) for each in series)


def rank(series: Sequence[Series], of: Callable[[Series], Sequence[float]]) -> Ranking:
    """Return the mean of a figure over the repeats of each series that has it."""
    means = [(each.is_floor, (sum(found) / len(found), each.label)) for each in series if (found := of(each))]
    servers, floors = (sorted(mean for floor, mean in means if floor is wanted) for wanted in (False, True))
    if not servers:
        return Ranking(tuple(floors), None)
    return Ranking(tuple(servers), floors[0] if len(floors) == 1 else None)


def ribbon(times: Sequence[Distribution], shares: NDArray[np.float64]) -> Ribbon:
    """Return the times that the given shares of samples (each up to 1) do not exceed; there is at least one repeat."""
    merged = merge(times)
    if merged is None:
        raise ValueError("there are no times to draw")
    each = np.array([_at(one, shares) for one in times])
    return Ribbon(_at(merged, shares), each.min(axis=0), each.max(axis=0))


def _label(result: TrialResult) -> str:
    target = result.asked.target
    return f"{target.name} (the floor)" if is_floor(target) else target.name


def _at(times: Distribution, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearest rank: the smallest time that so large a share of all does not exceed; infinity among the missing."""
    value_s, share = curve(times)
    place = np.searchsorted(share, shares * (1 - 1e-12))
    return np.append(np.minimum(value_s, times.max_s), np.inf)[place]

"""Durations, sizes and loads as people write them."""

import math
from collections.abc import Mapping
from typing import Protocol

NOTHING = "-"
"""Stands where a figure is missing."""

INFINITE = "∞"
"""Stands for a time that never ended: of fans who were not answered, deliveries that were lost."""

GENERATORS = " (generator's)"
"""Stands behind times from the intended start where waves were no moments: they are the generator's as well."""


_PAGE_BYTES = 4096
"""Of most machines. It is not asked of this one, which may not be the one that was measured."""


class WavesOf(Protocol):
    """A load: N connections in waves of C, a wave every `interval_s`."""

    @property
    def n(self) -> int:
        """Connections altogether."""
        ...

    @property
    def c(self) -> int:
        """Connections of a wave."""
        ...

    @property
    def interval_s(self) -> float:
        """Seconds from wave to wave."""
        ...


def show_load(load: WavesOf) -> str:
    """Return a load as people write it."""
    return f"N={load.n:,}, C={load.c:,} every {show_time(load.interval_s)}"


def show_time(seconds: float | None) -> str:
    """Return a time with three digits and its unit: `850 µs`, `12.3 ms`, `1.04 s`; a dash for None."""
    if seconds is None:
        return NOTHING
    if math.isinf(seconds):
        return INFINITE
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size * 0.9995:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-6)} µs"


def show_percentile(seconds: float | None) -> str:
    """Return a percentile as `show_time` does; ∞ for None: so many failed that it falls among them."""
    return INFINITE if seconds is None else show_time(seconds)


def show_rate(per_s: float | None) -> str:
    """Return how often something happens in a second, with a decimal where that is seldom."""
    if per_s is None:
        return NOTHING
    return f"{per_s:,.0f}" if per_s >= 10 or per_s == 0 else f"{per_s:.1f}"


def show_bytes(size: float) -> str:
    """Return a size with three digits in B, KiB, MiB or GiB."""
    for unit in ("B", "KiB", "MiB"):
        if abs(size) < 1023.5:
            return f"{_three_digits(size)} {unit}"
        size /= 1024
    return f"{_three_digits(size)} GiB"


def show_growth(each: float, connections: int) -> str:
    """Return the bytes by which a connection makes a process grow, of so many together; `< 0.51 B` where none is seen.

    A process grows by whole pages, so nothing below one of them over all connections can be told from nothing. And one
    that shares pages with others shrinks, in PSS, when more of these are started: whoever seems to have shrunk may as
    well have grown by as much.
    """
    least = max(_PAGE_BYTES / connections, -each)
    return show_bytes(each) if each >= least else f"< {show_bytes(least)}"


def show_counts(counts: Mapping[str, int]) -> str:
    """Return how many there were of each kind, in the order of their names: `3 cut, 1,901 no welcome`; not of none."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items()) if count)


def _three_digits(value: float) -> str:
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:,.{decimals}f}"


def show_wave(c: int, within_s: float | None) -> str:
    """Return C as people write it, with the time in which the wave was started where that was no moment, else None."""
    return f"{c:,}" if within_s is None else f"{c:,} within {show_time(within_s)}"

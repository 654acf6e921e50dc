"""What fans do and get, counted since the server's start: what is read by `/1/statistics` and `/metrics`.

Everything else that they tell is derived when it is asked for; these few have to be counted when they happen. They need
no lock, since one thread counts, and take a fortieth of what a delivery takes (`reports/design-notes.md`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from enum import StrEnum
from time import monotonic
from typing import Final

from common.http.statistics import Histogram

BOUNDS_S: Final = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)


class Drop(StrEnum):
    """Why a fan was turned away or lost."""

    GREETING = "greeting"
    """It said something else than a greeting, or closed its side without one."""
    SILENCE = "silence"
    """It said nothing in time."""
    MATCH = "match"
    """There is no such match."""
    STORE = "store"
    """Redis could not be asked."""
    CRASH = "crash"
    """Its user crashed, or its connection could not be given a client."""
    BROKEN = "broken"
    """The connection broke: reset by the fan or the network, or cut off since the fan did not read."""
    FULL = "full"
    """There were as many fans as the server takes, or they came faster than it takes them (stage 4, `admission`)."""
    SLOW = "slow"
    """It read more slowly than it was sent events, and was told so (stage 4, `slow-fans`)."""


class TimeCounts:
    """Times counted in buckets."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def since(self, begin_s: float, times: int = 1) -> None:
        """Count the time from a moment of `time.monotonic` until now, so many times."""
        passed_s = monotonic() - begin_s
        self.counts[bisect_left(BOUNDS_S, passed_s)] += times
        self.sum_s += passed_s * times

    def statistics(self) -> Histogram:
        """Return the counts as they are now."""
        return Histogram(BOUNDS_S, tuple(self.counts), self.sum_s)


class DoorTraffic:
    """What fans of one door got, as far as others are counted, too."""

    __slots__ = ("deliveries", "greetings")

    def __init__(self) -> None:
        self.greetings = self.deliveries = 0


class Traffic:
    """The counts of one server. `doors` has those of fans who came by another than the server's own (stage 4)."""

    __slots__ = ("deliveries", "doors", "drops", "fan_out", "greetings", "response", "since_s", "skips")

    def __init__(self) -> None:
        self.since_s = monotonic()
        self.greetings = self.deliveries = self.skips = 0
        self.drops: Counter[Drop] = Counter(dict.fromkeys(Drop, 0))
        self.response = TimeCounts()
        self.fan_out = TimeCounts()
        self.doors: dict[str, DoorTraffic] = {}

    def delivered(self, door: str, times: int) -> None:
        """Count what fans were sent who came by that door; that of the server itself has no name."""
        self.deliveries += times
        if door:
            self.doors[door].deliveries += times

    def answered(self, door: str, *, is_first: bool) -> None:
        """Take note that a fan who is counted already came by that door; of its later answers they are deliveries."""
        if is_first:
            self.doors[door].greetings += 1
        else:
            self.doors[door].deliveries += 1

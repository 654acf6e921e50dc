"""Adds up what the processes of a node tell of themselves, so that the node is told as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from common.http.statistics import DoorStatistics, Histogram, OpenFilesSeen, Statistics
from common.otp import KindStatistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from common.otp import LoopLagStatistics


def past(ended: Statistics) -> Statistics:
    """Return what is left of a process that has ended: its counts of all that was."""
    return structs.replace(
        ended,
        rss_bytes=0,
        open_files=OpenFilesSeen(0, 0),
        loop_lag=None,
        connections=0,
        handlers=0,
        tasks=0,
        kinds=tuple(replace(kind, alive=0, mailbox=0, memory_bytes=0) for kind in ended.kinds),
        doors={door: structs.replace(counts, watching=0) for door, counts in ended.doors.items()},
    )


def merged(node: Statistics, others: Sequence[Statistics]) -> Statistics:
    """Return `node` with what the others add to it; all else is the node's own."""
    every = (node, *others)
    drops: Counter[str] = Counter()
    for one in every:
        drops.update(one.drops)
    return structs.replace(
        node,
        cpu_s=sum(one.cpu_s for one in every),
        rss_bytes=sum(one.rss_bytes for one in every),
        open_files=OpenFilesSeen(sum(one.open_files.open for one in every), sum(one.open_files.limit for one in every)),
        loop_lag=_latest(one.loop_lag for one in every),
        connections=sum(one.connections for one in every),
        accepted=sum(one.accepted for one in every),
        greetings=sum(one.greetings for one in every),
        deliveries=sum(one.deliveries for one in every),
        skips=sum(one.skips for one in every),
        drops=dict(drops),
        handlers=sum(one.handlers for one in every),
        tasks=sum(one.tasks for one in every),
        response=_all_times([one.response for one in every]),
        fan_out=_all_times([one.fan_out for one in every]),
        kinds=_all_kinds(kind for one in every for kind in one.kinds),
        doors={door: _door_of_all(door, every) for door in dict.fromkeys(door for one in every for door in one.doors)},
    )


def _latest(lags: Iterable[LoopLagStatistics | None]) -> LoopLagStatistics | None:
    return max((lag for lag in lags if lag is not None), key=lambda lag: lag.max_s, default=None)


def _all_times(histograms: Sequence[Histogram]) -> Histogram:
    """Return one histogram of all times; they have the same bounds."""
    counts = tuple(map(sum, zip(*(times.counts for times in histograms), strict=True)))
    return Histogram(histograms[0].bounds_s, counts, sum(times.sum_s for times in histograms))


def _door_of_all(door: str, every: Iterable[Statistics]) -> DoorStatistics:
    counts = [one.doors[door] for one in every if door in one.doors]
    return DoorStatistics(
        watching=sum(one.watching for one in counts),
        greetings=sum(one.greetings for one in counts),
        deliveries=sum(one.deliveries for one in counts),
    )


def _all_kinds(kinds: Iterable[KindStatistics]) -> tuple[KindStatistics, ...]:
    """Return a row for each kind of process, by name."""
    rows: dict[str, KindStatistics] = {}
    for kind in kinds:
        rows[kind.kind] = _both(rows[kind.kind], kind) if kind.kind in rows else kind
    return tuple(rows[name] for name in sorted(rows))


def _both(one: KindStatistics, other: KindStatistics) -> KindStatistics:
    return KindStatistics(
        kind=one.kind,
        alive=one.alive + other.alive,
        started=one.started + other.started,
        mailbox=one.mailbox + other.mailbox,
        messages=one.messages + other.messages,
        restarts=one.restarts + other.restarts,
        memory_bytes=one.memory_bytes + other.memory_bytes,
    )

"""Figures of CPU, memory and open files from what an observer saw: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.records.usage import Host, Memory, ProcessEnd, ServerSeen, Trace
from harness.trial.observer import Observation, ProcessColumns

PEAK_WINDOW_S = 0.5
"""A peak of CPU is the mean over this long: the kernel counts CPU time in ticks of 10 ms, so 2 % is the resolution."""

TRACE_STEPS = 600
"""Steps of a trace, at most: of a minute each sample is kept, of longer trials what a chart can show."""

_Column = NDArray[np.float64]


def cpu_shares(seen: Observation, begin_s: float, end_s: float) -> tuple[float, ...]:
    """Return the share of a core that each process used between two moments.

    It is taken between the samples nearest to them; a process with less than two samples in between has no share.
    """
    shares = []
    for process in seen.processes:
        at = seen.at_s[np.array(process.tick)]
        first, last = np.abs(at - begin_s).argmin(), np.abs(at - end_s).argmin()
        if last > first:
            shares.append((process.cpu_s[last] - process.cpu_s[first]) / (at[last] - at[first]))
    return tuple(map(float, shares))


def busiest_wave(seen: Observation, waves: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the largest share of a core that one process used in any of these times, and that all of them used."""
    shares = [cpu_shares(seen, begin_s, end_s) for begin_s, end_s in waves]
    return max(map(_largest, shares), default=0.0), max(map(sum, shares), default=0.0)


def _largest(shares: tuple[float, ...]) -> float:
    return max(shares, default=0.0)


def peak_share(at_s: _Column, cpu_s: _Column) -> float:
    """Return the largest share of a core that a growing count of CPU seconds shows over `PEAK_WINDOW_S`.

    Of a shorter series it is the share over all of it.
    """
    if at_s.size < 2:
        return 0.0
    end = np.minimum(np.searchsorted(at_s, at_s + PEAK_WINDOW_S), at_s.size - 1)
    begin = np.searchsorted(at_s, at_s[end] - PEAK_WINDOW_S, side="right") - 1
    begin = np.maximum(begin, 0)
    return float(np.max((cpu_s[end] - cpu_s[begin]) / np.maximum(at_s[end] - at_s[begin], 1e-3)))


def host_seen(seen: Observation, overflows: tuple[int, int]) -> Host:
    """Return the machine's section of a result; `overflows` is how much `listen_counters` grew."""
    return Host(
        cpu_peak=peak_share(seen.at_s, seen.host_cpu_s),
        memory_available_min_bytes=int(seen.available.min()),
        listen_overflows=overflows[0],
        listen_drops=overflows[1],
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    """The processes added up, by sample."""

    cpu_s: _Column
    rss: _Column
    files: _Column
    threads: _Column
    processes: _Column


def server_seen(
    seen: Observation, *, over_s: float, memory: Memory | None, ended: str | None, last_event_s: float | None = None
) -> ServerSeen | None:
    """Return the server's section of a result, or None where no process of it could be looked at.

    `rss_before_bytes` is that of the last sample before the first start, `open_files_held` before the last event.
    """
    if not seen.processes:
        return None
    tree = _add_up(seen)
    before = _sample_before(seen, 0.0)
    over = max(int(np.searchsorted(seen.at_s, over_s)), before + 1)
    end = min(over, seen.at_s.size - 1)
    span_s = seen.at_s[end] - seen.at_s[before]
    peaks = {process.pid: _process_peak(seen, process) for process in seen.processes}
    busiest = max(seen.processes, key=lambda process: peaks[process.pid])
    fullest = max(seen.processes, key=_fullness)
    return ServerSeen(
        processes=int(tree.processes.max()),
        threads_peak=int(tree.threads.max()),
        cpu_mean=float((tree.cpu_s[end] - tree.cpu_s[before]) / span_s) if span_s > 0 else 0.0,
        cpu_peak=peak_share(seen.at_s, tree.cpu_s),
        busiest_name=busiest.name,
        busiest_cpu_peak=peaks[busiest.pid],
        rss_before_bytes=int(tree.rss[before]),
        rss_peak_bytes=int(tree.rss.max()),
        rss_end_bytes=int(tree.rss[-1]),
        open_files_held=None if last_event_s is None else int(tree.files[_sample_before(seen, last_event_s)]),
        memory=memory,
        memory_per_connection_bytes=None if memory is None else memory.server_per_connection,
        fullest_name=fullest.name,
        fullest_open_files=max(fullest.files, default=0),
        fullest_limit=fullest.limit,
        ended=ended,
        ended_processes=_ended(seen, before, end),
        trace=_trace(seen.at_s, tree),
    )


def _sample_before(seen: Observation, moment_s: float) -> int:
    """Return which sample is the last one up to a moment; the first where none is."""
    return max(int(np.searchsorted(seen.at_s, moment_s, side="right")) - 1, 0)


def _ended(seen: Observation, before: int, end: int) -> tuple[ProcessEnd, ...]:
    """Return the processes of sample `before` that are not in sample `end`.

    One that came later and went again is none of them: a Redis saves in a child, and a server may run a program.
    """
    return tuple(
        ProcessEnd(name=process.name, pid=process.pid, at_s=float(seen.at_s[process.tick[-1] + 1]))
        for process in seen.processes
        if process.tick[0] <= before <= process.tick[-1] < end
    )


def _trace(at_s: _Column, tree: _Tree) -> Trace:
    kept = np.unique(np.linspace(0, at_s.size - 1, min(at_s.size, TRACE_STEPS + 1)).astype(int))
    share = np.diff(tree.cpu_s[kept]) / np.maximum(np.diff(at_s[kept]), 1e-3)
    # The kernel counts CPU in ticks of 10 ms; more digits would only make files long.
    return Trace(
        at_s=tuple(at_s[kept].round(4).tolist()),
        cpu_share=(0.0, *share.round(4).tolist()),
        rss_bytes=tuple(tree.rss[kept].astype(int).tolist()),
        open_files=tuple(tree.files[kept].astype(int).tolist()),
    )


def _add_up(seen: Observation) -> _Tree:
    """Sum the processes by sample; CPU as growth since each was first seen, which stays when it ends."""
    cpu_s, rss, files, threads, processes = (np.zeros(seen.at_s.size) for _ in range(5))
    for process in seen.processes:
        tick = np.array(process.tick)
        used = np.zeros(seen.at_s.size)
        used[tick] = np.diff(np.array(process.cpu_s), prepend=process.cpu_s[0])
        cpu_s += np.cumsum(used)
        rss[tick] += process.rss
        files[tick] += process.files
        threads[tick] += process.threads
        processes[tick] += 1
    return _Tree(cpu_s, rss, files, threads, processes)


def _process_peak(seen: Observation, process: ProcessColumns) -> float:
    return peak_share(seen.at_s[np.array(process.tick)], np.array(process.cpu_s))


def _fullness(process: ProcessColumns) -> float:
    return max(process.files, default=0) / process.limit if process.limit else 0.0

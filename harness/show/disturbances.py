"""What else happened in a trial, as people write it."""

from collections.abc import Iterator

from harness.records.asked import Disturbances
from harness.units import show_time


def show_disturbances(asked: Disturbances) -> str:
    """Return it as one line, empty where nothing else was asked for."""
    parts = []
    if asked.churn_per_s:
        parts.append(f"churn {asked.churn_per_s * 100:g} %/s")
    if asked.slow:
        parts.append(f"{asked.slow * 100:g} % slow")
    if asked.reset:
        parts.append(f"{asked.reset:,} reset at {show_time(asked.reset_at_s)}")
    parts += _comings(asked)
    if asked.arrivals_during_events:
        parts.append("arrivals during events")
    parts += _of_the_server(asked)
    return ", ".join(parts)


def _of_the_server(asked: Disturbances) -> Iterator[str]:
    if asked.redis_latency_s:
        yield f"Redis {show_time(asked.redis_latency_s)} away ({asked.redis_latency_by})"
    if asked.small_buffers:
        yield "small socket buffers"
    if asked.small_queues:
        yield "small accept queues"
    if asked.open_files:
        yield f"{asked.open_files:,} open files a process"
    if asked.stops:
        yield f"{asked.stops:,} {'node' if asked.stops == 1 else 'nodes'} stopped at {show_time(asked.stop_at_s)}"
    if asked.faults:
        yield f"faults {asked.faults}"


def _comings(asked: Disturbances) -> Iterator[str]:
    if asked.storm:
        at, within = show_time(asked.storm_at_s), show_time(asked.storm_within_s)
        yield f"{asked.storm * 100:g} % break off at {at} and come again within {within}"
    if asked.reconnect_cap_s:
        base, cap = show_time(asked.reconnect_base_s), show_time(asked.reconnect_cap_s)
        yield f"who is cut off connects again, after up to {base} at first, and up to {cap} later"
    if asked.joining:
        yield f"{asked.joining:,} join, {asked.joining_c:,} at once"

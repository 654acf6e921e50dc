"""The table of a node's workers: those in trouble first, since a node may have a hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from harness.units import NOTHING, show_bytes, show_rate, show_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.http.statistics import WorkerStatistics
    from harness.targets.poller import Look

MOST_ROWS: Final = 8
"""So many workers are shown, of all nodes together."""

_Found = tuple["Look", str, "WorkerStatistics"]


def show_workers(looks: Sequence[Look]) -> Table | None:
    """Return a row for each worker, MOST_ROWS at most (the last counts who is left out); None if no node has workers.

    Who does not answer comes first, then who is late the most, then who has most fans.
    """
    found = [(look, look.now.statistics.node, one) for look in looks if look.now for one in look.now.statistics.workers]
    if not found:
        return None
    found.sort(key=_trouble)
    rows = found if len(found) <= MOST_ROWS else found[: MOST_ROWS - 1]
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    table.add_column("worker", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("restarts", "fans", "accepts/s", "sent/s", "behind", "lag", "CPU", "PSS"):
        table.add_column(name, justify="right", no_wrap=True)
    nodes = {node for _, node, _ in found}
    for look, node, worker in rows:
        name = str(worker.number) if len(nodes) == 1 else f"{node} {worker.number}"
        table.add_row(*_cells(look, name, worker, _before(look, worker)), style="" if worker.answers else "dim")
    if len(rows) < len(found):
        table.add_row(f"{len(found) - len(rows):,} more")
    return table


def _trouble(found: _Found) -> tuple[bool, float, int, int]:
    _, _, worker = found
    return worker.answers, -(worker.loop_lag_s or 0.0), -worker.connections, worker.number


def _before(look: Look, worker: WorkerStatistics) -> WorkerStatistics | None:
    """Return what was told of that very process before."""
    workers = () if look.before is None else look.before.statistics.workers
    return next((one for one in workers if one.pid == worker.pid), None)


def _cells(look: Look, name: str, worker: WorkerStatistics, before: WorkerStatistics | None) -> tuple[str | Text, ...]:
    cpu = look.rate(worker.cpu_s, None if before is None else before.cpu_s)
    return (
        Text(name if worker.answers else f"{name} away"),
        Text(f"{worker.restarts:,}", style="bold red" if worker.restarts else ""),
        f"{worker.connections:,}",
        show_rate(look.rate(worker.accepted, None if before is None else before.accepted)),
        show_rate(look.rate(worker.deliveries, None if before is None else before.deliveries)),
        Text(f"{worker.behind:,}", style="bold yellow" if worker.behind else ""),
        show_time(worker.loop_lag_s),
        NOTHING if cpu is None else f"{cpu:.0%}",
        show_bytes(worker.pss_bytes),
    )

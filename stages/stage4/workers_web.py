"""The API of a node with workers: it tells of all its processes as of one server, and of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from msgspec.structs import replace

from common.http.roles import NotReadyError
from common.http.statistics import WorkerStatistics
from stages.stage0.readiness import Readiness
from stages.stage0.web import Web
from stages.stage4.plane_server import PlaneBackend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from common.http.statistics import Statistics, StatisticsQuery
    from common.otp import Node, Order, ProcessStatistics
    from stages.stage0.parts import Parts
    from stages.stage4.roster import Roster, Worker
    from stages.stage4.worker_messages import Seen

LOOK_S: Final = 0.5
"""How long workers have to tell what they count; who takes longer is told as it was before."""


class WorkersReadiness(Readiness):
    """Knows whether any worker accepts fans; in a node without workers, what its listeners do."""

    def __init__(self, parts: Parts, node: Node, fan_ports: Sequence[int]) -> None:
        super().__init__(parts, node, fan_ports)
        self._roster: Roster | None = parts.roster

    def _check_listener(self, port: int) -> None:
        if self._roster is None:
            super()._check_listener(port)
            return
        serving = [worker for worker in self._roster.workers if worker.serves]
        if not serving:
            raise NotReadyError("no fans are accepted: all workers are being restarted")
        if not any(worker.has_room for worker in serving):
            raise NotReadyError("no fans are accepted: all open files of all workers are in use")


class WorkersBackend(PlaneBackend):
    """Adds what the workers count to what the node does."""

    readiness: ClassVar[type[Readiness]] = WorkersReadiness

    async def _survey(
        self, queries: Sequence[StatisticsQuery]
    ) -> tuple[Statistics, Mapping[Order, Sequence[ProcessStatistics]]]:
        seen, first = await super()._survey(queries)
        roster: Roster | None = self._parts.roster
        if roster is None:
            return seen, first
        await roster.look(LOOK_S)
        restarts = {name: count for (_, name), count in self._node.restarts.items()}
        workers = tuple(
            _told(worker, worker.seen, restarts.get(worker_name(worker.number), 0))
            for worker in roster.workers
            if worker.seen is not None  # else it does not serve yet
        )
        return replace(roster.total(seen), workers=workers), first


class WorkersWeb(Web):
    """Serves the API of such a node."""

    backend = WorkersBackend


def worker_name(number: int) -> str:
    """Return the name of the process that has the worker of that number."""
    return f"worker-{number}"


def _told(worker: Worker, seen: Seen, restarts: int) -> WorkerStatistics:
    counts = seen.statistics
    return WorkerStatistics(
        number=worker.number,
        pid=worker.pid,
        answers=worker.answers,
        restarts=restarts,
        uptime_s=counts.uptime_s,
        cpu_s=counts.cpu_s,
        rss_bytes=counts.rss_bytes,
        pss_bytes=seen.pss_bytes,
        open_files=counts.open_files,
        loop_lag_s=None if counts.loop_lag is None else counts.loop_lag.max_s,
        connections=counts.connections,
        accepted=counts.accepted,
        greetings=counts.greetings,
        deliveries=counts.deliveries,
        drops=counts.drops,
        handlers=counts.handlers,
        behind=seen.behind,
    )

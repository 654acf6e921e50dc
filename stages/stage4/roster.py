"""What a node knows of its workers: who there is, what each counts, and what those counted that have ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stages.stage4.channel import ChannelLostError
from stages.stage4.merged_statistics import merged, past
from stages.stage4.plane_server import PlaneFarewells
from stages.stage4.relay import OnceEncoded
from stages.stage4.worker_messages import Look, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.http.statistics import Statistics
    from stages.stage4.channel import Channel
    from stages.stage4.plane import Plane


@dataclass(slots=True, eq=False)
class Worker:
    """One worker process, as its node knows it."""

    number: int
    channel: Channel
    pid: int = 0
    """0 before it is there."""
    serves: bool = False
    """Whether it accepts fans."""
    has_room: bool = True
    """Whether it has files for more."""
    seen: Seen | None = None
    """What it counted when it last said so; it does so first when it begins to serve."""
    answers: bool = False
    """Whether it has answered to the last look."""
    _look: asyncio.Future[Seen] | None = None

    def look(self) -> asyncio.Future[Seen]:
        """Ask what it counts; a question that is not answered yet stands for the next ones, too."""
        self.answers = False
        if self._look is None or self._look.done():
            self._look = self.channel.ask(Look())
            self._look.add_done_callback(self._take)
        return self._look

    def _take(self, look: asyncio.Future[Seen]) -> None:
        with suppress(ChannelLostError):
            self.seen = look.result()
            self.answers = True


class WorkersFarewells(PlaneFarewells):
    """Adds up what workers say of theirs."""

    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        self._cut_off = 0

    def add(self, said: int, cut_off: int) -> None:
        """Take note of how many fans of a worker were told goodbye, and of how many did not take it in time."""
        self.said += said
        self._cut_off += cut_off

    async def sent(self, within_s: float) -> int:
        """Do as for transports; workers have done it before they ended."""
        return self._cut_off + await super().sent(within_s)


class Roster:
    """The workers of one node. They enter when they are to be started, and leave when they have ended."""

    def __init__(self, farewells: WorkersFarewells) -> None:
        self.farewells = farewells
        self.bodies = OnceEncoded()
        self._workers: dict[int, Worker] = {}
        self._ended: Statistics | None = None

    @property
    def workers(self) -> Sequence[Worker]:
        """Who there is, by number."""
        return [self._workers[number] for number in sorted(self._workers)]

    def enter(self, number: int, channel: Channel) -> Worker:
        """Return the next worker of a number."""
        worker = self._workers[number] = Worker(number, channel)
        return worker

    def leave(self, worker: Worker) -> None:
        """Let a worker go that has ended, and keep what it counted, so that no count of the node goes back."""
        del self._workers[worker.number]
        if worker.seen is not None:
            left = past(worker.seen.statistics)
            self._ended = left if self._ended is None else merged(self._ended, [left])

    async def look(self, within_s: float) -> None:
        """Ask all what they count; return when they have answered, and after `within_s` in any case."""
        asked = [worker.look() for worker in self._workers.values() if worker.serves]
        if asked:
            await asyncio.wait(asked, timeout=within_s)

    def total(self, node: Statistics) -> Statistics:
        """Return the statistics of the node's own process with all that its workers add to them, now or before."""
        seen = [_as_part(worker.seen) for worker in self._workers.values() if worker.seen is not None]
        rest = [] if self._ended is None else [self._ended]
        return merged(node, [*seen, *rest])


def _as_part(seen: Seen) -> Statistics:
    """Return what a worker adds to its node: of the memory that it shares, its share."""
    return replace(seen.statistics, rss_bytes=seen.pss_bytes)

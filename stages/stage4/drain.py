"""Lesson `drain`: a server that is told to stop lets its fans go one after the other, and asks each to come back.

Without it all are told goodbye in the same moment, and connect again in the same moment: a wave as large as the server
was, to whoever serves them next. What must hold:

* First nobody new is let in: the listeners end, and their ports are closed, so who connects is refused by the kernel
  and tries elsewhere; `/readyz` says so too. All else goes on: who has not been let go hears every event, and reporters
  are answered.
* Fans go at a steady rate, their number over DRAINED of the grace, or SLOWEST where that is quicker. Each is told how
  many seconds to wait, a random number from 1 up to the length of the drain: so they come back over twice that time.
* It ends within the grace (`--grace`), of which the rest is left to those who have not taken their goodbye; a server
  that is told to stop again stops at once.

Exercised by a server that is stopped while others take its fans over: their C is all of them without the lesson. It
moves nothing before that.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from common.otp import CallError, TerminateChild
from stages.stage0.server import Server
from stages.stage4.workers import WorkerSup

if TYPE_CHECKING:
    from stages.stage4.plane import Plane

DRAINED: Final = 0.8
"""The part of the grace over which fans are let go."""
SLOWEST: Final = 2.0
"""Fans a second that are let go at least: few of them are no wave, whoever serves them next."""
STEP_S: Final = 0.02
"""The time between two handfuls of fans."""


async def part_from_all(plane: Plane, over_s: float) -> int:
    """Ask all fans of a plane to come back, one after the other over so many seconds; return how many were asked.

    Nobody may come meanwhile. It returns as soon as nobody is left.
    """
    loop = asyncio.get_running_loop()
    fans, begun_s = plane.staying(), loop.time()
    longest_s = max(2, round(over_s))
    asked = turn = 0
    while turn < len(fans) and plane.connected:
        passed = min(1.0, (loop.time() - begun_s) / over_s) if over_s > 0 else 1.0
        due = min(len(fans), 1 + int(passed * len(fans)))
        for fd in fans[turn:due]:
            asked += plane.ask_back(fd, random.randint(1, longest_s))  # noqa: S311  # nothing secret about a pause
        turn = due
        await asyncio.sleep(STEP_S)
    return asked


class DrainingServer(Server):
    """Lets its fans go before it stops."""

    async def _drain(self, until_s: float) -> None:
        await super()._drain(until_s)
        await self._let_nobody_in()
        plane: Plane = self.parts.server_plane
        over_s = min(DRAINED * (until_s - monotonic()), plane.connected / SLOWEST)
        self.parts.farewells.said += await part_from_all(plane, over_s)

    async def _let_nobody_in(self) -> None:
        """End the listeners, and close what they listened on. Workers, which have their own, drain before they end."""
        assert self._top is not None  # noqa: S101  # it was started
        has_workers = self.parts.roster is not None
        names = [WorkerSup.NAME] if has_workers else self._listener_names()
        with suppress(CallError):  # it has given up, and with it the listeners
            for name in names:
                await self._top.call(TerminateChild(name))
        self._close()

"""Asks a server beside a trial how late its event loop is.

It must not disturb the trial, nor fail it:

* A look every 2 s asks for no actors. With 2,000 fans on stage 2.5 it takes 5-7 ms of the server's CPU, with 250 some
  4-5, and the samples, ten a second, 1.5 ms a second of a server that would sleep: half a percent of a core together.
* A look takes one connection to each node, which is made before the first fan comes, and kept: a server that runs out
  of files later can still be asked.
* A server that does not answer, or has no statistics, and a harness without a file left: there are no samples then.
* It ends with the trial, whatever ends that: nobody waits for more than the look under way and a last one.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING, Final

from common.http.statistics import StatisticsQuery
from harness.interruption import background_thread
from harness.targets.poller import Poller
from harness.trial.figures.loop_lag import LagLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOK_EVERY_S: Final = 2.0
PATIENCE_S: Final = 1.0
"""How long an answer may take. What a loop that is held up did not tell, it tells the next time."""

_NO_ACTORS: Final = StatisticsQuery(actors=0)


@contextmanager
def watched_loop(urls: Sequence[str]) -> Iterator[LagLog]:
    """Have the nodes behind these URLs looked at inside; what they told is in the log, complete after the end.

    The first look, with which a node begins to measure, is over when the block is entered, and a last one when it is
    left: within `PATIENCE_S`, and twice that, at the latest.
    """
    watch = _LoopWatch(urls)
    with background_thread("loop-watch", watch.run, watch.over):
        watch.began.wait()
        yield watch.log


class _LoopWatch:
    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self.log = LagLog()
        self.began = Event()
        self.over = Event()

    def run(self) -> None:
        try:
            with suppress(OSError), asyncio.Runner() as runner:  # no file is left for an event loop
                runner.run(self._watch())
        finally:
            self.began.set()

    async def _watch(self) -> None:
        async with Poller(self._urls, PATIENCE_S) as poller:
            await self._look(poller)
            self.began.set()
            while not self.over.wait(LOOK_EVERY_S):  # nothing else is on this loop: it may be held up
                await self._look(poller)
            await self._look(poller)

    async def _look(self, poller: Poller) -> None:
        self.log.add(await poller.poll(_NO_ACTORS))

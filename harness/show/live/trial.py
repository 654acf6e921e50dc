"""A trial while it is made, with the server's own view of itself: for a terminal (`--live`), or a browser (`--web`).

It must not disturb what it shows:

* The fans' counts are read from shared memory twice a second, which costs the generator nothing.
* The server is asked for its statistics once a second, and for no more than a hundredth of the time: with 2,000 fans an
  answer takes it 3 ms, with 17,000 some 15 (`common.otp.survey`), and then it is asked less often. At least every 5 s,
  though: an answer that takes more than 50 ms has waited for most of them, which costs the server nothing.
* Showing takes some 10 ms of this process, twice a second, in a thread of its own. The reporter is in this process,
  too: a post may go out that much later, which its lag tells; a fan-out counts from when it does go out.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, contextmanager
from threading import Event
from typing import TYPE_CHECKING, Final, Protocol, Self

from rich.live import Live

from common.http.statistics import StatisticsQuery
from harness.interruption import background_thread
from harness.load.samples import Progress
from harness.show.live.course import Pace, Told
from harness.show.live.screen import show_trial
from harness.targets.api_publisher import ApiPublisher
from harness.targets.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from rich.console import Console

    from harness.load.reporter import Posted
    from harness.targets.poller import Look
    from harness.targets.target import Target

SHOW_EVERY_S: Final = 0.5
ASK_EVERY_S: Final = (1.0, 5.0)
"""At the most and at the least."""
MOST_OF_TIME: Final = 0.01
"""The share of the time in which the server may be busy with answering."""
ACTORS: Final = 20


def rest_s(took_s: float) -> float:
    """Return how long after a question the next one is due, if its answer took so long."""
    soonest_s, latest_s = ASK_EVERY_S
    return min(max(soonest_s, took_s / MOST_OF_TIME), latest_s)


class Screen(Protocol):
    """Whoever shows how a trial goes, each time anew."""

    def show(self, told: Told, pace: Pace, looks: Sequence[Look]) -> None:
        """Show what the trial has told, how far the fans are, and what was seen of each node."""
        ...


class TerminalScreen:
    """Shows it on a terminal; a context manager, for the terminal's sake."""

    def __init__(self, console: Console, name: str, n: int) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._name = name
        self._n = n

    def __enter__(self) -> Self:
        self._live.start()
        self.show(Told(), Pace(), ())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, told: Told, pace: Pace, looks: Sequence[Look]) -> None:
        """Draw it; see Screen."""
        self._live.update(show_trial(self._name, self._n, told, pace, looks), refresh=True)


class LiveTrial:
    """Has a screen show a trial (`harness.trial.measure.Watcher` and `Onlooker`).

    The thread starts when the fans do, from where the trial talks to the server, which may be another network namespace
    than that of whoever made this object.
    """

    def __init__(self, screen: Screen, target: Target) -> None:
        self._screen = screen
        self._target = target
        self._told = Told()
        self._pace = Pace()
        self._progress: Callable[[], Progress] = Progress
        self._over = Event()

    @contextmanager
    def looking_at(self, progress: Callable[[], Progress]) -> Iterator[None]:
        """Show how far the fans are, inside; see `harness.trial.measure.Onlooker`."""
        self._progress = progress
        try:
            with background_thread("live", self._run, self._over):
                yield
        finally:
            self._progress = Progress

    def phase(self, name: str, total: int) -> None:
        """Show that a phase begins."""
        self._told = self._told.begin(name, total, self._progress())

    def fans(self, progress: Progress) -> None:
        """Do nothing: the thread looks by itself."""

    def posted(self, post: Posted) -> None:
        """Show what became of a post."""
        self._told = self._told.post(post)

    def _run(self) -> None:
        asyncio.run(self._watch_trial())

    async def _watch_trial(self) -> None:
        looks: Sequence[Look] = ()
        ask_at_s = 0.0
        async with AsyncExitStack() as stack:
            publisher = self._target.publisher
            poller = None
            if isinstance(publisher, ApiPublisher):
                poller = await stack.enter_async_context(Poller(publisher.urls))
            while not self._over.is_set():
                self._pace = self._pace.next(time.monotonic(), self._progress())
                if poller is not None and self._pace.at_s >= ask_at_s:
                    looks = await poller.poll(StatisticsQuery(ACTORS))
                    ask_at_s = self._pace.at_s + rest_s(time.monotonic() - self._pace.at_s)
                self._screen.show(self._told, self._pace, looks)
                self._over.wait(SHOW_EVERY_S)  # nothing else is on this loop: it may be held up

"""The loop behind `harness top`: looks at the nodes, hears the keys, draws."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from common.http.statistics import StatisticsQuery
from harness.show.live.keys import read_keys
from harness.show.live.view import View, press
from harness.targets.target import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.targets.poller import Look, Poller

    Draw = Callable[[Sequence[Look], View], None]

ACTORS: Final = 100
"""So many actors a node is asked for: more than a terminal has lines, so that a filter has something to find."""


def query_of(view: View) -> StatisticsQuery:
    """Return what a node is asked for that view."""
    return StatisticsQuery(ACTORS, view.column.value.asked)


async def first_look(poller: Poller) -> list[Look]:
    """Return the first look. Raise TargetError if nobody answers."""
    looks = await poller.poll(query_of(View()))
    if all(look.now is None for look in looks):
        raise TargetError(looks[0].away or f"{looks[0].address} does not answer")
    return looks


class Top:
    """Draws the nodes every `interval_s` seconds, and at every key, until q or the end of the terminal `fd`."""

    def __init__(self, poller: Poller, looks: list[Look], draw: Draw, fd: int, interval_s: float) -> None:
        self._poller = poller
        self._looks = looks
        self._draw = draw
        self._fd = fd
        self._interval_s = interval_s
        self._view = View()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Return when it is over."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._fd, self._hear)
        looking = asyncio.create_task(self._look(), name="look")
        over = asyncio.create_task(self._over.wait(), name="over")
        try:
            self._show()
            done, _ = await asyncio.wait((looking, over), return_when=asyncio.FIRST_COMPLETED)
            if looking in done:
                looking.result()  # it never returns, so this raises what ended it
        finally:
            loop.remove_reader(self._fd)
            for task in (looking, over):
                task.cancel()
            await asyncio.wait((looking, over))

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            if not self._view.paused:
                looks = await self._poller.poll(query_of(self._view))
                if not self._view.paused:
                    self._looks = looks
                    self._show()

    def _hear(self) -> None:
        keys = read_keys(self._fd)
        if keys is None:
            self._over.set()
            return
        for key in keys:
            self._view = press(self._view, key)
        if self._view.ended:
            self._over.set()
        else:
            self._show()

    def _show(self) -> None:
        self._draw(self._looks, self._view)

"""Visits, counted many at a time: fans come by the hundred thousand at once, and a request for each would be too much.

The first visit after a pause goes at once; those that come within BATCH_S of the last batch go together in the next.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from common.store.errors import StoreUnavailableError
from common.store.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stages.stage3.request_queue import Command

BATCH_S: Final = 0.003
"""The time from one batch to the next: no visit waits longer before it is sent."""
BATCH_SIZE: Final = 500
"""So many visits are sent at once without waiting for more."""


class VisitBatches:
    """Collects visits; `send` has the commands of a batch carried out, and may raise StoreUnavailableError.

    `tag` stands before every key.
    """

    def __init__(self, send: Callable[[list[Command]], Awaitable[list[Any]]], tag: str = "") -> None:
        self._send = send
        self._visits = Visits(tag)
        self._batch: list[tuple[bytes, asyncio.Future[int]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = float("-inf")
        self._under_way: set[asyncio.Task[None]] = set()

    async def visit(self, user: str) -> int:
        """Count a visit of the user; return how many there have been, as far as they are kept.

        Raise StoreUnavailableError.
        """
        # Encoded here, so that a name that cannot be sent is its own visitor's affair alone.
        name = user.encode()
        loop = asyncio.get_running_loop()
        counted: asyncio.Future[int] = loop.create_future()
        self._batch.append((name, counted))
        if len(self._batch) == BATCH_SIZE:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_at(self._last_s + BATCH_S, self._begin)  # if that is past: at once
        return await counted

    def close(self) -> None:
        """Give up what is not counted yet."""
        self._stop_timer()
        for task in self._under_way:
            task.cancel()
        self._fail(self._batch, "closed by this program")

    def _begin(self) -> None:
        self._stop_timer()
        batch, self._batch = self._batch, []
        self._last_s = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._count(batch), name="visits")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _count(self, batch: list[tuple[bytes, asyncio.Future[int]]]) -> None:
        try:
            counts = await self._send(self._visits.count([name for name, _ in batch]))
        except StoreUnavailableError as error:
            self._fail(batch, str(error))
        except BaseException:
            self._fail(batch, "given up before it was counted")
            raise
        else:
            for (_, counted), number in zip(batch, counts[: len(batch)], strict=True):
                if not counted.done():
                    counted.set_result(number)

    def _fail(self, batch: list[tuple[bytes, asyncio.Future[int]]], why: str) -> None:
        for _, counted in batch:
            if not counted.done():
                counted.set_exception(StoreUnavailableError(f"the visit may not have been counted: {why}"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

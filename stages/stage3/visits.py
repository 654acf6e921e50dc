"""Visits, counted many at a time: fans come by the hundred thousand at once, and a request for each would be too much.

The first visit after a pause goes at once; those that come within BATCH_S of the last batch go together in the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from common.store.coalescing import Coalescer
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
        self._batches = Coalescer(self._count, "visits", pause_s=BATCH_S, most=BATCH_SIZE)

    async def visit(self, user: str) -> int:
        """Count a visit of the user; return how many there have been, as far as they are kept.

        Raise StoreUnavailableError.
        """
        name = user.encode()  # here, so that a name that cannot be sent is its own visitor's affair alone
        try:
            return await self._batches.ask(name)
        except StoreUnavailableError as error:
            raise StoreUnavailableError(f"the visit may not have been counted: {error}") from error

    def close(self) -> None:
        """Give up what is not counted yet."""
        self._batches.close()

    async def _count(self, names: list[bytes]) -> list[int]:
        counts = await self._send(self._visits.count(names))
        return counts[: len(names)]

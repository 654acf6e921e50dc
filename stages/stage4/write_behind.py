"""Lesson `write-behind`: visits are counted in Redis some thousands at a time, up to a tenth of a second late.

A visit counted by itself is a message, a task and an exchange with Redis, 30 to 55 µs (`reports/design-notes.md`): as
much as all else that a fan costs. Here its name is put on a list. What must hold:

* At a clean stop none is lost: what is on the list goes to Redis before the server ends, if Redis takes it in LAST_S.
* A batch whose answer is lost is not sent again: a visit may be lost with Redis, and none is counted twice.
* While Redis is away the list keeps MOST visits and no more; of those that come then the log tells.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from common.store.errors import StoreUnavailableError, UnknownOutcomeError
from stages.stage0.log import Seldom
from stages.stage0.operations import CountVisits
from stages.stage4.fans import Fans

if TYPE_CHECKING:
    from common.otp import Reason
    from stages.stage0.parts import Parts

_log = logging.getLogger(__name__)

EVERY_S: Final = 0.1
"""How late a visit is counted, at most."""
BATCH: Final = 2_000
"""Visits in one exchange with Redis."""
MOST: Final = 100_000
"""Visits that are kept while Redis is away."""
LAST_S: Final = 2.0
"""How long a server that stops waits for Redis to take the last of them."""


class WriteBehindFans(Fans):
    """Counts visits in batches."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._visits: list[str] = []
        self._under_way = 0
        self._is_writing = False
        self._writing = asyncio.Lock()
        self._too_many = Seldom(_log)

    async def terminate(self, reason: Reason) -> None:
        """Write the last visits, too."""
        await super().terminate(reason)
        try:
            async with asyncio.timeout(LAST_S):
                await self._write_batch()  # which waits for one that is under way
                while self._visits:
                    await self._write_batch()
        except (StoreUnavailableError, TimeoutError) as error:
            _log.warning("the last %d visits are not counted: %s", len(self._visits), error or "Redis is too slow")

    def _count_visit(self, user: str) -> None:
        if len(self._visits) + self._under_way >= MOST:
            self._too_many.warning("%d visits wait to be counted; those that come now are not", MOST)
            return
        self._visits.append(user)
        if not self._is_writing:
            self._is_writing = True
            self.spawn(self._write_behind())

    async def _write_behind(self) -> None:
        """Write what there is after a moment, and go on as long as more comes."""
        try:
            while self._visits:
                await asyncio.sleep(EVERY_S)
                with suppress(StoreUnavailableError):  # the database process has logged it
                    await self._write_batch()
        finally:
            self._is_writing = False

    async def _write_batch(self) -> None:
        """Write up to BATCH visits, the oldest. Raise StoreUnavailableError; those that surely are not counted stay."""
        async with self._writing:
            batch = self._visits[:BATCH]
            if not batch:
                return
            del self._visits[:BATCH]
            self._under_way = len(batch)
            try:
                await self._parts.db.query(self.node, CountVisits(tuple(batch)))
            except UnknownOutcomeError:
                raise
            except StoreUnavailableError:
                self._visits[:0] = batch
                raise
            finally:
                self._under_way = 0

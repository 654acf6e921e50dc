"""The talk's `db_writer`: one for the whole system, which carries out the writes of all nodes, one after the other.

In Erlang it is registered globally. Nodes that know of each other only through Redis have a candidate each: the one
that has the lease is the writer, the others ask for it again and again, and a writer that ends in order lets go of it
at once. A writer that could not renew its lease in time stops; one that does not know that it was replaced is refused
by Redis.

Everything happens in this one process, one thing after the other: wait for requests, have them carried out, and in
between renew the lease. The waiting is never longer than until the next renewal.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from common.otp import GenServer
from common.store.connections import Connections
from common.store.errors import StoreUnavailableError
from stages.stage3.errors import FencedError
from stages.stage3.lease import TTL_S, Lease
from stages.stage3.request_queue import RequestQueue

if TYPE_CHECKING:
    from common.otp import Reason

_log = logging.getLogger(__name__)

RENEWALS: Final = 4
"""How often a lease is renewed in the time that it lasts."""
CAMPAIGN_S: Final = 0.2
"""How often a candidate asks for the lease: so long there is no writer after one that ended in order."""
COMMAND_TIMEOUT_S: Final = TTL_S
"""How long Redis may be silent; longer than the writer ever has it wait."""

_ROUND = "round"


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """Whether this node's candidate is the writer now, in which epoch (the last one it had, 0: none), and what it did.

    Counts since its start: requests carried out, rounds in which Redis did not answer as it should, and times that it
    lost the lease to another.
    """

    is_writer: bool
    epoch: int
    executed: int
    failures: int
    replaced: int


class DbWriter(GenServer):
    """A candidate for the one writer of the system.

    `node_id` is for people who look into Redis. `lease_s`: how long there is no writer when one has died.
    """

    NAME = "db_writer"

    def __init__(self, redis_url: str, node_id: str, *, lease_s: float = TTL_S) -> None:
        self._node_id = node_id
        self._redis = Connections(redis_url, 1, COMMAND_TIMEOUT_S, COMMAND_TIMEOUT_S)
        self._queue = RequestQueue(self._redis)
        self._lease = Lease(self._redis, f"{node_id}:{secrets.token_hex(8)}", ttl_s=lease_s)
        self._renew_s = lease_s / RENEWALS
        self._epoch: int | None = None
        self._last_epoch = 0
        self._renew_at_s = 0.0
        self._away = False
        self._executed = self._failures = self._replaced = 0

    async def init(self) -> None:
        """Begin to campaign; Redis need not be there."""
        self.process.send(_ROUND)

    async def handle_info(self, message: Any) -> None:
        """Do the next thing, then the next but one."""
        del message  # there is only one
        pause_s = await self._round()
        if pause_s:
            asyncio.get_running_loop().call_later(pause_s, self.process.send, _ROUND)
        else:
            self.process.send(_ROUND)

    async def terminate(self, reason: Reason) -> None:
        """Let another node have the lease at once."""
        del reason
        if self._epoch is not None:
            with suppress(StoreUnavailableError):  # then it has to run out
                await self._lease.release()
        await self._redis.close()

    def statistics(self) -> WriterStatistics:
        """Return the counts as they are now."""
        is_writer = self._epoch is not None and self._lease.left_s > 0
        return WriterStatistics(is_writer, self._last_epoch, self._executed, self._failures, self._replaced)

    async def _round(self) -> float:
        """Campaign or write; return how many seconds to pause before the next round."""
        try:
            pause_s = await (self._campaign() if self._epoch is None else self._write(self._epoch))
        except FencedError:
            self._step_down()
            return CAMPAIGN_S
        except StoreUnavailableError as error:
            self._failures += 1
            if not self._away:
                _log.warning("%s; trying again until it is back", error)
            self._away = True
            self._renew_at_s = 0.0  # whether the lease is still there is the first thing to know
            return CAMPAIGN_S
        self._away = False
        return pause_s

    async def _campaign(self) -> float:
        self._epoch = await self._lease.acquire()
        if self._epoch is None:
            return CAMPAIGN_S
        self._last_epoch = self._epoch
        self._renew_at_s = asyncio.get_running_loop().time() + self._renew_s
        _log.info("%s is the writer, in epoch %d", self._node_id, self._epoch)
        return 0.0

    async def _write(self, epoch: int) -> float:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._renew_at_s or not self._lease.left_s:
            if not await self._lease.renew(epoch):
                raise FencedError(f"epoch {epoch} is over: another writer has taken over, or Redis was set back")
            self._renew_at_s = now_s + self._renew_s
        await self._queue.wait(self._renew_at_s - now_s)
        if self._lease.left_s:
            self._executed += await self._queue.execute(epoch)
        return 0.0

    def _step_down(self) -> None:
        _log.warning(
            "%s is the writer no more, after epoch %d: another has taken over, or Redis was set back",
            self._node_id,
            self._last_epoch,
        )
        self._epoch = None
        self._replaced += 1

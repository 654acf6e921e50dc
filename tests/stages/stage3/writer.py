"""Who is the writer of a system, as its Redis knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.stage3 import keys
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.store.connections import Connections


@dataclass(frozen=True, slots=True)
class Writer:
    """Who is the writer, and which one since the system began."""

    pid: int
    epoch: int


async def writer(raw: Connections) -> Writer | None:
    """Return the writer of now, None if there is none."""
    lease, epoch = await raw.call("GET", keys.LEASE), await raw.call("GET", keys.EPOCH)
    return None if lease is None else Writer(int(lease.split(b":")[-2]), int(epoch))


async def is_replaced(raw: Connections, before: Writer) -> None:
    """Return once another is the writer. How soon that must be, test_lease has from Redis's own clock."""

    async def another_works() -> bool:
        now = await writer(raw)
        return now is not None and now.epoch > before.epoch and now.pid != before.pid

    await eventually(another_works, "there is another writer")

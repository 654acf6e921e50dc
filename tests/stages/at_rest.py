"""A server that has nothing to do: what it counts now, it counts again when it has come back to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.http.client import ReporterClient
    from common.http.statistics import Statistics


async def at_rest(api: ReporterClient, fans: int) -> Statistics:
    """Return the statistics once `fans` watch, each a user if the stage has any, nobody else is there, and Redis rests.

    Fans of another test who are about to go, or a connection to Redis that is being opened, would count.
    """
    looks: list[Statistics] = []

    async def is_at_rest() -> bool:
        found = await api.statistics()
        looks.append(found)
        alive = {kind.kind: kind.alive for kind in found.kinds}
        users = fans if "Fans" in alive else alive.get("User", 0)  # on a plane no fan has a process of its own
        return found.connections == users == found.handlers == fans and not any(pool.busy for pool in found.redis)

    await eventually(is_at_rest, f"{fans} fans watch, and nothing is asked of Redis")
    return looks[-1]


def files_besides_redis(found: Statistics) -> int:
    """Return how many files are open, without the pool's connections: it grows with what is asked."""
    return found.open_files.open - found.redis[0].opened

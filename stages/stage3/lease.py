"""A lease in Redis: of all candidates at most one is the holder, and only for as long as it says that it is there.

A lease alone does not keep two from acting: a holder may be stopped for a while (swapped out, suspended with its
machine), and go on with what it was about to do when another has the lease already. So every acquisition has a number,
its epoch, one higher than the one before, and what the holder does includes a check of the epoch in the same step (a
*fencing token*). Sources: Martin Kleppmann, "How to do distributed locking", 2016; Redis, "Distributed Locks with
Redis" (https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/), of which this is the case with one
instance.

An epoch is no less than the time by Redis's clock, in µs. Redis may come back from an older save, or empty, and with it
the number: one that is only counted would then be given to a second holder, while the first one still acts in it.

How much time is left is judged by this side's clock from *before* the renewal was sent, so the holder believes in the
lease for less long than Redis does. (The clock stands still while a machine is suspended: that is left to the epoch.)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from stages.stage3 import keys

if TYPE_CHECKING:
    from common.store.connections import Connections

TTL_S: Final = 2.0
"""How long a lease lasts that is not renewed: the longest that the system is without a writer when one has died."""

# All: KEYS[1] the lease, KEYS[2] the epoch; ARGV[1] the holder. Acquire and renew: ARGV[2] the time to live in ms.
# Returns the epoch, nil if another has the lease. (If the one who asks has it already, an answer has got lost.)
_ACQUIRE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return false end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local time = redis.call('TIME')
local epoch = math.max(time[1] * 1000000 + time[2], (tonumber(redis.call('GET', KEYS[2])) or 0) + 1)
redis.call('SET', KEYS[2], string.format('%.0f', epoch))
return epoch
"""

# ARGV[3] the epoch. A lease that ran out and that nobody took meanwhile is renewed.
_RENEW: Final = """
local holder = redis.call('GET', KEYS[1])
if redis.call('GET', KEYS[2]) ~= ARGV[3] or (holder and holder ~= ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class Lease:
    """One candidate for the writer's lease, known by a name that no other has or had.

    Every method may raise StoreUnavailableError; then the lease may have been taken, renewed or released, or not.
    """

    def __init__(self, redis: Connections, holder: str, *, ttl_s: float = TTL_S) -> None:
        self._redis = redis
        self._holder = holder
        self._ttl_s = ttl_s
        self._until_s = 0.0

    @property
    def left_s(self) -> float:
        """For how many more seconds the lease is certainly held; 0 if it may be another's."""
        return max(0.0, self._until_s - asyncio.get_running_loop().time())

    async def acquire(self) -> int | None:
        """Take the lease and return its epoch; None if another holds it."""
        sent_s = asyncio.get_running_loop().time()
        epoch: int | None = await self._run(_ACQUIRE, self._ttl_ms)
        if epoch is not None:
            self._until_s = sent_s + self._ttl_s
        return epoch

    async def renew(self, epoch: int) -> bool:
        """Hold it for longer; return False if another has taken it since `epoch`, or Redis knows no such epoch."""
        sent_s = asyncio.get_running_loop().time()
        renewed = bool(await self._run(_RENEW, self._ttl_ms, epoch))
        self._until_s = sent_s + self._ttl_s if renewed else 0.0
        return renewed

    async def release(self) -> None:
        """Let another have it at once, if it is held."""
        self._until_s = 0.0
        await self._run(_RELEASE)

    @property
    def _ttl_ms(self) -> int:
        return round(self._ttl_s * 1000)

    async def _run(self, script: str, *arguments: int) -> int | None:
        script_keys = (self._redis.tag + keys.LEASE, self._redis.tag + keys.EPOCH)
        answer: int | None = await self._redis.call("EVAL", script, 2, *script_keys, self._holder, *arguments)
        return answer

"""A store that tells the other nodes of what it changes in a match, in one go with the change.

A message that tells of an event which was refused is sent as well; it says "may", and whoever looks finds nothing new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from common.store.redis_store import RedisStore
from stages.stage3 import keys

if TYPE_CHECKING:
    from common.store.connection import Argument


class GroupStore(RedisStore):
    """A `RedisStore` whose `create_match`, `append` and `cancel` publish on the match's channel (`keys`)."""

    async def _change(self, match_id: str, news: str, command: tuple[Argument, ...]) -> Any:
        tell = (keys.publish(self._tag), self._tag + keys.match_channel(match_id), news)
        answer, _ = await self._writes.call_all((command, tell))
        return answer

"""The process that keeps a server's name in Redis (`common.store.presence`), and hears first when Redis was away.

Every other connection is used only when somebody asks something, and a match that nobody posts to and nobody comes to
would not hear of Redis's end. This one is always in use. Redis may have come back with less than was there, so when it
is back all live matches are told, and look.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from common.otp import GenServer
from common.store.errors import StoreUnavailableError
from common.store.presence import PresenceUnknownError, SharedRedisError
from stages.stage0.live_match import LiveMatch
from stages.stage0.messages import RedisReturned

if TYPE_CHECKING:
    from common.otp import Reason
    from common.store.presence import Presence

_log = logging.getLogger(__name__)

RETRY_S: Final = 0.2
"""The pause between two attempts to connect."""

_START: Final = "start"


class PresenceKeeper(GenServer):
    """Keeps an announced `presence` for as long as the server runs."""

    NAME = "presence"

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def init(self) -> None:
        """Begin."""
        self.process.send(_START)

    async def handle_info(self, message: Any) -> None:
        """Watch over the connection for ever: an exit signal ends it."""
        del message  # there is only one
        while True:
            await self._presence.lost()
            await self._return()
            for match in tuple(self.node.servers(LiveMatch)):
                match.process.send(RedisReturned())

    async def _return(self) -> None:
        """Return when the server is there again."""
        while True:
            try:
                await self._presence.announce()
            except StoreUnavailableError:
                await asyncio.sleep(RETRY_S)
            except SharedRedisError as error:
                _log.error("%s", error)
                return
            except PresenceUnknownError:  # as was said at the start
                return
            else:
                return

    async def terminate(self, reason: Reason) -> None:
        """Be there no more."""
        del reason
        await self._presence.close()

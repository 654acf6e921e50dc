"""Lesson `match-groups`: a process for the match on every node that has fans of it (the talk's `match` with `pg2`).

The processes of a match never talk to each other. What must not be lost is in Redis, in the match and the stream of its
events, before anybody hears of it; what is published beside is only the news *that* there is something, which may get
lost. A process that hears it reads what it missed, and sends that to its own dispatcher. So a fan is served by the
node it is connected to, and hears the same events in the same order on each, whichever node the reporter posted to.

Two topologies, to be compared (`--topology`):

* connected: whoever writes publishes in the same step, and every node is told at once. When the connection was away
  and is back, each match reads what it may have missed.
* independent: nobody tells anybody. Each process looks into Redis every 0.25 s, for two reads each time.

In either, a node may know less than another for a moment, or know a match that is another by now. What has to be done
about that the baseline does already, since its Redis may come back with less (`stages.stage0.live_match`).

A message tells where the event stands, its number and its moment. Of a place where a process has been itself it need
not hear; any other is news, also one that lies behind: after Redis came back with less the numbers begin again below.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from common.domain.errors import UnknownMatchError
from common.otp import Down
from common.store import codec
from common.store.errors import StoreUnavailableError
from stages.stage0.live_match import RELOAD, RELOAD_S, LiveMatch
from stages.stage3.keys import match_channel
from stages.stage3.subscriptions import Published, Resubscribed, Subscriptions

if TYPE_CHECKING:
    from common.domain.events import Event
    from common.domain.match import Match
    from common.otp import Monitor
    from stages.stage import Parts

JOIN: Final = "join"
LOOK: Final = "look"
LOOK_EVERY_S: Final = 0.25

CANCELLED: Final = b"cancelled"

_PLACES: Final = 32
"""So many events may be under way as messages behind what the process itself has done."""


class GroupedMatch(LiveMatch):
    """Follows what the match's processes on other nodes write, told by them."""

    def __init__(self, parts: Parts, match_id: str) -> None:
        super().__init__(parts, match_id)
        self._news = b""
        self._was_cancelled = False
        self._places: deque[bytes] = deque(maxlen=_PLACES)
        self._subscriptions: Monitor | None = None

    async def init(self) -> None:
        """Join the group, then read what was written since the match was read. Raise as the baseline does."""
        await super().init()
        await self._join()
        await self._reload()

    async def handle_info(self, message: Any) -> None:
        """Read the match again when another node has changed it, or may have."""
        if isinstance(message, Published):
            self._news = message.data
            self._was_cancelled = self._was_cancelled or message.data == CANCELLED
            message = RELOAD
        elif isinstance(message, Resubscribed):
            self._stale = True
            message = RELOAD
        elif message == JOIN or (isinstance(message, Down) and message.monitor is self._subscriptions):
            await self._join()
            self._stale = True
            message = RELOAD
        await super().handle_info(message)

    def _is_behind(self) -> bool:
        return super()._is_behind() or bool(self._news and self._news not in self._places)

    async def _reload(self) -> None:
        self._news = b""  # what comes from here on may not be in what is read
        await super()._reload()

    async def _read(self) -> Match:
        try:
            match = await super()._read()
        except UnknownMatchError:
            if self._was_cancelled:
                self._cancelled()
            raise
        if match.last_at is not None:
            self._places.append(codec.place(match.seq, match.last_at).encode())
        return match

    def _notify(self, event: Event) -> None:
        self._places.append(codec.place(event.seq, event.at).encode())
        super()._notify(event)

    async def _join(self) -> None:
        """Have this process told of what is published about its match; try again later if that cannot be now."""
        try:
            subscriptions = await Subscriptions.subscribe(self.node, match_channel(self._id), self.process)
            self._subscriptions = self.process.monitor(subscriptions)
        except StoreUnavailableError:
            asyncio.get_running_loop().call_later(RELOAD_S, self.process.send, JOIN)


class LookingMatch(LiveMatch):
    """Looks for what other nodes have written, from time to time."""

    async def init(self) -> None:
        """Begin to look. Raise as the baseline does."""
        await super().init()
        self._look_later()

    async def handle_info(self, message: Any) -> None:
        """Read the match again when it is time."""
        if message == LOOK:
            self._look_later()
            self._stale = True
            message = RELOAD
        await super().handle_info(message)

    def _look_later(self) -> None:
        asyncio.get_running_loop().call_later(LOOK_EVERY_S, self.process.send, LOOK)

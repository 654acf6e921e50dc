"""Lesson `match-groups`: a process for the match on every node that has fans of it (the talk's `match` with `pg2`).

The processes of a match never talk to each other. What must not be lost is in Redis, in the match and the stream of its
events, before anybody hears of it; what is published beside is only the news *that* there is something, which may get
lost. A process that hears it reads what it missed, and sends that to its own dispatcher. So a fan is served by the
node it is connected to, and hears the same events in the same order on each, whichever node the reporter posted to.

Two topologies, to be compared (`--topology`):

* connected: whoever writes publishes in the same step, and every node is told at once. When the connection was away
  and is back, each match reads what it may have missed.
* independent: nobody tells anybody. Each process looks into Redis every 0.25 s, for two reads each time.

In either, a node may know less than another for a moment, and two things follow:

* What a match refuses by the rules it may only have refused by an old state of things ("start is impossible", when it
  was another node that the half-time was posted to). So it reads the match again before it says no.
* A match that was cancelled and announced anew meanwhile has the same id, and soon as many events. So a process reads
  the last event that it knows together with those that it missed: if that is another one now, so is the match. It names
  that event, too, when it has another stored after it, and is refused if the match is not the one that it knows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from common.domain.errors import DomainError, UnknownMatchError
from common.otp.signals import Down, Stop
from common.store.errors import StoreUnavailableError
from stages.stage0.live_match import RELOAD, RELOAD_S, LiveMatch
from stages.stage3.keys import match_channel
from stages.stage3.subscriptions import Published, Resubscribed, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.domain.events import Event
    from common.domain.match import Match
    from common.domain.posts import Post
    from common.otp.signals import Monitor
    from common.store.terms import Terms
    from stages.stage import Parts

JOIN: Final = "join"
LOOK: Final = "look"
LOOK_EVERY_S: Final = 0.25


class Follower(LiveMatch):
    """One of the processes of a match, each of which may be behind the others."""

    def __init__(self, parts: Parts, match_id: str) -> None:
        super().__init__(parts, match_id)
        self._last: Event | None = None

    async def init(self) -> None:
        """Read the last event, too. Raise as the baseline does."""
        await super().init()
        if self._match.seq:
            found = await self._history(self._match.seq - 1)
            if not found:
                raise UnknownMatchError(f"the match {self._id} was cancelled")
            self._last = found[0]

    async def _accept(self, post: Post, terms: Terms) -> Event:
        try:
            return await super()._accept(post, terms)
        except UnknownMatchError:
            raise
        except DomainError:
            await self._reload()
            return await super()._accept(post, terms)

    async def _append(self, match: Match, event: Event, terms: Terms) -> Event | None:
        last = self._last
        return await self._parts.db.query(self.node, lambda store: store.append(match, event, after=last, terms=terms))

    async def _missed(self) -> Sequence[Event]:
        """Read what the match gained. Raise Stop if it is another by now: who has called is served by the next one."""
        if self._last is None:
            return await super()._missed()
        found = await self._history(self._last.seq - 1)
        if not found or found[0] != self._last:
            self._cancelled()
            raise Stop
        return found[1:]

    def _notify(self, event: Event) -> None:
        self._last = event
        super()._notify(event)


class GroupedMatch(Follower):
    """Follows what the match's processes on other nodes write, told by them."""

    def __init__(self, parts: Parts, match_id: str) -> None:
        super().__init__(parts, match_id)
        self._announced = 0
        self._subscriptions: Monitor | None = None

    async def init(self) -> None:
        """Join the group, then read what was written since the match was read. Raise as the baseline does."""
        await super().init()
        await self._join()
        await self._reload()

    async def handle_info(self, message: Any) -> None:
        """Read the match again when another node has changed it, or may have."""
        if isinstance(message, Published):
            # A number is that of an event. Anything else concerns the match as a whole: it is not what it was.
            self._announced = int(message.data) if message.data.isdigit() else self._announced
            self._stale = self._stale or not message.data.isdigit()
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
        return super()._is_behind() or self._announced > self._match.seq

    async def _join(self) -> None:
        """Have this process told of what is published about its match; try again later if that cannot be now."""
        try:
            subscriptions = await Subscriptions.subscribe(self.node, match_channel(self._id), self.process)
            self._subscriptions = self.process.monitor(subscriptions)
        except StoreUnavailableError:
            asyncio.get_running_loop().call_later(RELOAD_S, self.process.send, JOIN)


class LookingMatch(Follower):
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

"""Lesson `reply-later`: a server does not wait in a call; it works on it beside its loop and answers when done.

* `db`: an operation is begun when it is asked for, however many others are under way. Who asks what was just asked, and
  not begun, shares the answer: fans who come together all ask for the same match, and are told the same of it.
* `match`: while an event is on its way to Redis, whoever wants to subscribe is served. Events are still decided one
  after the other, since each is applied to what the one before has left.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from common.otp import NO_REPLY, reply
from stages.stage0.db import Db, Operation, Read
from stages.stage0.live_match import RELOAD, LiveMatch
from stages.stage0.log import messages
from stages.stage0.messages import EventManager, RedisReturned

if TYPE_CHECKING:
    from common.otp import ReplyTo
    from stages.stage import Parts
    from stages.stage0.messages import Accept, Cancel

DECIDED: Final = "decided"
"""From the work beside to the match itself: it may be over now."""


class LaterDb(Db):
    """Runs any number of operations at a time.

    It has nothing to wait in any more, so it needs no task of its own.
    """

    hibernates = True

    def __init__(self, parts: Parts, redis_url: str) -> None:
        super().__init__(parts, redis_url)
        self._askers: dict[Read, list[ReplyTo]] = {}

    def init(self) -> None:
        """Start no connection processes, if the pool would: what is under way here needs none to wait in."""

    def handle_call(self, request: Operation, reply_to: ReplyTo) -> object:
        """Begin the operation."""
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        if isinstance(request, Read):
            self._share(request, reply_to)
        else:
            self._askers.clear()  # what is asked from here on is to see what this writes
            self.reply_later(reply_to, self._answer(request))
        return NO_REPLY

    def handle_cast(self, message: Operation) -> None:
        """Begin an operation whose answer nobody waits for."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        self._askers.clear()  # as above
        self.spawn(self._answer(message))

    def _share(self, read: Read, reply_to: ReplyTo) -> None:
        askers = self._askers.get(read)
        if askers is None:
            askers = self._askers[read] = []
            self.spawn(self._answer_all(read, askers))
        askers.append(reply_to)

    async def _answer_all(self, read: Read, askers: list[ReplyTo]) -> None:
        """Read once for all who asked before this is begun, which is in the next turn of the loop."""
        if self._askers.get(read) is askers:
            del self._askers[read]  # who asks from here on may know of something that was written meanwhile
        answered = await self._answer(read)
        for reply_to in askers:
            reply(reply_to, answered)


class LaterMatch(LiveMatch):
    """Answers who wants to subscribe while an event is being stored."""

    def __init__(self, parts: Parts, match_id: str) -> None:
        super().__init__(parts, match_id)
        self._deciding = asyncio.Lock()

    def handle_call(self, request: EventManager | Accept | Cancel, reply_to: ReplyTo) -> object:
        """Answer at once, or decide beside."""
        if isinstance(request, EventManager):
            return super().handle_call(request, reply_to)
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        self.spawn(self._decide_beside(request, reply_to))
        return NO_REPLY

    async def handle_info(self, message: Any) -> None:
        """Read a stale match again, but not while one is being decided on."""
        if message == RELOAD or isinstance(message, RedisReturned):
            async with self._deciding:
                await super().handle_info(message)
        else:
            await super().handle_info(message)

    async def _decide_beside(self, request: Accept | Cancel, reply_to: ReplyTo) -> None:
        async with self._deciding:
            reply(reply_to, await self._decide(request))
        self.process.send(DECIDED)  # after the answer: the match may end over it

    def _stop_if_over(self, answer: object = None) -> None:
        if not self._deciding.locked():
            super()._stop_if_over(answer)

"""The talk's `match`: a gen_server for each live match that applies an event, stores it, and notifies the dispatcher.

An event is accepted when match and event are in Redis, in one atomic write. When a write fails it is not known whether
it took effect: the match then counts as stale and is read again, with the events it may have gained, before anything
else is done with it. So what is in the history was sent to the fans, and what was refused was not.

What Redis has may also be less than it was, or another course of the same match: it came back from an older save or
empty, a replica took its place, or the match was announced anew by another server. So

* a match that is read again is read from the last event that this process knows; if that is another one now, so is the
  match. The same event is named when another is stored after it;
* what the rules refuse they may only refuse by an old state of things: the match is read again before it says no;
* a match is read again whenever Redis was away (`stages.stage0.presence`).

A match that is not the one that this process knows ends it. Who has called is served by the next one; users find out
what is left of what they have told their fans, as after any end of it.

An event that is asked for again under its key may well be impossible by now: a `stop` is, after itself. So before the
rules have their say, what was answered under the key has it; that costs a question to Redis only where they refuse.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from common.domain import rules
from common.domain.errors import DomainError, UnknownMatchError
from common.otp import Failure, GenServer, Stop
from common.store.errors import ConflictError, StoreUnavailableError, UnreadableRecordError
from common.wire.frames import encode, error_line
from stages.stage0.course import beyond
from stages.stage0.log import events, messages
from stages.stage0.messages import Accept, Cancel, Dismissal, EventManager, Notification, Place, RedisReturned
from stages.stage0.operations import AcceptedUnder, AppendEvent, CancelMatch, HistoryAfter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.domain.events import Event
    from common.domain.match import Match
    from common.domain.posts import Post
    from common.otp import Process, ReplyTo
    from common.store.terms import Terms
    from stages.stage0.parts import Parts


RELOAD = "reload"
RELOAD_S = 1.0
"""How long to wait before reading a stale match again."""


class LiveMatch(GenServer):
    """One match, while it is played; before and after, only as long as it takes to answer a call."""

    _match: Match
    _dispatcher: Process

    def __init__(self, parts: Parts, match_id: str) -> None:
        self._parts = parts
        self._id = match_id
        self._stale = False
        self._is_over = False
        self._placed = 0

    async def init(self) -> None:
        """Read the match and start its dispatcher.

        Raise UnknownMatchError, UnreadableRecordError, StoreUnavailableError.
        """
        self._match = await self._read()
        self._dispatcher = await self.node.start(self._parts.dispatcher(self._place()), parent=self.process)

    def handle_call(self, request: EventManager | Accept | Cancel, reply_to: ReplyTo) -> object:
        """Answer with the dispatcher, None if the match is not live; with the accepted event; with None when cancelled.

        Failure of a DomainError, UnreadableRecordError or StoreUnavailableError: nothing was changed.
        """
        del reply_to  # answered by returning, or by a Stop
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        if isinstance(request, EventManager):
            manager = self._event_manager() if self._match.is_live else None
            self._stop_if_over(manager)
            return manager
        return self._change(request)

    async def handle_info(self, message: Any) -> None:
        """Read a stale match again."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        if isinstance(message, RedisReturned):
            self._stale = True
            message = RELOAD
        if message == RELOAD and self._is_behind():
            try:
                await self._reload()
            except StoreUnavailableError:
                self._reload_later()
            except (UnknownMatchError, UnreadableRecordError):
                raise Stop from None
        self._stop_if_over()

    async def _change(self, request: Accept | Cancel) -> object:
        decided = await self._decide(request)
        self._stop_if_over(decided)
        return decided

    async def _decide(self, request: Accept | Cancel) -> Event | Failure | None:
        try:
            if self._is_behind():
                await self._reload()
            if isinstance(request, Accept):
                return await self._accept(request.post, request.terms)
            await self._cancel(request.terms)
        except (DomainError, StoreUnavailableError, UnreadableRecordError) as error:
            return Failure(error)
        return None

    def _event_manager(self) -> Process:
        """Return whom the next subscriber is to add its handler to: each in its turn."""
        managers = self.event_managers()
        self._placed += 1
        return managers[self._placed % len(managers)]

    async def _accept(self, post: Post, terms: Terms) -> Event:
        is_fresh = False
        while True:
            try:
                match, event = rules.apply(self._match, post, datetime.now(UTC))
            except DomainError:
                before = await self._accepted_before(terms)
                if before is not None:
                    return await self._caught_up_with(before)
                if is_fresh:
                    raise
                await self._reload()
                is_fresh = True
                continue
            try:
                before = await self._append(match, event, terms)
            except ConflictError:
                await self._reload_after_conflict()
            except StoreUnavailableError:
                self._doubt()
                raise
            except UnknownMatchError:
                self._is_over = True
                raise
            else:
                if before is not None:
                    return await self._caught_up_with(before)
                self._match = match
                events.info("%s: event %d, %s", self._id, event.seq, event.kind)
                self._notify(event)
                return event

    async def _append(self, match: Match, event: Event, terms: Terms) -> Event | None:
        return await self._parts.db.query(self.node, AppendEvent(match, event, self._match.last_at, terms))

    async def _cancel(self, terms: Terms) -> None:
        try:
            is_deleted = await self._parts.db.query(self.node, CancelMatch(self._id, terms))
        except StoreUnavailableError:
            self._doubt()
            raise
        if is_deleted:
            self._cancelled()
        else:  # it is gone, or this was done before, and it was announced anew since
            await self._reload()

    def _doubt(self) -> None:
        """Take note that it is not known what Redis did; find out before anything else, and soon."""
        self._stale = True
        self._reload_later()

    async def _accepted_before(self, terms: Terms) -> Event | None:
        """Return the event that was accepted under the terms' key, None if there is none.

        Raise what the terms refuse: the rules may have judged a state of things that the reporter does not know of.
        """
        if terms.is_plain:
            return None
        return await self._parts.db.query(self.node, AcceptedUnder(self._id, terms))

    async def _caught_up_with(self, event: Event) -> Event:
        """Return `event`; but first send out what the match gained, if that is news here."""
        if event.seq > self._match.seq:
            await self._reload()
        return event

    async def _missed(self, seq: int) -> Sequence[Event]:
        """Read what the match has gained, up to number `seq`. Raise Stop if it is not the match that it was."""
        known = self._place()
        events = await self._history(max(0, known.seq - 1))
        missed = beyond(known, events)
        if missed is None:
            raise Stop
        return [event for event in missed if event.seq <= seq]

    async def _reload_after_conflict(self) -> None:
        """Raise as `_reload` does; UnreadableRecordError as well if what Redis holds contradicts itself."""
        seq = self._match.seq
        await self._reload()
        if self._match.seq == seq:
            self._is_over = True
            raise UnreadableRecordError(f"the match {self._id} and its events do not fit together: cancel the match")

    async def _history(self, after_seq: int) -> Sequence[Event]:
        return await self._parts.db.query(self.node, HistoryAfter(self._id, after_seq))

    def _place(self) -> Place:
        return Place(self._match.seq, self._match.last_at)

    def _reload_later(self) -> None:
        asyncio.get_running_loop().call_later(RELOAD_S, self.process.send, RELOAD)

    def _cancelled(self) -> None:
        self._is_over = True
        why = f"the match {self._id} was cancelled"
        self._dispatcher.cast(Dismissal(error_line(why), why))

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    def event_managers(self) -> Sequence[Process]:
        """Return those to whom handlers may be added."""
        return (self._dispatcher,)

    def _stop_if_over(self, answer: object = None) -> None:
        """End, with this answer, when the match is not played (any more); whoever has called already is answered first.

        Raise Stop.
        """
        if (self._is_over or not self._match.is_live) and not self.process.queued:
            raise Stop(reply=answer)

    def _is_behind(self) -> bool:
        """Whether Redis may know more of the match than this process."""
        return self._stale

    async def _read(self) -> Match:
        """Return the match as it is stored. Raise UnknownMatchError, UnreadableRecordError, StoreUnavailableError."""
        return await self._parts.db.match(self.node, self._id)

    async def _reload(self) -> None:
        """Read the match again and send out what it gained.

        Raise Stop if it is another one than this process knows; UnknownMatchError, UnreadableRecordError, after which
        this process ends as well; StoreUnavailableError.
        """
        self._stale = False  # what makes it stale from here on may not be in what is read
        try:
            match = await self._read()
            missed = await self._missed(match.seq)
        except StoreUnavailableError:
            self._stale = True
            raise
        except (UnknownMatchError, UnreadableRecordError):
            self._is_over = True
            raise
        self._match = match
        for event in missed:
            self._notify(event)

    def _notify(self, event: Event) -> None:
        """Send an accepted event on its way to the fans."""
        self._dispatcher.cast(self._notification(event))

    def _notification(self, event: Event) -> Notification:
        """Return what tells the fans of an event."""
        return Notification(event.seq, encode(event), event.ends_match, event.at, monotonic())

"""The talk's `user`: a gen_server for each user id that has its clients watch matches.

On `watch` it reads the match, sends the `status`, and adds a handler to the match's dispatcher. It knows for each
client the place of the last event that was sent, so whatever else happens, an event goes out once and in order: what a
status already tells is not told again, and what was missed is read from the history. That is also how a fan gets over
a crash of the dispatcher without a loss.

The history is read from that event on. If it is not there any more, or another is in its place, the match was announced
anew, or Redis has come back with less than was there: what the fan was told is not so, and the fan is told that.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from common.domain import rules
from common.domain.errors import DomainError, UnknownMatchError
from common.otp import (
    AddHandler,
    CallError,
    DeleteHandler,
    Exit,
    Failure,
    GenServer,
    HandlerExit,
    Stop,
)
from common.store.errors import StoreUnavailableError, UnreadableRecordError
from common.wire.frames import encode, error_line
from stages.stage0.course import beyond
from stages.stage0.log import messages
from stages.stage0.messages import (
    UNREADABLE,
    Dismissal,
    EventManager,
    Forwarded,
    Missed,
    Notification,
    Place,
    Status,
    Watch,
)
from stages.stage0.operations import CountVisit, CurrentMatch, HistoryAfter, MatchOf, Read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from common.domain.match import Match
    from common.otp import Process, ReplyTo
    from common.store.redis_store import RedisStore
    from stages.stage0.parts import Parts


RESUME_S = 1.0
"""How long to wait before asking again for a match that cannot be had now."""

GONE: Final = "the match {} is no longer stored: it was cancelled, or its database has lost it"
SET_BACK: Final = (
    "the match {} was set back, or announced anew: what you heard last is no part of it any more; connect again"
)


@dataclass(frozen=True, slots=True)
class StatusOf(Read):
    """Asks for a match, None: the current one, and what a fan is told first of it."""

    match_id: str | None

    async def __call__(self, store: RedisStore) -> tuple[Match, Status]:
        """Return both. Raise UnknownMatchError."""
        match = await (CurrentMatch() if self.match_id is None else MatchOf(self.match_id))(store)
        return match, Status(encode(rules.status(match, datetime.now(UTC))), is_last=not match.is_live)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The handler that a user adds to a dispatcher for one client."""

    user: Process
    client: Process

    def handle_event(self, event: Notification | Dismissal) -> object:
        """Pass it to the user."""
        self.user.cast(Forwarded(self.client, event))
        return None


@dataclass(slots=True)
class Watching:
    """What one client watches, and how far it has been told: the number of an event, and when it was accepted."""

    match_id: str
    seq: int
    at: datetime | None
    dispatcher: Process | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """To the user itself: bring this client up to date and have it notified from here on."""

    client: Process


class User(GenServer):
    """One user, from its first client until its last has gone."""

    trap_exit = True
    many = True

    def __init__(self, parts: Parts, user_id: str) -> None:
        self._parts = parts
        self._id = user_id
        self._watching: dict[Process, Watching] = {}

    def init(self) -> Awaitable[None] | None:
        """Count the visit, before anything is answered. Raise StoreUnavailableError."""
        return self._count_visit()

    async def _count_visit(self) -> None:
        await self._parts.db.query(self.node, CountVisit(self._id))

    async def handle_call(self, request: Watch, reply_to: ReplyTo) -> Failure | None:
        """Have a client watch a match: answer None, or Failure of UnknownMatchError, UnreadableRecordError, …."""
        del reply_to  # answered by returning, or by a Stop
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        answer = None
        try:
            await self._watch(request)
        except (DomainError, StoreUnavailableError, UnreadableRecordError) as error:
            answer = Failure(error)
        self._stop_if_unused(answer)
        return answer

    def handle_cast(self, message: Forwarded) -> Coroutine[Any, Any, None] | None:
        """Send an event to a client that has not been told of it yet, or send the client away."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        watching = self._watching.get(message.client)
        sent = message.message
        if watching is None:
            pass
        elif isinstance(sent, Dismissal):
            self._dismiss(message.client, sent)
        elif sent.seq > watching.seq + 1:
            return self._resume(message.client)
        elif sent.seq == watching.seq + 1 or sent.is_last:
            self._transmit(message.client, sent)
        self._stop_if_unused()
        return None

    async def handle_info(self, message: Any) -> None:
        """Forget a client that has gone; get over a dispatcher or a handler that has."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        if isinstance(message, Resume):
            await self._resume(message.client)
        elif isinstance(message, HandlerExit):
            await self._resume_all(message.manager)
        elif isinstance(message, Exit):
            await self._ended(message.process)
        self._stop_if_unused()

    async def _watch(self, request: Watch) -> None:
        match, status = await self._parts.db.query(self.node, StatusOf(request.match_id))
        request.client.cast(status)
        if match.is_live:
            self._hold(request.client)
            self._watching[request.client] = Watching(match.id, match.seq, match.last_at)
            await self._begin_watching(request.client)

    async def _ended(self, process: Process) -> None:
        """Forget the client, or get over the dispatcher, that has ended."""
        if process in self._watching:
            await self._forget(process)
        else:
            await self._resume_all(process)

    async def _subscribe(self, client: Process) -> None:
        """Have the client notified from here on; later, if that cannot be now."""
        await self._insist(client, self._join(client))

    async def _insist(self, client: Process, attempt: Awaitable[None]) -> None:
        """Do something for a client; try again later if that may help, tell the client if nothing will."""
        match_id = self._watching[client].match_id
        try:
            await attempt
        except UnknownMatchError:
            self._send_away(client, GONE.format(match_id))
        except UnreadableRecordError:
            self._send_away(client, UNREADABLE)
        except (StoreUnavailableError, CallError):
            asyncio.get_running_loop().call_later(RESUME_S, self.process.send, Resume(client))

    async def _join(self, client: Process) -> None:
        """Add the client's handler; what was sent out between its last event and now is read from the history."""
        watching = self._watching[client]
        manager = await self._find_dispatcher(watching.match_id)
        missed = Missed.END if manager is None else await self._add_handler(client, manager)
        if missed is not Missed.NOTHING:
            await self._catch_up(client)
        if missed is Missed.END and client in self._watching:  # the history has no end
            self._send_away(client, SET_BACK.format(watching.match_id))

    async def _catch_up(self, client: Process) -> None:
        """Send what the history has beyond the client's last event; dismiss the client if it has that one no more.

        Raise UnknownMatchError, UnreadableRecordError, StoreUnavailableError.
        """
        watching = self._watching[client]
        place = Place(watching.seq, watching.at)
        missed = beyond(place, await self._parts.db.query(self.node, HistoryAfter(watching.match_id, place.seq - 1)))
        if missed is None:
            await self._parts.db.match(self.node, watching.match_id)  # if it is gone, that is what is to be said
            self._send_away(client, SET_BACK.format(watching.match_id))
            return
        for event in missed:
            self._transmit(client, Notification(event.seq, encode(event), event.ends_match, event.at))

    async def _resume(self, client: Process) -> None:
        if client in self._watching:
            await self._insist(client, self._rejoin(client))
        self._stop_if_unused()

    async def _rejoin(self, client: Process) -> None:
        await self._catch_up(client)
        if client in self._watching:  # the match has not ended meanwhile
            await self._join(client)

    async def _resume_all(self, dispatcher: Process) -> None:
        for client in [client for client, watching in self._watching.items() if watching.dispatcher is dispatcher]:
            await self._resume(client)

    def _send_away(self, client: Process, why: str) -> None:
        self._dismiss(client, Dismissal(error_line(why)))

    def _dismiss(self, client: Process, dismissal: Dismissal) -> None:
        client.cast(dismissal)
        del self._watching[client]

    def _transmit(self, client: Process, notification: Notification) -> None:
        client.cast(notification)
        if notification.is_last:
            del self._watching[client]
        else:
            watching = self._watching[client]
            watching.seq, watching.at = notification.seq, notification.accepted_at

    def _stop_if_unused(self, answer: object = None) -> None:
        """End, with this answer, when no client is left; who has come already is served first. Raise Stop."""
        if not self._watching and not self.process.queued:
            raise Stop(reply=answer)

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    async def _begin_watching(self, client: Process) -> None:
        """See to it that the client is told of what comes after its status."""
        await self._subscribe(client)

    def _hold(self, client: Process) -> None:
        """See to it that this user hears when the client has gone."""
        self.process.link(client)

    async def _forget(self, client: Process) -> None:
        """Take a client's handler away; end at once if it was the last client, and the handler with this process."""
        watching = self._watching.pop(client)
        self._stop_if_unused()
        if watching.dispatcher is not None and watching.dispatcher.alive:
            with suppress(CallError):  # it ended meanwhile, and the handler with it
                await watching.dispatcher.call(DeleteHandler((watching.match_id, self._id, client)))

    async def _find_dispatcher(self, match_id: str) -> Process | None:
        """Return whom to add handlers to; None if the match is not live."""
        manager: Process | None = await self._parts.match_sup.call(self.node, match_id, EventManager())
        return manager

    async def _add_handler(self, client: Process, manager: Process) -> Missed:
        """Add the client's handler; return how the client stands to what was sent until then."""
        watching = self._watching[client]
        sent: Place = await manager.call(self._handler(client, watching.match_id))
        watching.dispatcher = manager
        return Missed.NOTHING if sent == (watching.seq, watching.at) else Missed.EVENTS

    def _handler(self, client: Process, match_id: str) -> AddHandler:
        """Return the call that adds the client's handler."""
        return AddHandler((match_id, self._id, client), Subscription(self.process, client), owner=self.process)

"""Lesson `fd-plane`: one subscriber for all fans of a match, in place of a user and a client for each.

The audience does once what a user does for each of its clients (`stages.stage0.user`): it adds a handler to the
dispatcher of the match, knows the place of the last event that its fans were told, and reads from the history what was
missed. An event goes to the whole crowd, in the order in which it came.

A fan that comes while an event is on its way must hear of that event once: in its status, or as an event. So newcomers
wait until the status is that of just the place where the audience stands, and are answered all together, between two
events. Who comes first to a match has the audience read it; where it stands is what they are told.

The audience ends when nobody is there any more, when the match ends, and when it is cancelled. Its seats stay (they are
data, `stages.stage4.seats`), so if it crashes the next one goes on where it was: what was being sent goes to those who
are still due.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from common.domain import rules
from common.domain.errors import UnknownMatchError
from common.otp import (
    REMOVE_HANDLER,
    AddHandler,
    CallError,
    DeleteHandler,
    Down,
    GenServer,
    Restart,
    SimpleOneForOne,
    Stop,
)
from common.store.errors import StoreUnavailableError, UnreadableRecordError
from common.wire.frames import encode
from stages.stage0.client import STORE_AWAY
from stages.stage0.course import beyond
from stages.stage0.log import messages
from stages.stage0.messages import UNREADABLE, Dismissal, EventManager, Notification, Place
from stages.stage0.operations import HistoryAfter, MatchOf
from stages.stage0.user import GONE, RESUME_S, SET_BACK
from stages.stage4.seats import Seats, place_of
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.domain.events import Event
    from common.domain.match import Match
    from common.otp import Monitor, Process, Reason
    from common.wire.greeting import Numbered
    from stages.stage0.parts import Parts
    from stages.stage4.crowd import Crowd
    from stages.stage4.plane import Plane

JOIN: Final = "join"
"""To an audience: find the dispatcher, and catch up with it."""
NEWCOMERS: Final = "newcomers"
"""To an audience: somebody waits to be answered; or nobody is there any more, perhaps."""
OVERDUE: Final = "overdue"
"""To itself: the match had come further than the events that were told; they should have come by now."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The handler of an audience with a dispatcher; it goes by itself when the audience has."""

    audience: Process

    def handle_event(self, event: Notification | Dismissal) -> object:
        """Pass it on."""
        if not self.audience.alive:
            return REMOVE_HANDLER
        self.audience.cast(event)
        return None


def notification_of(event: Event) -> Notification:
    """Return what tells of an event that the history has."""
    return Notification(event.seq, encode(event), event.ends_match, event.at, event=event)


class AudienceSup(SimpleOneForOne):
    """Starts an audience for the seats of a match. One that ends is started again by `Fans`, which has the seats."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(lambda match_id, seats: parts.audience(parts, match_id, seats), Restart.TEMPORARY)


class Audience(GenServer):
    """Tells all fans of one match what happens there."""

    def __init__(self, parts: Parts, match_id: str, seats: Seats) -> None:
        self._parts = parts
        self._plane: Plane = parts.server_plane
        self._id = match_id
        self._seats = seats
        self._manager: Monitor | None = None
        self._in_doubt = seats.place is not None
        self._asking = False

    def init(self) -> None:
        """Begin with the dispatcher."""
        self.process.send(JOIN)

    async def handle_cast(self, message: Notification | Dismissal) -> None:
        """Send an event to all, or send all away."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        seats = self._seats
        if isinstance(message, Dismissal):
            raise self._dismiss_for(message.why)
        if seats.place is None:
            return  # a JOIN is under way that finds it in the history
        if message.seq > seats.place.seq + 1:
            self._in_doubt = True
            await self._insist()
        elif message.seq == seats.place.seq + 1 or message.is_last:
            await self._transmit(message)
            await self._serve_newcomers()

    async def handle_info(self, message: Any) -> None:
        """Join, get over a dispatcher that has ended, answer who waits; end when nobody is there."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        if message == JOIN or (isinstance(message, Down) and message.monitor is self._manager):
            await self._insist()
        elif message == OVERDUE:
            if self._seats.waiting and self._seats.is_behind:
                self._seats.match = None
                self._in_doubt = True
                await self._insist()
        elif message == NEWCOMERS:
            await self._serve_newcomers()
        if self._seats.is_empty:
            raise Stop

    async def terminate(self, reason: Reason) -> None:
        """Take the handler away."""
        del reason
        await self._leave_manager()

    # To be where the dispatcher is.

    async def _insist(self) -> None:
        """Join the dispatcher; try again later if that may help, tell the fans if nothing will."""
        try:
            await self._join()
        except UnknownMatchError as error:
            self._refuse_waiting(str(error), Drop.MATCH)
            raise self._dismiss_for(GONE.format(self._id)) from None
        except UnreadableRecordError:
            self._refuse_waiting(UNREADABLE, Drop.MATCH)
            raise self._dismiss_for(UNREADABLE) from None
        except StoreUnavailableError:
            self._refuse_waiting(STORE_AWAY, Drop.STORE)
            self._join_later()
        except CallError:
            self._join_later()

    async def _join(self) -> None:
        await self._send_rest()
        manager: Process | None = await self._parts.match_sup.call(self.node, self._id, EventManager())
        if manager is None:
            await self._finish()
        if self._manager is None or self._manager.process is not manager:
            await self._leave_manager()
            self._manager = self.process.monitor(manager)
        place: Place = await manager.call(AddHandler((self._id, self.process), Subscription(self.process)))
        if self._seats.place is None:
            self._seats.place = place
        elif self._in_doubt or place != self._seats.place:
            await self._catch_up()
        self._in_doubt = False
        await self._serve_newcomers()

    async def _leave_manager(self) -> None:
        monitor, self._manager = self._manager, None
        if monitor is None:
            return
        self.process.demonitor(monitor)
        with suppress(CallError):  # it has ended, and the handler with it
            await monitor.process.call(DeleteHandler((self._id, self.process)))

    async def _catch_up(self) -> None:
        """Send all what the history has beyond their last event; send them away if it has that one no more."""
        place = self._seats.place
        assert place is not None  # noqa: S101  # see those who call
        missed = beyond(place, await self._history(place))
        if missed is None:
            await self._parts.db.match(self.node, self._id)  # if it is gone, that is what is to be said
            raise self._dismiss_for(SET_BACK.format(self._id))
        for event in missed:
            await self._transmit(notification_of(event))

    async def _history(self, place: Place) -> Sequence[Event]:
        return await self._parts.db.query(self.node, HistoryAfter(self._id, max(0, place.seq - 1)))

    async def _finish(self) -> NoReturn:
        """See to it that all hear the end of a match that is not live. Raise Stop."""
        if self._seats.is_watched:
            await self._catch_up()  # the history has the end, and that raises Stop
            raise self._dismiss_for(SET_BACK.format(self._id))
        match = await self._parts.db.match(self.node, self._id)
        if not match.is_live:
            await self._answer_last(match)
        raise Stop  # and the next audience finds who still waits

    def _join_later(self) -> None:
        asyncio.get_running_loop().call_later(RESUME_S, self.process.send, JOIN)

    # To tell all.

    async def _transmit(self, sent: Notification) -> None:
        seats = self._seats
        self._take_note(sent)
        seats.place, seats.sending = Place(sent.seq, sent.accepted_at), sent
        for crowd in seats.crowds:
            crowd.begin()
        await self._send_rest()

    async def _send_rest(self) -> None:
        """Send what is on its way to all who are still due. Raise Stop after the end of the match."""
        seats = self._seats
        sent = seats.sending
        if sent is None:
            return
        for crowd, frame in self._copies(sent):
            await self._send(sent, crowd, frame)
        seats.sending = None
        if sent.is_last:
            self._let_all_go()
            raise Stop

    def _dismiss_for(self, why: str) -> Stop:
        """Send all away; return what ends this audience."""
        for crowd in self._seats.crowds:
            door = crowd.door or self._plane.door
            self._count(crowd, self._plane.send(crowd.all(), door.error(why, Drop.MATCH)))
        self._let_all_go()
        return Stop()

    def _let_all_go(self) -> None:
        seats = self._seats
        for crowd in seats.crowds:
            let_go = self._plane.let_go if crowd.door is None else self._plane.let_close_first
            for fd in crowd.all():
                let_go(fd)
        seats.place = seats.match = seats.sending = None

    def _told(self, sent: Notification, crowd: Crowd, fans: int) -> None:
        """Count what so many fans of a crowd were told."""
        self._count(crowd, fans)
        if sent.at_s is not None:
            self._parts.traffic.fan_out.since(sent.at_s, fans)

    def _count(self, crowd: Crowd, fans: int) -> None:
        self._parts.traffic.delivered(crowd.door.name if crowd.door is not None else "", fans)

    # To answer who waits.

    async def _serve_newcomers(self) -> None:
        seats = self._seats
        if seats.place is None:
            return
        waiting = self._wait_for_status()
        if not waiting:
            return
        if seats.is_known:
            status = self._status()
            for fd in waiting:
                self._answer(fd, seats.waiting.pop(fd), status)
        elif not self._asking and not seats.is_behind:
            self._asking = True
            self.spawn(self._ask(seats.place))

    async def _ask(self, place: Place) -> None:
        """Read the match beside, so that events go on meanwhile."""
        try:
            match = await self._parts.db.query(self.node, MatchOf(self._id))
        except UnknownMatchError as error:
            self._refuse_waiting(str(error), Drop.MATCH)
        except UnreadableRecordError:
            self._refuse_waiting(UNREADABLE, Drop.MATCH)
        except StoreUnavailableError:
            self._refuse_waiting(STORE_AWAY, Drop.STORE)
        else:
            await self._compare(match, place)
        finally:
            self._asking = False
        self.process.send(JOIN if self._in_doubt else NEWCOMERS)

    async def _compare(self, match: Match, asked_at: Place) -> None:
        """Take the match as it was read, unless it can not have come from where the audience was when it asked."""
        seats = self._seats
        known = place_of(match)
        if seats.is_watched:
            if not match.is_live or not (known == asked_at or known.seq > asked_at.seq):
                self._in_doubt = True  # the history tells who is right
                return
        elif not match.is_live:
            await self._answer_last(match)
            return
        elif seats.place == asked_at:  # nobody has been told anything else
            seats.place = known
        if not seats.is_known:
            seats.match = match
        if seats.is_behind:
            asyncio.get_running_loop().call_later(RESUME_S, self.process.send, OVERDUE)

    def _refuse_waiting(self, why: str, drop: Drop) -> None:
        for fd in self._seats.take_waiting():
            self._plane.refuse(fd, why, drop)

    # Hooks: what later lessons do otherwise (the table in `stages.stage4` has them all).

    def _take_note(self, sent: Notification) -> None:
        """Take note of what the match is like after an event, which is sent next."""

    def _status(self) -> bytes:
        """Return what tells newcomers where the match stands, which `is_known`."""
        match, self._seats.match = self._seats.match, None  # the next who come hear of the match as it is then
        assert match is not None  # noqa: S101  # it is known
        status = self._seats.status_event = rules.status(match, datetime.now(UTC))
        return encode(status)

    async def _send(self, sent: Notification, crowd: Crowd, frame: bytes) -> None:
        """Send an event to all of a crowd who are due."""
        self._told(sent, crowd, self._plane.send(crowd.take(len(crowd)), frame))

    def _copies(self, sent: Notification) -> Sequence[tuple[Crowd, bytes]]:
        """Return who is sent an event, and as what."""
        return ((self._seats.crowd, sent.frame),)

    def _wait_for_status(self) -> list[int]:
        """Return who waits for the status, of those who wait."""
        return list(self._seats.waiting)

    def _answer(self, fd: int, numbered: Numbered | None, status: bytes) -> None:
        """Send one fan the status of the place where the crowd is, and have it hear what follows."""
        del numbered  # no door lets through who wants numbers
        self._plane.answer(fd, status, self._seats.crowd)

    async def _answer_last(self, match: Match) -> None:
        """Send all who wait the status of a match that is not live."""
        status = encode(rules.status(match, datetime.now(UTC)))
        for fd in self._seats.take_waiting():
            self._plane.answer_last(fd, status)

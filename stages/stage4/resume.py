"""Lesson `resume`: who was cut off goes on where it was, and has missed nothing.

A fan whose server ends comes back, to the next one or another, and was told only where the match stands by then: what
happened meanwhile it never heard. Here a fan can have its frames numbered (`V:3`, `common.wire.greeting`), and say when
it comes back which one it heard last. It is sent those that followed, and then what comes, each once and in order.

All may come back at the same moment, so this must cost no more than a status. The last events of each match are kept as
bytes (`stages.stage4.window`): a fan who stands at one of them is answered at once, from memory. What must hold:

* The window ends where the crowd stands, or it is none. Who joins there has been told what they have been told.
* Where it does not reach back, as that of a server that has just started, it is filled from the history: once, for all
  who wait for it. Beyond it a fan gets a status that says which events it stands for.
* Somebody may know of an event that is not known here: this server is late, or the match was set back. The history
  tells; if the match has gone on the audience catches up, else the fan is told that its course is none any more.
* Fans who want no numbers get the bytes that they always got. An event is numbered once, for all others.

To exercise it, kill servers under fans who come back (`matchstream watch --reconnect` is one). What moves is how many
events those miss: none. How fast they are answered is as with `encode-once`. It costs a few µs an event, and up to 256
KiB for a match that is watched.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from common.domain import rules
from common.store.errors import StoreUnavailableError, UnreadableRecordError
from common.wire import frames
from common.wire.greeting import GreetingReader
from stages.stage0.client import STORE_AWAY
from stages.stage0.messages import UNREADABLE, Place
from stages.stage0.operations import HistoryAfter
from stages.stage4.audience import JOIN, NEWCOMERS, Audience
from stages.stage4.door import TextDoor
from stages.stage4.fans import Fans
from stages.stage4.seats import Seats, place_of
from stages.stage4.window import MOST, Stand, Window
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from common.domain.events import Event
    from common.domain.match import Match
    from common.wire.greeting import Numbered
    from stages.stage0.messages import Notification
    from stages.stage0.parts import Parts
    from stages.stage4.crowd import Crowd

OTHER_COURSE: Final = "the match was set back, or announced anew: what you heard last is no part of it any more"


def stand_of(place: Place) -> Stand:
    """Return a place as a fan is told it."""
    return Stand(place.seq, frames.epoch_of(place.at))


def window_of(seats: Seats) -> Window:
    """Return the window that ends where the crowd stands; `place` is known."""
    assert seats.place is not None  # noqa: S101  # see above
    stand = stand_of(seats.place)
    if seats.window is None or seats.window.last != stand:
        seats.window = Window(stand)
    return seats.window


def can_resume(window: Window, numbered: Numbered) -> bool:
    """Whether a fan can be sent all that it missed."""
    return numbered.number is not None and window.has(Stand(numbered.number, numbered.epoch))


def needs_status(window: Window, numbered: Numbered) -> bool:
    """Whether it is sure that a fan has to be sent a status: it begins, or the window goes back as far as it may."""
    return numbered.number is None or (window.reaches_back and numbered.number < window.base.number)


def status_for(window: Window, numbered: Numbered, status: bytes) -> bytes:
    """Return the status of the place where the window ends for a fan, with what it missed."""
    missed = ""
    if numbered.number is not None and not can_resume(window, numbered):
        too_late = numbered.number < window.base.number
        missed = f"events {numbered.number + 1} to {window.last.number}" if too_late else OTHER_COURSE
    return frames.numbered(status, *window.last, missed)


class NumberedDoor(TextDoor):
    """Lets in who wants numbers."""

    def reader(self) -> GreetingReader:
        """Return a reader of all that is known."""
        return GreetingReader(numbers=True)


class ResumingFans(Fans):
    """Answers at once who can be told from memory what it missed."""

    def _answer_at_once(self, fd: int, seats: Seats, numbered: Numbered | None) -> bool:
        if numbered is None:
            return super()._answer_at_once(fd, seats, numbered)
        if seats.place is None or not seats.is_watched:
            return False
        window = window_of(seats)
        if can_resume(window, numbered):
            answer_from(window, self._parts, fd, numbered, seats.numbered)
            return True
        status = self._ready_status(seats) if needs_status(window, numbered) else None
        if status is None:
            return False
        self._plane.answer(fd, status_for(window, numbered, status), seats.numbered)
        return True


def answer_from(window: Window, parts: Parts, fd: int, numbered: Numbered, crowd: Crowd) -> None:
    """Send a fan who can resume what it missed, and put it into the crowd."""
    assert numbered.number is not None  # noqa: S101  # it can resume
    missed, data = window.beyond(numbered.number)
    parts.server_plane.answer(fd, data, crowd)
    parts.traffic.deliveries += missed


class ResumingAudience(Audience):
    """Numbers what it sends, keeps the last of it, and finds out where those stand who come back."""

    def __init__(self, parts: Parts, match_id: str, seats: Seats) -> None:
        super().__init__(parts, match_id, seats)
        self._is_looking = False
        self._judged: Mapping[int, Numbered] = {}

    def _take_note(self, sent: Notification) -> None:
        super()._take_note(sent)
        stand = stand_of(Place(sent.seq, sent.accepted_at))
        window_of(self._seats).add(stand, frames.numbered(sent.frame, *stand))

    def _copies(self, sent: Notification) -> Sequence[tuple[Crowd, bytes]]:
        plain, crowd = super()._copies(sent), self._seats.numbered
        if not crowd:
            return plain
        return (*plain, (crowd, frames.numbered(sent.frame, *stand_of(Place(sent.seq, sent.accepted_at)))))

    async def _serve_newcomers(self) -> None:
        if self._seats.waiting and self._seats.place is not None:
            self._serve_returning()
        await super()._serve_newcomers()

    def _serve_returning(self) -> None:
        """Answer who can resume; have the history looked into for those of whom nobody can say whether they can."""
        seats, window = self._seats, window_of(self._seats)
        unclear: dict[int, Numbered] = {}
        for fd, numbered in list(seats.waiting.items()):
            if numbered is None or self._waits_for_status(fd, numbered, window):
                continue
            if can_resume(window, numbered):
                del seats.waiting[fd]
                answer_from(window, self._parts, fd, numbered, seats.numbered)
            else:
                unclear[fd] = numbered
        if unclear and not self._is_looking:
            self._is_looking = True
            self.spawn(self._look(unclear, window))

    def _waits_for_status(self, fd: int, numbered: Numbered, window: Window) -> bool:
        if needs_status(window, numbered):
            return True
        return self._judged.get(fd) is numbered and not can_resume(window, numbered)  # `is`: another fan may be fd now

    def _wait_for_status(self) -> list[int]:
        window = window_of(self._seats)
        return [
            fd
            for fd, numbered in self._seats.waiting.items()
            if numbered is None or self._waits_for_status(fd, numbered, window)
        ]

    def _answer(self, fd: int, numbered: Numbered | None, status: bytes) -> None:
        if numbered is None:
            super()._answer(fd, numbered, status)
        else:
            seats = self._seats
            self._plane.answer(fd, status_for(window_of(seats), numbered, status), seats.numbered)

    # What the history says.

    async def _look(self, unclear: Mapping[int, Numbered], window: Window) -> None:
        """Read, beside, what the window lacks, and whether the match has gone on; these fans can be answered then."""
        last = window.last.number
        try:
            events = await self._events_after(last - 1 if window.reaches_back else window.base.number - MOST - 1)
        except UnreadableRecordError:
            self._refuse_these(unclear, UNREADABLE, Drop.MATCH)
        except StoreUnavailableError:
            self._refuse_these(unclear, STORE_AWAY, Drop.STORE)
        else:
            self._judge(unclear, events, last)
        finally:
            self._is_looking = False
        self.process.send(JOIN if self._in_doubt else NEWCOMERS)

    async def _events_after(self, number: int) -> Sequence[Event]:
        # Before the window MOST, in it as many, and what follows it, of which some are enough.
        return await self._parts.db.query(self.node, HistoryAfter(self._id, max(0, number), 3 * MOST))

    def _judge(self, unclear: Mapping[int, Numbered], events: Sequence[Event], asked_at: int) -> None:
        """Put into the window what belongs there, unless the history is not what the crowd has been told."""
        if self._seats.place is None:
            return  # it ended meanwhile, and the next audience finds who waits
        window = window_of(self._seats)
        newest = stand_of(Place(events[-1].seq, events[-1].at)) if events else Stand(0, 0)
        if newest.number < asked_at or not window.has(newest):
            self._in_doubt = True
            return
        if not window.reaches_back:
            window.put_before(numbered_events(events, window.base.number))
        self._judged = unclear

    def _refuse_these(self, unclear: Mapping[int, Numbered], why: str, drop: Drop) -> None:
        waiting = self._seats.waiting
        for fd, numbered in unclear.items():
            if waiting.get(fd) is numbered:
                del waiting[fd]
                self._plane.refuse(fd, why, drop)

    async def _answer_last(self, match: Match) -> None:
        window = Window(stand_of(place_of(match)))
        asked = self._seats.waiting.values()
        if any(numbered is not None and not needs_status(window, numbered) for numbered in asked):
            try:
                events = await self._events_after(match.seq - MOST - 1)
            except UnreadableRecordError:
                self._refuse_waiting(UNREADABLE, Drop.MATCH)
            except StoreUnavailableError:
                self._refuse_waiting(STORE_AWAY, Drop.STORE)
            else:
                window.put_before(numbered_events(events, match.seq))
        status = frames.encode(rules.status(match, datetime.now(UTC)))
        for fd, numbered in self._seats.take_waiting().items():
            self._plane.answer_last(fd, last_words(window, numbered, status))


def last_words(window: Window, numbered: Numbered | None, status: bytes) -> bytes:
    """Return all that a fan is told of a match that is not live: what it missed, or where the match stands."""
    if numbered is None:
        return status
    if can_resume(window, numbered) and numbered.number != window.last.number:
        assert numbered.number is not None  # noqa: S101  # it can resume
        return window.beyond(numbered.number)[1]
    return status_for(window, numbered, status)


def numbered_events(events: Sequence[Event], last: int) -> list[tuple[Stand, bytes]]:
    """Return what numbered fans are sent of these events, up to that number."""
    stands = [(event, stand_of(Place(event.seq, event.at))) for event in events if event.seq <= last]
    return [(stand, frames.numbered(frames.encode(event), *stand)) for event, stand in stands]

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
from typing import TYPE_CHECKING, Final, cast

from common.domain import rules
from common.domain.match import Period
from common.store.errors import StoreUnavailableError, UnreadableRecordError
from common.wire import frames
from common.wire.greeting import GreetingReader
from stages.stage0.client import STORE_AWAY
from stages.stage0.messages import UNREADABLE, Place
from stages.stage0.operations import HistoryAfter
from stages.stage4.audience import JOIN, NEWCOMERS, Audience, notification_of
from stages.stage4.crowd import Crowd
from stages.stage4.door import TextDoor
from stages.stage4.fans import Fans
from stages.stage4.seats import Row, Seats, place_of
from stages.stage4.window import MOST, Stand, Window
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from common.domain.events import Event
    from common.domain.match import Match
    from common.wire.greeting import Numbered
    from stages.stage0.messages import Notification
    from stages.stage0.parts import Parts
    from stages.stage4.door import NumberingDoor
    from stages.stage4.plane import Plane

OTHER_COURSE: Final = "the match was set back, or announced anew: what you heard last is no part of it any more"


def stand_of(place: Place) -> Stand:
    """Return a place as a fan is told it."""
    return Stand(place.seq, frames.epoch_of(place.at))


def row_of(seats: Seats, plane: Plane, name: str) -> Row:
    """Return the row of a match's fans who came by the door of that name; the plane's own has none."""
    row = seats.rows.get(name)
    if row is None:
        door = plane.doors[name] if name else None
        own = cast("NumberingDoor", plane.door)  # with this lesson
        row = seats.rows[name] = Row(door or own, Crowd(plane.position, door))
    return row


def window_of(seats: Seats, row: Row) -> Window:
    """Return the row's window, which ends where the crowd stands; `place` is known."""
    assert seats.place is not None  # noqa: S101  # see above
    stand = stand_of(seats.place)
    if row.window is None or row.window.last != stand:
        row.window = Window(stand, row.door.resumed)
    return row.window


def can_resume(window: Window, numbered: Numbered) -> bool:
    """Whether a fan can be sent all that it missed."""
    return numbered.number is not None and window.has(Stand(numbered.number, numbered.epoch))


def needs_status(window: Window, numbered: Numbered) -> bool:
    """Whether it is sure that a fan has to be sent a status: it begins, or the window goes back as far as it may."""
    return numbered.number is None or (window.reaches_back and numbered.number < window.base.number)


def status_for(row: Row, window: Window, numbered: Numbered, status: Event, frame: bytes) -> bytes:
    """Return the status of the place where the window ends for a fan, with what it missed."""
    if numbered.number is None or can_resume(window, numbered):
        return row.status(status, frame, window.last)
    too_late = numbered.number < window.base.number
    missed = f"events {numbered.number + 1} to {window.last.number}" if too_late else OTHER_COURSE
    return row.door.status(status, frame, window.last, missed)


class NumberedDoor(TextDoor):
    """Lets in who wants numbers."""

    name: Final = ""
    heartbeat: Final = b""  # nobody but the kernel is between

    def reader(self) -> GreetingReader:
        """Return a reader of all that is known."""
        return GreetingReader(numbers=True)

    def event(self, sent: Notification, at: Stand) -> bytes:
        """Return its frame with the number."""
        return frames.numbered(sent.frame, *at)

    def status(self, status: Event, frame: bytes, at: Stand, missed: str) -> bytes:
        """Return its frame likewise."""
        del status
        return frames.numbered(frame, *at, missed)

    def resumed(self, events: int, number: int) -> bytes:
        """Return a `RESUMED:` line."""
        return frames.resumed_line(events, number)

    def end(self, *, is_over: bool) -> bytes:
        """Say no more."""
        del is_over
        return b""

    def nothing_follows(self) -> None:
        """Have the status told."""


class ResumingFans(Fans):
    """Answers at once who can be told from memory what it missed."""

    def _answer_at_once(self, fd: int, seats: Seats, numbered: Numbered | None) -> bool:
        if numbered is None:
            return super()._answer_at_once(fd, seats, numbered)
        if seats.place is None or not seats.is_watched:
            return False
        row = row_of(seats, self._plane, numbered.door)
        window = window_of(seats, row)
        if can_resume(window, numbered):
            answer_from(window, row, self._parts, fd, numbered)
            return True
        frame = self._ready_status(seats) if needs_status(window, numbered) else None
        if frame is None:
            return False
        answer_in(row, self._parts, fd, numbered, standing(seats, row, numbered, frame))
        return True


def answer_from(window: Window, row: Row, parts: Parts, fd: int, numbered: Numbered) -> None:
    """Send a fan who can resume what it missed, and put it into the crowd."""
    assert numbered.number is not None  # noqa: S101  # it can resume
    missed, data = window.beyond(numbered.number)
    answer_in(row, parts, fd, numbered, data)
    parts.traffic.delivered(numbered.door, missed)


def standing(seats: Seats, row: Row, numbered: Numbered, frame: bytes) -> bytes:
    """Return the status for a fan; `frame` is the text of it, as it was made last."""
    assert seats.status_event is not None  # noqa: S101  # the frame was made of it
    return status_for(row, window_of(seats, row), numbered, seats.status_event, frame)


def answer_in(row: Row, parts: Parts, fd: int, numbered: Numbered, data: bytes) -> None:
    """Send a fan its first answer, and put it into the row's crowd."""
    plane: Plane = parts.server_plane
    if not numbered.door:
        plane.answer(fd, data, row.crowd)
        return
    plane.answer_at_door(fd, numbered.opening + data, row.crowd)
    parts.traffic.answered(numbered.door, is_first=bool(numbered.opening))


class ResumingAudience(Audience):
    """Numbers what it sends, keeps the last of it, and finds out where those stand who come back."""

    def __init__(self, parts: Parts, match_id: str, seats: Seats) -> None:
        super().__init__(parts, match_id, seats)
        self._is_looking = False
        self._judged: Mapping[int, Numbered] = {}
        row_of(seats, self._plane, "")  # of the plane's own door the window is kept from the first event on

    def _take_note(self, sent: Notification) -> None:
        super()._take_note(sent)
        stand = stand_of(Place(sent.seq, sent.accepted_at))
        for row in self._seats.rows.values():
            window_of(self._seats, row).add(stand, row.event(sent, stand))

    def _copies(self, sent: Notification) -> Sequence[tuple[Crowd, bytes]]:
        stand = stand_of(Place(sent.seq, sent.accepted_at))
        rows = (row for row in self._seats.rows.values() if row.crowd)
        return (*super()._copies(sent), *((row.crowd, row.event(sent, stand)) for row in rows))

    async def _serve_newcomers(self) -> None:
        if self._seats.waiting and self._seats.place is not None:
            self._serve_returning()
        await super()._serve_newcomers()

    def _serve_returning(self) -> None:
        """Answer who can resume; have the history looked into for those of whom nobody can say whether they can."""
        waiting = self._seats.waiting
        unclear: dict[int, Numbered] = {}
        for fd, numbered in list(waiting.items()):
            if numbered is None:
                continue
            row, window = self._row_and_window(numbered)
            if self._waits_for_status(fd, numbered, window):
                continue
            if can_resume(window, numbered):
                del waiting[fd]
                answer_from(window, row, self._parts, fd, numbered)
            else:
                unclear[fd] = numbered
        if unclear and not self._is_looking:
            self._is_looking = True
            self.spawn(self._look(unclear))

    def _row_and_window(self, numbered: Numbered) -> tuple[Row, Window]:
        row = row_of(self._seats, self._plane, numbered.door)
        return row, window_of(self._seats, row)

    def _waits_for_status(self, fd: int, numbered: Numbered, window: Window) -> bool:
        if needs_status(window, numbered):
            return True
        return self._judged.get(fd) is numbered and not can_resume(window, numbered)  # `is`: another fan may be fd now

    def _wait_for_status(self) -> list[int]:
        return [
            fd
            for fd, numbered in self._seats.waiting.items()
            if numbered is None or self._waits_for_status(fd, numbered, self._row_and_window(numbered)[1])
        ]

    def _answer(self, fd: int, numbered: Numbered | None, status: bytes) -> None:
        if numbered is None:
            super()._answer(fd, numbered, status)
        else:
            row = row_of(self._seats, self._plane, numbered.door)
            answer_in(row, self._parts, fd, numbered, standing(self._seats, row, numbered, status))

    # What the history says.

    async def _look(self, unclear: Mapping[int, Numbered]) -> None:
        """Read, beside, what the windows lack, and whether the match has gone on; these fans can be answered then."""
        windows = [self._row_and_window(numbered)[1] for numbered in unclear.values()]
        last = windows[0].last.number  # of all
        first = min(last - 1 if window.reaches_back else window.base.number - MOST - 1 for window in windows)
        try:
            events = await self._events_after(first)
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
        """Put into the windows what belongs there, unless the history is not what the crowd has been told."""
        if self._seats.place is None:
            return  # it ended meanwhile, and the next audience finds who waits
        newest = stand_of(Place(events[-1].seq, events[-1].at)) if events else Stand(0, 0)
        for name in {numbered.door for numbered in unclear.values()}:
            row = row_of(self._seats, self._plane, name)
            window = window_of(self._seats, row)
            if newest.number < asked_at or not window.has(newest):
                self._in_doubt = True
                return
            if not window.reaches_back:
                window.put_before(numbered_events(row.door, events, window.base.number))
        self._judged = unclear

    def _refuse_these(self, unclear: Mapping[int, Numbered], why: str, drop: Drop) -> None:
        waiting = self._seats.waiting
        for fd, numbered in unclear.items():
            if waiting.get(fd) is numbered:
                del waiting[fd]
                self._plane.refuse(fd, why, drop)

    async def _answer_last(self, match: Match) -> None:
        base = Window(stand_of(place_of(match)))
        asked = self._seats.waiting.values()
        events: Sequence[Event] = ()
        if any(numbered is not None and not needs_status(base, numbered) for numbered in asked):
            try:
                events = await self._events_after(match.seq - MOST - 1)
            except UnreadableRecordError:
                self._refuse_waiting(UNREADABLE, Drop.MATCH)
            except StoreUnavailableError:
                self._refuse_waiting(STORE_AWAY, Drop.STORE)
        last = LastWords(self._seats, self._plane, match, events)
        for fd, numbered in self._seats.take_waiting().items():
            self._plane.answer_last(fd, last.of(numbered))
            if numbered is not None and numbered.door:
                self._parts.traffic.answered(numbered.door, is_first=bool(numbered.opening))


class LastWords:
    """All that fans are told of a match that is not live: what they missed, or where the match stands."""

    def __init__(self, seats: Seats, plane: Plane, match: Match, events: Sequence[Event]) -> None:
        self._seats = seats
        self._plane = plane
        self._at = stand_of(place_of(match))
        self._is_over = match.period is Period.ENDED
        self._events = events
        self._status = rules.status(match, datetime.now(UTC))
        self._frame = frames.encode(self._status)
        self._windows: dict[str, Window] = {}

    def of(self, numbered: Numbered | None) -> bytes:
        """Return what one fan is told."""
        if numbered is None:
            return self._frame
        row, window = row_of(self._seats, self._plane, numbered.door), self._window(numbered.door)
        if can_resume(window, numbered):
            assert numbered.number is not None  # noqa: S101  # it can resume
            if numbered.number != window.last.number:
                return numbered.opening + window.beyond(numbered.number)[1]
            nothing = row.door.nothing_follows() if self._is_over else None
            if nothing is not None:
                return nothing
        status = status_for(row, window, numbered, self._status, self._frame)
        return numbered.opening + status + row.door.end(is_over=self._is_over)

    def _window(self, name: str) -> Window:
        """Return a window that ends where the match does."""
        window = self._windows.get(name)
        if window is None:
            door = row_of(self._seats, self._plane, name).door
            window = self._windows[name] = Window(self._at, door.resumed)
            window.put_before(numbered_events(door, self._events, self._at.number))
        return window


def numbered_events(door: NumberingDoor, events: Sequence[Event], last: int) -> list[tuple[Stand, bytes]]:
    """Return what fans of a door are sent of these events, up to that number."""
    stands = [(event, stand_of(Place(event.seq, event.at))) for event in events if event.seq <= last]
    return [(stand, door.event(notification_of(event), stand)) for event, stand in stands]

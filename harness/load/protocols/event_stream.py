"""Event streams (WHATWG HTML, section 9.2.6, "Interpreting an event stream"): events out of a text, however it is cut.

An event ends with an empty line, and is there as soon as the first byte of that line's end is: lines end with CR, LF or
both. Its data are its `data` lines, joined by line feeds; an event without any is none, as a comment is none. Its `id`
is what a fan says who comes back (section 9.2.3, `Last-Event-ID`); its name and `retry` tell nothing that counts here.
Unlike in the standard, a byte order mark is passed over before any event, not only before the first.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Final

from harness.load.protocols.reader import UnreadableError, number_behind

if TYPE_CHECKING:
    from harness.load.protocols.reader import Place

MAX_EVENT: Final = 1024 * 1024  # bytes kept of one that does not end

_LINE_END: Final = rb"(?>\r\n|\r|\n)"
_LINE_ENDS: Final = re.compile(_LINE_END)
_EVENT_END: Final = re.compile(_LINE_END * 2)


def take_events(text: bytes) -> tuple[list[bytes], bytes]:
    """Return the data of each event that is complete in `text`, and what is left, to be put before what comes next.

    A text of which nothing but the beginnings of events was taken before begins with one, as it must.
    """
    events, left = _split(text)
    return [data for event in events if (data := _data_of(event)) is not None], left


def last_id(text: bytes) -> bytes | None:
    """Return the last `id` of the events that are complete in `text`, which may be empty; None if none has one."""
    events, _ = _split(text)
    ids = (value for event in reversed(events) for value in reversed(_values(event, b"id")) if b"\0" not in value)
    return next(ids, None)


def resuming(request: bytes, place: bytes) -> bytes:
    """Return a request of a fan who comes back after the event with that id; nothing: it had none."""
    line, end, rest = request.partition(b"\r\n")
    return b"%b%bLast-Event-ID: %b\r\n%b" % (line, end, place, rest) if place else request


def _split(text: bytes) -> tuple[list[bytes], bytes]:
    *events, left = _EVENT_END.split(text)
    left = left.lstrip(b"\r\n")
    if not left and text.endswith(b"\r"):
        left = b"\r"  # a line feed may follow, which is the same line's end
    return events, left


def _data_of(event: bytes) -> bytes | None:
    """Return the data of an event without its last line's end; None if it has none."""
    data = _values(event, b"data")
    return b"\n".join(data) if data else None


def _values(event: bytes, field: bytes) -> list[bytes]:
    """Return the values of all lines of an event that have this field."""
    lines = (line.partition(b":") for line in _LINE_ENDS.split(event.lstrip(b"\r\n").removeprefix(BOM_UTF8)))
    return [value.removeprefix(b" ") for name, _, value in lines if name == field]


class EventNumbers:
    """Finds the numbers that stand behind `mark` in the data of the fans' events, and tells `place` of their ids."""

    __slots__ = ("_last", "_last_left", "_last_numbers", "_last_place", "_left", "_number", "_place")

    def __init__(self, mark: bytes, place: Place | None = None) -> None:
        self._number = number_behind(mark)
        self._place = place
        self._last_place: bytes | None = None
        self._left: dict[int, bytes] = {}
        self._last = self._last_left = b""
        self._last_numbers: tuple[int, ...] = ()

    def sequences(self, fan: int, text: bytes) -> tuple[int, ...]:
        """Return the numbers of the events that are complete with `text`, in order; the last text is remembered.

        Raise UnreadableError for an event of more than MAX_EVENT bytes.
        """
        if self._left:
            text = self._left.pop(fan, b"") + text
        if text != self._last:
            events, left = take_events(text)
            if len(left) > MAX_EVENT:
                raise UnreadableError(f"sends an event of more than {MAX_EVENT:,} bytes")
            self._last, self._last_left = text, left
            self._last_numbers = tuple(int(number) for data in events for number in self._number.findall(data))
            self._last_place = None if self._place is None else last_id(text)
        if self._place is not None and self._last_place is not None:
            self._place(fan, self._last_place)
        if self._last_left:
            self._left[fan] = self._last_left
        return self._last_numbers

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more: an event that does not end is none."""
        self._left.pop(fan, None)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return sum(map(len, self._left.values()))

"""A fan's side of the protocol: bytes in, lines and frames out, whatever the pieces they come in.

The buffer holds one incomplete element at most, so the reader needs no other state: what starts with the header of a
frame ends with its empty line, everything else ends with its line. What types the details have is told by their keys,
not by their looks: a comment may look like a player.
"""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from common.domain.events import Detail
from common.domain.match import Player

LIMIT: Final = 64 * 1024  # bytes of one line or one frame; a full status frame has about 6,000 at the most

_HEADER: Final = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d): (\w+):\n")
_END: Final = b"\n\r\n"
_ERROR: Final = "ERROR: "
_GOODBYE: Final = "GOODBYE: "
_RESUMED: Final = "RESUMED: "
_PLAYER: Final = re.compile(r"(.+) \(([0-9]{1,3})\) ")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_PLAYER_KEYS: Final = frozenset({"player", "player_in", "player_out"})
_LIST_KEYS: Final = frozenset({"home_players", "visit_players"})
_NUMBER_KEYS: Final = frozenset({"home_score", "visit_score", "number", "epoch"})


class FrameError(Exception):
    """What came is not the protocol; the message says so on one line."""


class Line(msgspec.Struct, frozen=True):
    """A line outside of frames, such as the two of the welcome; `text` is without its end."""

    text: str


class ErrorLine(msgspec.Struct, frozen=True):
    """The server's refusal; `message` is what follows `ERROR: `. The server closes after it."""

    message: str


class GoodbyeLine(msgspec.Struct, frozen=True):
    """The server's farewell; `message`, what follows `GOODBYE: `, says whether to come back. It closes after it."""

    message: str


class ResumedLine(msgspec.Struct, frozen=True):
    """What a fan hears who resumes and can be sent all that it missed: `message` says how much, and it follows."""

    message: str


class Frame(msgspec.Struct, frozen=True):
    """An event as it went over the wire: its time (UTC) is in whole seconds.

    `place` is its number and its epoch, and `missed` what it stands for that can not be had, where frames are numbered.
    """

    at: datetime
    kind: str
    details: dict[str, Detail]
    place: tuple[int, int] | None = None
    missed: str = ""


Heard = Line | ErrorLine | GoodbyeLine | ResumedLine | Frame
"""What there is to hear of a server."""


class FrameReader:
    """Reads all that one server says to one fan."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete line or frame are held; not 0 at the end means that it was cut off."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Heard]:
        """Return what is complete now, in order. Raise FrameError on what is no protocol; the reader is then of no use.

        What was complete before a fault is lost in the same call: who speaks another protocol is not to be half-read.
        """
        data = self._rest + data
        found: list[Heard] = []
        start = 0
        while (end := _end_of_next(data, start)) is not None:
            found.append(_parse(data[start:end]))
            start = end
        self._rest = data[start:]
        return found


def parse_frame(block: bytes) -> Frame:
    """Return the frame that `block`, from its header to its empty line, holds. Raise FrameError."""
    header = _HEADER.match(block)
    if header is None or not block.endswith(_END):
        raise FrameError("this is not a frame: it needs a dated header and an empty line at its end")
    try:
        at = datetime.fromisoformat(header[1].decode()).replace(tzinfo=UTC)
        lines = block[header.end() : -2].decode().split("\n")[:-1]
    except ValueError as error:  # a date that does not exist; text that is not UTF-8
        raise FrameError(f"this frame cannot be read: {error}") from error
    details = _details(lines)
    number, epoch, missed = (details.pop(key, None) for key in ("number", "epoch", "missed"))
    place = (number, epoch) if isinstance(number, int) and isinstance(epoch, int) else None
    return Frame(at, header[2].decode(), details, place, str(missed or ""))


def _end_of_next(data: bytes, start: int) -> int | None:
    """Return where the line or frame that begins at `start` ends, or None while it is incomplete."""
    header = _HEADER.match(data, start)
    mark, search_from = (_END, header.end() - 1) if header else (b"\n", start)
    at = data.find(mark, search_from)
    length = (at + len(mark) if at >= 0 else len(data)) - start
    if length > LIMIT:
        raise FrameError(f"a line or frame is longer than {LIMIT} bytes; is this a Match Stream server?")
    return start + length if at >= 0 else None


def _parse(element: bytes) -> Heard:
    if _HEADER.match(element):
        return parse_frame(element)
    try:
        text = element.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise FrameError("a line is not UTF-8; is this a Match Stream server?") from error
    if text.startswith(_ERROR):
        return ErrorLine(text.removeprefix(_ERROR))
    if text.startswith(_RESUMED):
        return ResumedLine(text.removeprefix(_RESUMED))
    return GoodbyeLine(text.removeprefix(_GOODBYE)) if text.startswith(_GOODBYE) else Line(text)


def _details(lines: list[str]) -> dict[str, Detail]:
    details: dict[str, Detail] = {}
    players: list[Player] = []
    listing = ""
    for line in lines:
        if line.startswith("\t\t ") and listing:
            players.append(_player(line[3:]))
            details[listing] = tuple(players)
            continue
        key, separator, value = line.removeprefix("\t").partition(": ")
        listing = ""
        if not line.startswith("\t"):
            raise FrameError(f"a detail does not start with a tab: {_short(line)}")
        if separator:
            details[key] = _value(key, value)
        elif line.endswith(":") and key[:-1] in _LIST_KEYS:
            listing, players = key[:-1], []
            details[listing] = ()
        else:
            raise FrameError(f"a detail has no value: {_short(line)}")
    return details


def _value(key: str, value: str) -> Detail:
    if key in _PLAYER_KEYS:
        return _player(value)
    if key in _NUMBER_KEYS:
        if not _NUMBER.fullmatch(value):
            raise FrameError(f"{key} is not a number: {_short(value)}")
        return int(value)
    return value


def _player(text: str) -> Player:
    found = _PLAYER.fullmatch(text)
    if found is None:
        raise FrameError(f"this is not a player's name and number: {_short(text)}")
    return Player(int(found[2]), found[1])


def _short(text: str) -> str:
    return repr(text[:60])

r"""What a fan hears: the welcome, one frame an event, and an error line or goodbye. Frames are the original's, exactly.

    2011-09-13 13:48:51: goal:\n      date and time in UTC, the kind
    \tplayer: Luna (7) \n            one tab, the key; a player's name, number and a space
    \tteam: tig\n
    \r\n                             an empty line ends the frame

A list of players is its key on a line of its own and, for each player, a line of two tabs, a space, the name, the
number and a space. Names and comments are one line each (`common.domain.match.ONE_LINE`), so they cannot break a frame.

A fan who asked for numbers (`V:3`, `common.wire.greeting`) gets the same frames with two details more, the first ones:

    2011-09-13 13:48:51: goal:\n
    \tnumber: 12\n                  the event's number in its match; of a status, that of the last event it includes
    \tepoch: 1315921731000000\n     when that event was accepted, in microseconds since 1970; 0 if it is not known
    \tplayer: Luna (7) \n

The two together are the fan's place. The number alone would not do: a match may be announced anew under its id, or its
store come back with less, and then has another event of that number. A status that stands for events which the fan
missed, and can not be sent any more, says so in a third detail, `missed`.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from common.domain.events import Event
from common.domain.match import UNWANTED, Player

WELCOME: Final = (
    b"Welcome to Match Stream. Every event of a match reaches you here as it happens.\r\n"
    b"To watch the current game use: V:2:<your-name>\r\n"
)
"""What the server says first, before it has read anything. Clients of the original wait for how both lines begin."""

GOODBYE: Final = b"GOODBYE: the server is stopping; connect again in a moment\r\n"
"""What the server says last to fans whose match goes on, when it is told to stop. It closes after it."""

_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_AGAIN: Final = re.compile(r" again in ([0-9]{1,4}) s\b")
_BREAKS: Final = re.compile(f"[{UNWANTED}]+")


def error_line(message: str) -> bytes:
    """Return the `ERROR:` line for `message`; control characters and direction marks become spaces."""
    return f"ERROR: {_BREAKS.sub(' ', message)}\r\n".encode(errors="replace")


def goodbye_line(after_s: int) -> bytes:
    """Return the `GOODBYE:` line of a server that lets its fans go one by one, each to come back after some seconds."""
    return f"GOODBYE: the server is stopping; connect again in {after_s} s\r\n".encode()


def seconds_until_again(message: str) -> int | None:
    """Return after how many seconds a goodbye or an error asks to connect or try again; None if it does not say."""
    found = _AGAIN.search(message)
    return None if found is None else int(found[1])


def encode(event: Event) -> bytes:
    """Return the frame of `event`, details in their order. `event.at` must be aware; it is printed in UTC."""
    parts = [f"{_utc(event.at)}: {event.kind}:\n"]
    for key, value in event.details.items():
        if isinstance(value, Player):
            parts.append(f"\t{key}: {value.name} ({value.number}) \n")
        elif isinstance(value, tuple):
            parts.append(f"\t{key}:\n")
            parts += [f"\t\t {player.name} ({player.number}) \n" for player in value]
        else:
            parts.append(f"\t{key}: {value}\n")
    parts.append("\r\n")
    return "".join(parts).encode()


def epoch_of(at: datetime | None) -> int:
    """Return what tells an event from another one of its number: when it was accepted, as it is printed. None: 0."""
    return 0 if at is None else (at - _1970) // _MICROSECOND


def numbered(frame: bytes, number: int, epoch: int, missed: str = "") -> bytes:
    """Return a frame with its number, its epoch and, unless that is empty, what a fan `missed` before it: one line."""
    header, _, rest = frame.partition(b"\n")
    remark = f"\tmissed: {missed}\n".encode() if missed else b""
    return b"%b\n\tnumber: %d\n\tepoch: %d\n%b%b" % (header, number, epoch, remark, rest)


def resumed_line(events: int, number: int) -> bytes:
    """Return the line before what a fan missed since event `number`: so many events, which follow; perhaps none."""
    return f"RESUMED: {events} events after {number}\r\n".encode()


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(" ", "seconds")[:19]  # without the offset, which is always zero

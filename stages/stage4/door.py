"""Which protocol the plane's fans speak: what they are told at the ends, and who reads what they say.

The plane carries bytes and knows none of this. Another protocol is another `Door`: one object for all fans who came by
it. Of a single fan a door knows nothing once that has said what it wants; until then it is in the fan's reader.

Where fans have their events numbered (`resume`), their door says how: it is a `NumberingDoor`. What many are told is
made into bytes once a door (`stages.stage4.seats`, `Row`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from common.wire.frames import GOODBYE, WELCOME, error_line, goodbye_line
from common.wire.greeting import GreetingReader
from stages.stage4.usual_greeting import usual_greeting

if TYPE_CHECKING:
    from common.domain.events import Event
    from common.wire.greeting import Greeting, GreetingError
    from stages.stage0.messages import Notification
    from stages.stage4.window import Stand
    from stages.traffic import Drop


class Reader(Protocol):
    """Reads the greeting of one fan, in pieces. Either method raises GreetingError on what is none."""

    def feed(self, data: bytes) -> Greeting | None:
        """Return the greeting once it is complete."""
        ...

    def end(self) -> Greeting | None:
        """Return what there is: the fan says no more."""
        ...


class Heard(NamedTuple):
    """What comes of what a fan says that has greeted: an answer, a rest that is not complete, and whether it goes."""

    answer: bytes
    rest: bytes
    is_over: bool


class Deaf:
    """A door whose fans say nothing more, once they have said what they want."""

    def hear(self, said: bytes) -> Heard:
        """Pass it over."""
        del said
        return _NOTHING


_NOTHING: Final = Heard(b"", b"", is_over=False)


class Parting(Protocol):
    """What a fan is told when it has to go, and if it says something before."""

    def hear(self, said: bytes) -> Heard:
        """Take in what a fan says that has greeted: after the rest of before, if there was one."""
        ...

    @property
    def goodbye(self) -> bytes:
        """What a server that stops says last."""
        ...

    def error(self, why: str, drop: Drop) -> bytes:
        """Return what tells a fan why it is turned away."""
        ...

    def goodbye_for(self, after_s: int) -> bytes:
        """Return what tells a fan that the server stops, and in how many seconds to connect again."""
        ...


class Door(Parting, Protocol):
    """The same, and what it is told when it comes, and how it says what it wants."""

    @property
    def welcome(self) -> bytes:
        """What the server says first."""
        ...

    def reader(self) -> Reader:
        """Return who reads the greeting of one more fan."""
        ...

    def refusal(self, error: GreetingError) -> bytes:
        """Return what tells a fan that it has not said what it should."""
        ...


class OwnDoor(Door, Protocol):
    """The door of the plane's own ports, by which nearly all fans come."""

    def usual(self, data: bytes) -> Greeting | None:
        """Return the greeting that the first bytes of a fan are, if it is of a form that is quickly read.

        None tells nothing: they are for a reader then.
        """
        ...


class NumberingDoor(Parting, Protocol):
    """A door whose fans have their events numbered, and may go on behind one of them."""

    @property
    def name(self) -> str:
        """What it is called in counts; the plane's own door has none."""
        ...

    @property
    def heartbeat(self) -> bytes:
        """What fans are told from time to time, so that they, and whoever is between, see the connection alive."""
        ...

    def event(self, sent: Notification, at: Stand) -> bytes:
        """Return an event."""
        ...

    def status(self, status: Event, frame: bytes, at: Stand, missed: str) -> bytes:
        """Return a status, of which `frame` is the text, with what a fan `missed`, which may be nothing."""
        ...

    def resumed(self, events: int, number: int) -> bytes:
        """Return what is before so many events that a fan missed after that number."""
        ...

    def end(self, *, is_over: bool) -> bytes:
        """Return what follows the status of a match that is over, or has not begun."""
        ...

    def nothing_follows(self) -> bytes | None:
        """Return the only answer to a fan who has heard the end of the match; None: it is told the status."""
        ...


class TextDoor(Deaf):
    """The protocol of the talk (`common.wire`)."""

    welcome: Final = WELCOME
    goodbye: Final = GOODBYE
    usual = staticmethod(usual_greeting)

    def reader(self) -> GreetingReader:
        """Return a reader of the two lines that are known."""
        return GreetingReader()

    def refusal(self, error: GreetingError) -> bytes:
        """Return an `ERROR:` line."""
        return error_line(str(error))

    def error(self, why: str, drop: Drop) -> bytes:
        """Return an `ERROR:` line."""
        del drop  # the words say it
        return error_line(why)

    def goodbye_for(self, after_s: int) -> bytes:
        """Return a `GOODBYE:` line that has the seconds."""
        return goodbye_line(after_s)

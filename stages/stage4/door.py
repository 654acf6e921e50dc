"""Which protocol the plane's fans speak: what they are told at the ends, and who reads what they say.

The plane carries bytes and knows none of this. Another protocol is another `Door`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from common.wire.frames import GOODBYE, WELCOME, error_line, goodbye_line
from common.wire.greeting import GreetingReader

if TYPE_CHECKING:
    from common.wire.greeting import Greeting


class Reader(Protocol):
    """Reads the greeting of one fan, in pieces. Either method raises GreetingError on what is none."""

    def feed(self, data: bytes) -> Greeting | None:
        """Return the greeting once it is complete."""
        ...

    def end(self) -> Greeting | None:
        """Return what there is: the fan says no more."""
        ...


class Door(Protocol):
    """What a fan is told when it comes and when it has to go, and how it says what it wants."""

    @property
    def welcome(self) -> bytes:
        """What the server says first."""
        ...

    @property
    def goodbye(self) -> bytes:
        """What a server that stops says last."""
        ...

    def reader(self) -> Reader:
        """Return who reads the greeting of one more fan."""
        ...

    def error(self, why: str) -> bytes:
        """Return what tells a fan why it is turned away."""
        ...

    def goodbye_for(self, after_s: int) -> bytes:
        """Return what tells a fan that the server stops, and in how many seconds to connect again."""
        ...


class TextDoor:
    """The protocol of the talk (`common.wire`)."""

    welcome: Final = WELCOME
    goodbye: Final = GOODBYE

    def reader(self) -> GreetingReader:
        """Return a reader of the two lines that are known."""
        return GreetingReader()

    def error(self, why: str) -> bytes:
        """Return an `ERROR:` line."""
        return error_line(why)

    def goodbye_for(self, after_s: int) -> bytes:
        """Return a `GOODBYE:` line that has the seconds."""
        return goodbye_line(after_s)

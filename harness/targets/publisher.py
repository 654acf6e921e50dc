"""How events reach a server that is measured: what a trial needs to know of it, whoever takes them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from typing import Protocol, TypeVar

from harness.errors import HarnessError
from harness.load.match import MatchPlan
from harness.load.reporter import Poster


class AnnounceError(HarnessError):
    """The match of a trial cannot be announced or started; the message says what to change."""


class Connecting(Poster, Protocol):
    """A poster with a connection of its own, which it makes anew where it has none."""

    async def connect(self) -> object:
        """Make the connection."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


_Connecting = TypeVar("_Connecting", bound=Connecting)


@asynccontextmanager
async def connection_of(poster: _Connecting, refusals: tuple[type[Exception], ...]) -> AsyncIterator[_Connecting]:
    """Give a poster with a connection, if one can be made: whether it cannot, the events will tell. It ends after."""
    try:
        with suppress(*refusals):
            await poster.connect()
        yield poster
    finally:
        await poster.close()


class Publisher(Protocol):
    """Where the events of a match are posted, and what the server makes of its end."""

    @property
    def url(self) -> str:
        """The address that events are posted to, for people to read."""
        ...

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """The errors of a poster that mean "not accepted". All others are a fault of the harness."""
        ...

    @property
    def closes_fans(self) -> bool:
        """Whether the server closes its fans after the last event. If not, they stay until the harness leaves."""
        ...

    def announced(self, match: MatchPlan) -> AbstractContextManager[None]:
        """Return a context in which the match is there and being played; afterwards it is gone. Raise AnnounceError."""
        ...

    def connected(self) -> AbstractAsyncContextManager[Poster]:
        """Return a context with a poster whose connection is made, so that the first event does not pay for it.

        What cannot be connected is not an error here: the events will tell.
        """
        ...

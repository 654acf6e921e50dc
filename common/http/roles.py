"""What the API asks of whoever stands behind it."""

from collections.abc import Sequence
from typing import Protocol

from common.domain.events import Event
from common.domain.match import Match, NewMatch, Team
from common.domain.posts import Post
from common.http.statistics import Statistics, StatisticsQuery


class NotReadyError(Exception):
    """The server cannot serve now; the message says in one line what is missing."""


class Backend(Protocol):
    """The server as the API sees it: one method a request.

    Every method may raise `common.store.errors.StoreUnavailableError`: nothing was half-written, and the caller may try
    again. The others that a method may raise are named in its docstring; all are `common.domain.errors.DomainError`.
    """

    def client_port(self) -> int:
        """Return a TCP port at which a fan may connect now."""
        ...

    async def check_ready(self) -> None:
        """Return if fans and reporters are served now, within a second or two. Raise NotReadyError."""
        ...

    async def matches(self) -> Sequence[Match]:
        """Return all matches in the order of `common.store.redis_store.listing_order`: those being played first."""
        ...

    async def match(self, match_id: str) -> Match:
        """Return one match. Raise UnknownMatchError."""
        ...

    async def history(self, match_id: str, after_seq: int, limit: int) -> Sequence[Event]:
        """Return accepted events of a match in order: those after number `after_seq`, at most `limit`; none of none."""
        ...

    async def put_team(self, team: Team) -> bool:
        """Store a team, in place of an older one of that id; return whether it is new. Raise InvalidError."""
        ...

    async def create_match(self, new: NewMatch) -> Match:
        """Announce a match. Raise UnknownTeamError (field `home` or `visit`), MatchExistsError."""
        ...

    async def post_event(self, match_id: str, post: Post) -> Event:
        """Accept an event: when this returns it is stored and on its way to the fans. Raise any DomainError."""
        ...

    async def cancel_match(self, match_id: str) -> None:
        """Delete a match and its events; its fans are told and closed. Raise UnknownMatchError."""
        ...

    async def statistics(self, query: StatisticsQuery) -> Statistics:
        """Return the server's counts, with the actors that are asked for; never older than the question.

        Many who ask wait for one look, and looks take only a small part of the time.
        """
        ...

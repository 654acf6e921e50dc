"""What the API asks of whoever stands behind it."""

from collections.abc import Sequence
from typing import Protocol

from common.domain.events import Event
from common.domain.match import Match, NewMatch, Team
from common.domain.posts import Post
from common.http.statistics import Statistics, StatisticsQuery
from common.store.index import Listed
from common.store.terms import Terms


class NotReadyError(Exception):
    """The server cannot serve now; the message says in one line what is missing."""


class Backend(Protocol):
    """The server as the API sees it: one method a request.

    Every method may raise `common.store.errors.StoreUnavailableError`: nothing was changed; or UnknownOutcomeError,
    which is one: a write may have been made. The others that a method may raise are named in its docstring; all are
    `common.domain.errors.DomainError`. What writes does so on `terms`, and may raise KeyReusedError; asked for again
    under the same key, it changes nothing and returns what it returned before.
    """

    def client_port(self) -> int:
        """Return a TCP port at which a fan may connect now."""
        ...

    async def check_ready(self) -> None:
        """Return if fans and reporters are served now, within a second or two. Raise NotReadyError."""
        ...

    async def matches(self, after: Listed | None, limit: int) -> Sequence[Match]:
        """Return matches as they are listed, at most `limit`: those behind the place `after`, None: the first."""
        ...

    async def match(self, match_id: str) -> tuple[Match, str]:
        """Return one match and its version, which `terms` may expect. Raise UnknownMatchError."""
        ...

    async def history(self, match_id: str, after_seq: int, limit: int) -> Sequence[Event]:
        """Return accepted events of a match in order: those after number `after_seq`, at most `limit`; none of none."""
        ...

    async def put_team(self, team: Team, terms: Terms) -> bool:
        """Store a team, in place of an older one of that id; return whether it is new. Raise InvalidError."""
        ...

    async def create_match(self, new: NewMatch, terms: Terms) -> Match:
        """Announce a match. Raise UnknownTeamError (field `home` or `visit`), MatchExistsError."""
        ...

    async def post_event(self, match_id: str, post: Post, terms: Terms) -> Event:
        """Accept an event: when this returns it is stored and on its way to the fans. Raise any DomainError."""
        ...

    async def cancel_match(self, match_id: str, terms: Terms) -> None:
        """Delete a match and its events; its fans are told and closed. Raise UnknownMatchError, OutdatedError."""
        ...

    async def statistics(self, query: StatisticsQuery) -> Statistics:
        """Return the server's counts, with the actors that are asked for; never older than the question.

        Many who ask wait for one look, and looks take only a small part of the time.
        """
        ...

"""What is asked of the database: a record for each operation, so that the log says by its name what was asked.

Each is called with the store, and raises what that raises. One that only reads is a `Read`. What a fan is told first is
asked for by the user itself (`stages.stage0.user.StatusOf`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.domain.errors import UnknownMatchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from common.domain.events import Event
    from common.domain.match import Match, Team
    from common.store.index import Listed
    from common.store.redis_store import RedisStore
    from common.store.terms import Terms

StoreOperation = Callable[["RedisStore"], Awaitable[Any]]
"""What a caller wants of the store."""


class Read(ABC):
    """An operation that changes nothing. Equal ones that are asked for at the same moment may share an answer."""

    __slots__ = ()

    @abstractmethod
    async def __call__(self, store: RedisStore) -> Any:
        """Return what was read, or raise a DomainError."""


@dataclass(frozen=True, slots=True)
class Ping(Read):
    """Asks for an answer, whatever it is."""

    async def __call__(self, store: RedisStore) -> None:
        """Return when it has come."""
        await store.ping()


@dataclass(frozen=True, slots=True)
class MatchOf(Read):
    """Asks for a match as it is stored."""

    match_id: str

    async def __call__(self, store: RedisStore) -> Match:
        """Return it. Raise UnknownMatchError."""
        match = await store.match(self.match_id)
        if match is None:
            raise _unknown(self.match_id)
        return match


@dataclass(frozen=True, slots=True)
class CurrentMatch(Read):
    """Asks for the match that a fan watches who names none."""

    async def __call__(self, store: RedisStore) -> Match:
        """Return it. Raise UnknownMatchError."""
        match = await store.current_match()
        if match is None:
            raise UnknownMatchError("there is no match to watch now; try again later")
        return match


@dataclass(frozen=True, slots=True)
class VersionOf(Read):
    """Asks for a match as it is stored, and for its version."""

    match_id: str

    async def __call__(self, store: RedisStore) -> tuple[Match, str]:
        """Return both. Raise UnknownMatchError."""
        found = await store.version(self.match_id)
        if found is None:
            raise _unknown(self.match_id)
        return found


@dataclass(frozen=True, slots=True)
class MatchesAfter(Read):
    """Asks for a part of the list of matches: those behind a place, None: from the first on; `limit` at most."""

    place: Listed | None
    limit: int

    async def __call__(self, store: RedisStore) -> Sequence[Match]:
        """Return them, in the order of the list."""
        return await store.matches(self.place, self.limit)


@dataclass(frozen=True, slots=True)
class HistoryAfter(Read):
    """Asks for the events of a match after that number, at most `limit` of them."""

    match_id: str
    seq: int
    limit: int | None = None

    async def __call__(self, store: RedisStore) -> Sequence[Event]:
        """Return them, in order; none if there is no such match."""
        return await store.history(self.match_id, self.seq, self.limit)


@dataclass(frozen=True, slots=True)
class AcceptedUnder(Read):
    """Asks for the event that was accepted under the terms' key."""

    match_id: str
    terms: Terms

    async def __call__(self, store: RedisStore) -> Event | None:
        """Return it, None if there is none. Raise what the terms refuse."""
        return await store.check(self.match_id, self.terms)


@dataclass(frozen=True, slots=True)
class CancelledUnder(Read):
    """Asks whether a match was cancelled under the terms' key."""

    terms: Terms

    async def __call__(self, store: RedisStore) -> bool:
        """Return whether it was. Raise KeyReusedError."""
        return await store.was_cancelled(self.terms)


@dataclass(frozen=True, slots=True)
class TeamOf(Read):
    """Asks for a team."""

    team_id: str

    async def __call__(self, store: RedisStore) -> Team | None:
        """Return it, None if there is none."""
        return await store.team(self.team_id)


@dataclass(frozen=True, slots=True)
class PutTeam:
    """Stores a team."""

    team: Team
    terms: Terms

    async def __call__(self, store: RedisStore) -> bool:
        """Return whether it is new."""
        return await store.put_team(self.team, self.terms)


@dataclass(frozen=True, slots=True)
class CreateMatch:
    """Stores a match that was announced."""

    match: Match
    terms: Terms

    async def __call__(self, store: RedisStore) -> Match | None:
        """Return the match, None if there is one of that id already."""
        return await store.create_match(self.match, self.terms)


@dataclass(frozen=True, slots=True)
class AppendEvent:
    """Stores an event with the match as it left it; `after` is when the event before was accepted, if there is one."""

    match: Match
    event: Event
    after: datetime | None
    terms: Terms

    async def __call__(self, store: RedisStore) -> Event | None:
        """Return None, or the event that was accepted under the terms' key. Raise ConflictError."""
        return await store.append(self.match, self.event, after=self.after, terms=self.terms)


@dataclass(frozen=True, slots=True)
class CancelMatch:
    """Deletes a match and its events."""

    match_id: str
    terms: Terms

    async def __call__(self, store: RedisStore) -> bool:
        """Return whether this did it: not if there is none, nor if it was done before under the terms' key."""
        return await store.cancel(self.match_id, self.terms)


@dataclass(frozen=True, slots=True)
class CountVisit:
    """Counts a visit of a user."""

    user_id: str

    async def __call__(self, store: RedisStore) -> None:
        """Count it."""
        await store.visit(self.user_id)


@dataclass(frozen=True, slots=True)
class CountVisits:
    """Counts a visit of each of these users, in one exchange."""

    user_ids: tuple[str, ...]

    async def __call__(self, store: RedisStore) -> None:
        """Count them."""
        await store.visit_all(self.user_ids)


def _unknown(match_id: str) -> UnknownMatchError:
    return UnknownMatchError(f"there is no match {match_id}; see /1/matches")

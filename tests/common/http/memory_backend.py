"""A server in memory behind the API: the real rules, no store; it fails when a test says so."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from common.domain import rules
from common.domain.errors import (
    KeyReusedError,
    MatchExistsError,
    OutdatedError,
    UnknownMatchError,
    UnknownTeamError,
)
from common.domain.events import Event
from common.domain.match import Match, NewMatch, Team
from common.domain.posts import Post
from common.http.statistics import Statistics, StatisticsQuery
from common.store.index import Listed, last_day_over, listed_at
from common.store.terms import PLAIN, Terms
from tests.common.http.samples import statistics

AT = datetime(2011, 9, 10, 18, 0, 0, tzinfo=UTC)


class MemoryBackend:
    """`failures` are raised, one a call, before anything is done (None lets a call pass); `lost` ones after a write."""

    def __init__(self) -> None:
        self.teams: dict[str, Team] = {}
        self.stored: dict[str, tuple[Match, list[Event]]] = {}
        self.failures: deque[Exception | None] = deque()
        self.lost: deque[Exception] = deque()
        self.calls: list[str] = []
        self.queries: list[StatisticsQuery] = []
        self.answered: dict[str, tuple[str, Any]] = {}

    def client_port(self) -> int:
        self._begin("client_port")
        return 9103

    async def check_ready(self) -> None:
        self._begin("check_ready")

    async def matches(self, after: Listed | None, limit: int) -> Sequence[Match]:
        self._begin("matches")
        places = (listed_at(match) for match, _ in self.stored.values())
        behind = sorted((place for place in places if after is None or _order(place) > _order(after)), key=_order)
        return [self.stored[place.id][0] for place in behind[:limit]]

    async def match(self, match_id: str) -> tuple[Match, str]:
        self._begin("match")
        match = self._find(match_id)[0]
        return match, str(match.seq)

    async def history(self, match_id: str, after_seq: int, limit: int) -> Sequence[Event]:
        self._begin("history")
        return self._find(match_id)[1][after_seq : after_seq + limit]

    async def put_team(self, team: Team, terms: Terms = PLAIN) -> bool:
        self._begin("put_team")
        rules.check_team(team)
        if self._is_answered(terms):
            return bool(self.answered[terms.key][1])
        is_new = team.id not in self.teams
        self.teams[team.id] = team
        self._keep(terms, is_new)
        return is_new

    async def create_match(self, new: NewMatch, terms: Terms = PLAIN) -> Match:
        self._begin("create_match")
        if self._is_answered(terms):
            match: Match = self.answered[terms.key][1]
            return match
        for field, team in (("home", new.home), ("visit", new.visit)):
            if team not in self.teams:
                raise UnknownTeamError(f"team {team} is not known; put it first", field)
        if new.id in self.stored:
            raise MatchExistsError(f"match {new.id} is there already")
        match = rules.announce(new, self.teams[new.home], self.teams[new.visit])
        self.stored[match.id] = (match, [])
        self._keep(terms, match)
        self._end()
        return match

    async def post_event(self, match_id: str, post: Post, terms: Terms = PLAIN) -> Event:
        self._begin("post_event")
        match, events = self._find(match_id)
        if self._is_answered(terms):
            event: Event = self.answered[terms.key][1]
            return event
        _check_expected(match, terms)
        after, event = rules.apply(match, post, AT)
        self.stored[match_id] = (after, [*events, event])
        self._keep(terms, event)
        self._end()
        return event

    async def cancel_match(self, match_id: str, terms: Terms = PLAIN) -> None:
        self._begin("cancel_match")
        if self._is_answered(terms):
            return
        _check_expected(self._find(match_id)[0], terms)
        del self.stored[match_id]
        self._keep(terms, None)

    async def statistics(self, query: StatisticsQuery) -> Statistics:
        self._begin("statistics")
        self.queries.append(query)
        seen = statistics()
        return msgspec.structs.replace(seen, actors=seen.actors[: query.actors])

    def _find(self, match_id: str) -> tuple[Match, list[Event]]:
        if match_id not in self.stored:
            raise UnknownMatchError(f"no match has the id {match_id}; GET /1/matches lists them", "id")
        return self.stored[match_id]

    def _is_answered(self, terms: Terms) -> bool:
        fingerprint, _ = self.answered.get(terms.key, (terms.fingerprint, None))
        if fingerprint != terms.fingerprint:
            raise KeyReusedError("this key stands for another request")
        return terms.key in self.answered

    def _keep(self, terms: Terms, answer: object) -> None:
        if terms.key:
            self.answered[terms.key] = (terms.fingerprint, answer)

    def _begin(self, call: str) -> None:
        self.calls.append(call)
        failure = self.failures.popleft() if self.failures else None
        if failure is not None:
            raise failure

    def _end(self) -> None:
        if self.lost:
            raise self.lost.popleft()


def _order(place: Listed) -> tuple[int, bool, int, str]:
    return place.number, place.number == 2 and place.score <= last_day_over(), place.score, place.id


def _check_expected(match: Match, terms: Terms) -> None:
    if terms.expected and str(match.seq) not in terms.expected:
        raise OutdatedError(f"match {match.id} has {match.seq} events now")

"""A server in memory behind the API: the real rules, no store; it fails when a test says so."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from common.domain import rules
from common.domain.errors import MatchExistsError, UnknownMatchError, UnknownTeamError
from common.domain.events import Event
from common.domain.match import Match, NewMatch, Team
from common.domain.posts import Post
from common.http.statistics import Statistics, StatisticsQuery
from common.store.redis_store import listing_order
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

    def client_port(self) -> int:
        self._begin("client_port")
        return 9103

    async def check_ready(self) -> None:
        self._begin("check_ready")

    async def matches(self) -> Sequence[Match]:
        self._begin("matches")
        return sorted((match for match, _ in self.stored.values()), key=listing_order)

    async def match(self, match_id: str) -> Match:
        self._begin("match")
        return self._find(match_id)[0]

    async def history(self, match_id: str, after_seq: int, limit: int) -> Sequence[Event]:
        self._begin("history")
        return self._find(match_id)[1][after_seq : after_seq + limit]

    async def put_team(self, team: Team) -> bool:
        self._begin("put_team")
        rules.check_team(team)
        is_new = team.id not in self.teams
        self.teams[team.id] = team
        return is_new

    async def create_match(self, new: NewMatch) -> Match:
        self._begin("create_match")
        for field, team in (("home", new.home), ("visit", new.visit)):
            if team not in self.teams:
                raise UnknownTeamError(f"team {team} is not known; put it first", field)
        if new.id in self.stored:
            raise MatchExistsError(f"match {new.id} is there already")
        match = rules.announce(new, self.teams[new.home], self.teams[new.visit])
        self.stored[match.id] = (match, [])
        self._end()
        return match

    async def post_event(self, match_id: str, post: Post) -> Event:
        self._begin("post_event")
        match, events = self._find(match_id)
        after, event = rules.apply(match, post, AT)
        self.stored[match_id] = (after, [*events, event])
        self._end()
        return event

    async def cancel_match(self, match_id: str) -> None:
        self._begin("cancel_match")
        self._find(match_id)
        del self.stored[match_id]

    async def statistics(self, query: StatisticsQuery) -> Statistics:
        self._begin("statistics")
        self.queries.append(query)
        seen = statistics()
        return msgspec.structs.replace(seen, actors=seen.actors[: query.actors])

    def _find(self, match_id: str) -> tuple[Match, list[Event]]:
        if match_id not in self.stored:
            raise UnknownMatchError(f"no match has the id {match_id}; GET /1/matches lists them", "id")
        return self.stored[match_id]

    def _begin(self, call: str) -> None:
        self.calls.append(call)
        failure = self.failures.popleft() if self.failures else None
        if failure is not None:
            raise failure

    def _end(self) -> None:
        if self.lost:
            raise self.lost.popleft()

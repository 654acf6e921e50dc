"""What can be asked of the API: one record a request, from which both the routes and their description are made."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from common.domain.events import Event
from common.domain.match import Match, NewMatch, Team, TeamId
from common.domain.posts import Post
from common.http.answers import Checkin, Health, History, Matches
from common.http.queries import HistoryQuery, MatchesQuery
from common.http.statistics import Statistics, StatisticsQuery


@dataclass(frozen=True, slots=True, eq=False)  # each is what it is; a key of the routes
class Operation:
    """A method on a path, and what may come of it.

    `answers` maps a status to the type of its JSON body, None for no body. `refusals` are the statuses of a `Problem`;
    400, 401, 409, 412, 413 and 422 come on their own with `is_reporters`, `body` and `has_version`. `id_type` is what
    `{id}` in the path stands for, `query` a record whose fields are the parameters that may follow it. With
    `has_version` one that reads answers with an ETag, and one that writes may be told which it is to expect. With
    `has_etag` the answer names what it tells, and who has it already is answered 304.
    """

    name: str
    method: str
    path: str
    summary: str
    answers: dict[int, Any]
    refusals: tuple[int, ...] = ()
    is_reporters: bool = False
    body: Any = None
    query: type[msgspec.Struct] | None = None
    has_version: bool = False
    id_type: Any = str
    has_etag: bool = False


ALIVE: Final = Operation(
    name="alive",
    method="GET",
    path="/healthz",
    summary="Whether the process answers; nothing else is asked",
    answers={200: Health},
)
READY: Final = Operation(
    name="ready",
    method="GET",
    path="/readyz",
    summary="Whether fans and reporters are served: listeners accept and the store answers",
    answers={200: Health},
    refusals=(503,),
)
CHECKIN: Final = Operation(
    name="checkin",
    method="GET",
    path="/1/checkin",
    summary="Where a fan may connect now",
    answers={200: Checkin},
    refusals=(503,),
)
MATCHES: Final = Operation(
    name="matches",
    method="GET",
    path="/1/matches",
    summary="All matches, in pages",
    answers={200: Matches, 304: None},
    refusals=(422, 503),
    query=MatchesQuery,
    has_etag=True,
)
MATCH: Final = Operation(
    name="match",
    method="GET",
    path="/1/match/{id}",
    summary="One match as it stands",
    answers={200: Match},
    refusals=(404, 503),
    has_version=True,
)
HISTORY: Final = Operation(
    name="history",
    method="GET",
    path="/1/match/{id}/history",
    summary="All events of a match, in order, in pages",
    answers={200: History, 304: None},
    refusals=(404, 422, 503),
    query=HistoryQuery,
    has_etag=True,
)
STATISTICS: Final = Operation(
    name="statistics",
    method="GET",
    path="/1/statistics",
    summary="The server's counts now, and some of its actors",
    answers={200: Statistics},
    refusals=(422,),
    query=StatisticsQuery,
)
PUT_TEAM: Final = Operation(
    name="put_team",
    method="PUT",
    path="/1/team/{id}",
    summary="Store a team, in place of an older one of that id",
    answers={200: Team, 201: Team},
    refusals=(503,),
    is_reporters=True,
    body=Team,
    id_type=TeamId,
)
CREATE_MATCH: Final = Operation(
    name="create_match",
    method="POST",
    path="/1/matches",
    summary="Announce a match between two known teams",
    answers={201: Match},
    refusals=(503,),
    is_reporters=True,
    body=NewMatch,
)
POST_EVENT: Final = Operation(
    name="post_event",
    method="POST",
    path="/1/match/{id}/events",
    summary="Post an event; once answered it is stored and on its way to the fans",
    answers={201: Event},
    refusals=(404, 503),
    is_reporters=True,
    has_version=True,
    body=Post,
)
CANCEL_MATCH: Final = Operation(
    name="cancel_match",
    method="DELETE",
    path="/1/match/{id}",
    summary="Delete a match and its events; its fans are told and closed",
    answers={204: None},
    refusals=(404, 503),
    is_reporters=True,
    has_version=True,
)

OPERATIONS: Final = (
    ALIVE,
    READY,
    CHECKIN,
    MATCHES,
    MATCH,
    HISTORY,
    STATISTICS,
    PUT_TEAM,
    CREATE_MATCH,
    POST_EVENT,
    CANCEL_MATCH,
)

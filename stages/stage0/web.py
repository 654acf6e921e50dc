"""The talk's `web`: the HTTP API on its port, as a gen_server that owns it."""

from __future__ import annotations

import asyncio
import itertools
import resource
import secrets
import socket
from pathlib import Path
from time import monotonic, process_time
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, runtime_checkable

from msgspec.structs import replace

from common.domain import rules
from common.domain.errors import MatchExistsError, UnknownMatchError, UnknownTeamError
from common.http.api import make_app
from common.http.statistics import (
    DoorStatistics,
    OpenFilesSeen,
    RequestsStatistics,
    Statistics,
    SubscriptionsStatistics,
    WriterStatistics,
)
from common.otp import GenServer, LoopLag, Order, Rounds, Surveyor
from common.store.connections import ConnectionStatistics
from common.store.errors import UnreadableRecordError
from common.tuning.open_files import OpenFiles, OpenFilesError, count_open_files
from stages.stage0.dispatcher import Dispatcher
from stages.stage0.messages import Accept, Cancel
from stages.stage0.operations import (
    CancelledUnder,
    CancelMatch,
    CreateMatch,
    HistoryAfter,
    MatchesAfter,
    PutTeam,
    TeamOf,
    VersionOf,
)
from stages.stage0.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from common.domain.events import Event
    from common.domain.match import Match, NewMatch, Team
    from common.domain.posts import Post
    from common.http.server import ApiServer
    from common.http.statistics import StatisticsQuery
    from common.otp import KindStatistics, Node, ProcessStatistics, Reason, Survey
    from common.store.index import Listed
    from common.store.terms import Terms
    from stages.stage0.parts import Parts

_Server = TypeVar("_Server", bound=GenServer)
_Told = TypeVar("_Told")


class WebBackend:
    """What the API asks for (`common.http.roles.Backend`), asked of the processes of a node."""

    readiness: ClassVar[type[Readiness]] = Readiness
    """What knows whether fans are served (a hook: the table in `stages.stage0` has them all)."""

    def __init__(self, parts: Parts, node: Node, node_name: str, fan_ports: Sequence[int], api: ApiServer) -> None:
        self._parts = parts
        self._node = node
        self._api = api
        self._node_name = node_name
        self._surveyor = Surveyor(node, secrets.token_bytes(16))
        self._surveys = Rounds(self._survey, "survey")
        self._listings = Rounds(self._list, "listing")
        self._loop_lag = LoopLag()
        self._next_port = itertools.cycle(fan_ports)
        self._readiness = self.readiness(parts, node, fan_ports)

    def client_port(self) -> int:
        """Return a port for fans, each in its turn."""
        return next(self._next_port)

    async def check_ready(self) -> None:
        """See that listeners and Redis are there."""
        await self._readiness.check()

    async def matches(self, after: Listed | None, limit: int) -> Sequence[Match]:
        """Return a part of the list of matches, once it is this question's turn, together with others."""
        listing = MatchesAfter(after, limit)
        return (await self._listings.ask(listing))[listing]

    async def _list(self, asked: Sequence[MatchesAfter]) -> Mapping[MatchesAfter, Sequence[Match]]:
        return {listing: await self._parts.db.query(self._node, listing) for listing in set(asked)}

    async def match(self, match_id: str) -> tuple[Match, str]:
        """Return one match and its version."""
        return await self._parts.db.query(self._node, VersionOf(match_id))

    async def history(self, match_id: str, after_seq: int, limit: int) -> Sequence[Event]:
        """Return some events of a match."""
        return await self._parts.db.query(self._node, HistoryAfter(match_id, after_seq, limit))

    async def put_team(self, team: Team, terms: Terms) -> bool:
        """Store a team."""
        rules.check_team(team)
        return await self._parts.db.query(self._node, PutTeam(team, terms))

    async def create_match(self, new: NewMatch, terms: Terms) -> Match:
        """Announce a match between two known teams."""
        home, visit = await self._team("home", new.home), await self._team("visit", new.visit)
        match = rules.announce(new, home, visit)
        created = await self._parts.db.query(self._node, CreateMatch(match, terms))
        if created is None:
            raise MatchExistsError(f"the match {match.id} exists already; cancel it before you announce it again")
        return created

    async def post_event(self, match_id: str, post: Post, terms: Terms) -> Event:
        """Have the match accept an event."""
        event: Event = await self._parts.match_sup.call(self._node, match_id, Accept(post, terms))
        return event

    async def cancel_match(self, match_id: str, terms: Terms) -> None:
        """Have the match cancel itself; one that cannot be read is deleted without."""
        try:
            await self._parts.match_sup.call(self._node, match_id, Cancel(terms))
        except UnreadableRecordError:
            await self._parts.db.query(self._node, CancelMatch(match_id, terms))
        except UnknownMatchError:
            if not terms.key or not await self._parts.db.query(self._node, CancelledUnder(terms)):
                raise

    async def statistics(self, query: StatisticsQuery) -> Statistics:
        """Look at everything once it is this question's turn, together with others; tell the actors that it names."""
        seen, first = await self._surveys.ask(query)
        if not query.actors:
            return seen  # the very same for all who share it
        return replace(seen, actors=first.get(query.sort, ())[: query.actors])

    def close(self) -> None:
        """Stop looking, and stop measuring the loop's lag."""
        self._surveys.stop()
        self._listings.stop()
        self._readiness.stop()
        self._loop_lag.stop()

    async def _team(self, field: str, team_id: str) -> Team:
        team = await self._parts.db.query(self._node, TeamOf(team_id))
        if team is None:
            raise UnknownTeamError(f"there is no team {team_id}; put it to /1/team/{team_id} first", field)
        return team

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    async def _survey(
        self, queries: Sequence[StatisticsQuery]
    ) -> tuple[Statistics, Mapping[Order, Sequence[ProcessStatistics]]]:
        """Look at everything now."""
        wanted = {order: max((one.actors for one in queries if one.sort is order), default=0) for order in Order}
        survey = await self._surveyor.survey(wanted)
        connected, accepted = self._fans(survey)
        traffic = self._parts.traffic
        seen = Statistics(
            node=self._node_name,
            uptime_s=monotonic() - traffic.since_s,
            cpu_s=process_time(),
            rss_bytes=_resident_bytes(),
            open_files=OpenFilesSeen(_open_files(), OpenFiles.read().soft),
            loop_lag=self._loop_lag.look(),
            connections=connected,
            accepted=accepted,
            greetings=traffic.greetings,
            deliveries=traffic.deliveries,
            drops={drop.value: count for drop, count in traffic.drops.items()},
            skips=traffic.skips,
            handlers=self._handlers(survey),
            tasks=len(asyncio.all_tasks()),
            redis=tuple(_told(survey, ConnectionStatistics)),
            response=traffic.response.statistics(),
            fan_out=traffic.fan_out.statistics(),
            kinds=survey.kinds,
            actors=(),
            api=self._api.statistics(),
            writer=next(_told(survey, WriterStatistics), None),
            requests=next(_told(survey, RequestsStatistics), None),
            subscriptions=next(_told(survey, SubscriptionsStatistics), None),
            doors=self._doors(),
            stage=self._parts.told,
        )
        return seen, survey.first

    def _fans(self, survey: Survey) -> tuple[int, int]:
        """Count the fans that are connected, and all since the start: as many as there are clients for them."""
        clients = _kind(survey.kinds, self._parts.client.__name__)
        return (0, 0) if clients is None else (clients.alive, clients.started)

    def _doors(self) -> dict[str, DoorStatistics]:
        """Tell apart of the fans who came by another door."""
        return {}

    def _handlers(self, survey: Survey) -> int:
        """Count the fans that watch: there is a handler for each client that does."""
        matches = (match for match in _servers(survey, self._parts.live_match) if match.process.initialised)
        dispatchers = (manager.server for match in matches for manager in match.event_managers())
        return sum(dispatcher.handlers for dispatcher in dispatchers if isinstance(dispatcher, Dispatcher))


class Web(GenServer):
    """Serves the API while it runs. The port was bound before, and is taken again when this process is restarted."""

    NAME = "web"
    backend: ClassVar[type[WebBackend]] = WebBackend
    """What it asks (a hook: the table in `stages.stage0` has them all)."""

    _backend: WebBackend

    def __init__(self, parts: Parts, api: ApiServer, fan_ports: Sequence[int], token: str) -> None:
        self._parts = parts
        self._api = api
        self._fan_ports = fan_ports
        self._token = token

    async def init(self) -> None:
        """Serve. Raise CannotListenError."""
        if not self._api.ports:
            await self._api.bind()
        node_name = f"{socket.gethostname()}:{self._api.ports[0]}"
        self._backend = self.backend(self._parts, self.node, node_name, self._fan_ports, self._api)
        await self._api.start(make_app(self._backend, self._token))

    async def terminate(self, reason: Reason) -> None:
        """Finish the requests under way and free the port."""
        del reason
        await self._api.stop()
        self._backend.close()


def _servers(survey: Survey, kind: type[_Server]) -> Iterator[_Server]:
    return (process.server for process in survey.few if isinstance(process.server, kind))


@runtime_checkable
class _Telling(Protocol):
    """A server that tells what it did."""

    def statistics(self) -> object:
        """Return its counts."""
        ...


def _told(survey: Survey, kind: type[_Told]) -> Iterator[_Told]:
    """Give the statistics of a kind that the servers of a node tell, whatever lesson brought those servers."""
    servers = (process.server for process in survey.few)
    told = (server.statistics() for server in servers if isinstance(server, _Telling))
    return (statistics for statistics in told if isinstance(statistics, kind))


def _kind(kinds: Sequence[KindStatistics], name: str) -> KindStatistics | None:
    return next((kind for kind in kinds if kind.kind == name), None)


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])  # proc(5)
    except OSError:  # no file is left to read it: the most that it ever was
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()


def _open_files() -> int:
    try:
        return count_open_files()
    except OpenFilesError:  # to count them takes one, and none is left
        return OpenFiles.read().soft

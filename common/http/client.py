"""The API as a reporter uses it: one method a request."""

import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import msgspec
from yarl import URL

from common.domain.events import Event
from common.domain.match import Match, NewMatch, Team
from common.domain.posts import Post
from common.http.answers import Checkin, History, Matches, Problem
from common.http.queries import MOST_EVENTS, MOST_MATCHES
from common.http.statistics import Statistics, StatisticsQuery
from common.http.terms import IDEMPOTENCY_KEY, IF_MATCH

_T = TypeVar("_T")

_EXCERPT_CHARACTERS: Final = 200
_PASSING: Final = frozenset({502, 503, 504})
_USUAL: Final = StatisticsQuery()
_NO_TERMS: Final[Mapping[str, str]] = {}

TRUST_IT: Final = "if the server is right all the same, name the file of who signed its certificate in SSL_CERT_FILE"
"""What to do about a certificate that this machine does not trust, where there is no option for it."""


class ApiError(Exception):
    """The API refused: `status` is HTTP's, `message` says what to do, `field` names what is wrong, if one thing is.

    `may_pass`: the very same may succeed in a moment, by the server's word (Retry-After) or by that of something in
    between which does not reach the server (502, 503, 504).
    """

    def __init__(self, status: int, message: str, field: str | None = None, *, may_pass: bool = False) -> None:
        super().__init__(f"{message} (HTTP {status})")
        self.status = status
        self.message = message
        self.field = field
        self.may_pass = may_pass


class ApiUnreachableError(Exception):
    """No answer came. Whether what was asked took effect is not known; the message says in one line what to check."""


class ReporterClient:
    """A client of the API at `url`, e.g. `http://127.0.0.1:8888`; an async context manager.

    Without a `token` it can only read. Each request has `timeout` seconds for everything. The server of an
    https:// URL must be whom `trust` believes, or if that is None this machine. All methods raise ApiError and
    ApiUnreachableError.

    What writes is done once however often it is asked for with the same `key`, of letters, digits and dashes such as
    `fresh_key` returns; and only if the match has the `expected` number of events (else the ApiError has status 412).
    """

    def __init__(
        self, url: str, token: str | None = None, *, timeout: float = 10.0, trust: ssl.SSLContext | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the client's connections."""
        connector = None if self._trust is None else aiohttp.TCPConnector(ssl=self._trust)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def checkin(self) -> int:
        """Return a TCP port at which a fan may connect now."""
        return (await self._ask("GET", "/1/checkin", Checkin)).port

    async def matches(self) -> Sequence[Match]:
        """Return all matches: being played, newest first; to come, next first; ended, last first; by id at a date."""
        path = f"/1/matches?limit={MOST_MATCHES}"
        page = await self._ask("GET", path, Matches)
        found = {match.id: match for match in page.matches}
        while page.next is not None:
            page = await self._ask("GET", f"{path}&after={_part(page.next)}", Matches)
            found |= {match.id: match for match in page.matches}  # one that has ended meanwhile comes again
        return tuple(found.values())

    async def match(self, match_id: str) -> Match:
        """Return one match as it stands."""
        return await self._ask("GET", f"/1/match/{_part(match_id)}", Match)

    async def history(self, match_id: str) -> Sequence[Event]:
        """Return all events of a match, in order."""
        path = f"/1/match/{_part(match_id)}/history?limit={MOST_EVENTS}"
        page = await self._ask("GET", path, History)
        events = list(page.events)
        while page.next is not None:
            page = await self._ask("GET", f"{path}&after={page.next}", History)
            events += page.events
        return tuple(events)

    async def statistics(self, query: StatisticsQuery = _USUAL) -> Statistics:
        """Return the server's counts now, and the actors that are asked for."""
        path = f"/1/statistics?actors={query.actors}&sort={query.sort}"
        return await self._ask("GET", path, Statistics)

    async def put_team(self, team: Team, *, key: str | None = None) -> bool:
        """Store a team, in place of an older one of that id; return whether it is new."""
        status, _ = await self._exchange("PUT", f"/1/team/{_part(team.id)}", team, _terms(key))
        return status == 201

    async def create_match(self, new: NewMatch, *, key: str | None = None) -> Match:
        """Announce a match."""
        return await self._ask("POST", "/1/matches", Match, new, _terms(key))

    async def post_event(
        self, match_id: str, post: Post | dict[str, object], *, key: str | None = None, expected: int | None = None
    ) -> Event:
        """Post an event; once this returns it is stored and on its way to the fans."""
        return await self._ask("POST", f"/1/match/{_part(match_id)}/events", Event, post, _terms(key, expected))

    async def cancel_match(self, match_id: str, *, key: str | None = None, expected: int | None = None) -> None:
        """Delete a match and its events."""
        await self._exchange("DELETE", f"/1/match/{_part(match_id)}", terms=_terms(key, expected))

    async def _ask(
        self, method: str, path: str, kind: type[_T], body: object = None, terms: Mapping[str, str] = _NO_TERMS
    ) -> _T:
        status, raw = await self._exchange(method, path, body, terms)
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ApiError(status, f"{self._url} is not a Match Stream API ({error}): check the address") from error

    async def _exchange(
        self, method: str, path: str, body: object = None, terms: Mapping[str, str] = _NO_TERMS
    ) -> tuple[int, bytes]:
        """Send a request and return the status and body of its answer. Raise ApiError for all but 2xx."""
        if self._session is None:
            raise RuntimeError("a ReporterClient is open inside `async with` only")
        data = None if body is None else msgspec.json.encode(body)
        headers = dict(terms) if body is None else {"Content-Type": "application/json", **terms}
        try:
            # Already quoted, and to be left so: an id with a slash in it stays one part of the path.
            url = URL(self._url + path, encoded=True)
            async with self._session.request(method, url, data=data, headers=headers) as answer:
                status, raw = answer.status, await answer.read()
                may_pass = status in _PASSING or "Retry-After" in answer.headers
        except aiohttp.ClientConnectorCertificateError as error:
            raise ApiUnreachableError(_untrusted(self._url, error.certificate_error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a timeout is an OSError since Python 3.11
            reason = str(error) or type(error).__name__
            message = f"no answer from {self._url} ({reason}): is the server running, and is this its address?"
            raise ApiUnreachableError(message) from error
        if not 200 <= status < 300:
            raise _refusal(status, raw, may_pass=may_pass)
        return status, raw


def fresh_key() -> str:
    """Return a key that no other request has: as good as certainly, being random (RFC 9562, 5.4)."""
    return str(uuid4())


def _terms(key: str | None, expected: int | None = None) -> dict[str, str]:
    terms = {} if key is None else {IDEMPOTENCY_KEY: f'"{key}"'}
    return terms if expected is None else {**terms, IF_MATCH: f'"{expected}"'}


def _part(value: str) -> str:
    return quote(value, safe="")


def _untrusted(url: str, why: Exception) -> str:
    reason = why.verify_message if isinstance(why, ssl.SSLCertVerificationError) else str(why)
    return f"{url}: certificate verify failed: {reason}: {TRUST_IT}"


def _refusal(status: int, raw: bytes, *, may_pass: bool) -> ApiError:
    try:
        problem = msgspec.json.decode(raw, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):  # someone in between answered: a proxy, another server
        excerpt = " ".join(raw[:_EXCERPT_CHARACTERS].decode(errors="replace").split())
        return ApiError(status, excerpt, may_pass=may_pass)
    return ApiError(status, problem.error, problem.field, may_pass=may_pass)

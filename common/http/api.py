"""The JSON API, version 1: routes and handlers over a `Backend`. Here requests are read and answered; it decides."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec
from aiohttp import ClientPayloadError, hdrs, web

from common.domain.decode import decode_new_match, decode_post, decode_team, to_query, to_team
from common.domain.errors import BadJsonError, InvalidError
from common.domain.match import Team
from common.http.answers import Checkin, Health, allow_any_origin, json_answer
from common.http.auth import bearer_only
from common.http.errors import HttpHandler, problems_as_json
from common.http.limits import Limits
from common.http.metrics import exposition
from common.http.openapi import describe
from common.http.operations import (
    ALIVE,
    CANCEL_MATCH,
    CHECKIN,
    CREATE_MATCH,
    HISTORY,
    MATCH,
    MATCHES,
    OPERATIONS,
    POST_EVENT,
    PUT_TEAM,
    READY,
    STATISTICS,
    Operation,
)
from common.http.pages import history_page, matches_page
from common.http.roles import Backend
from common.http.site import add_site
from common.http.statistics import Statistics, StatisticsQuery
from common.http.terms import IDEMPOTENCY_KEY, IF_MATCH, KeyInUseError, read_terms
from common.otp import Order
from common.store.terms import Terms

MAX_BODY_BYTES: Final = 64 * 1024
OPENAPI_PATH: Final = "/1/openapi.json"
METRICS_PATH: Final = "/metrics"
"""Where Prometheus looks; no part of version 1, nor of its description, since what it answers is no JSON."""

_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_USUAL_LIMITS: Final = Limits()
_NO_ACTORS: Final = StatisticsQuery(actors=0)


def make_app(backend: Backend, token: str, limits: Limits = _USUAL_LIMITS) -> web.Application:
    """Return the API as an application: it serves `backend`, and lets those write who have `token`; and the pages.

    Of `limits` it keeps the time for a body; the rest is `ApiServer`'s.
    """
    api = _Api(backend, limits.body_s)
    handlers: dict[Operation, HttpHandler] = {
        ALIVE: api.alive,
        READY: api.ready,
        CHECKIN: api.checkin,
        MATCHES: api.matches,
        MATCH: api.match,
        HISTORY: api.history,
        STATISTICS: api.statistics,
        PUT_TEAM: api.put_team,
        CREATE_MATCH: api.create_match,
        POST_EVENT: api.post_event,
        CANCEL_MATCH: api.cancel_match,
    }
    by_path: defaultdict[str, dict[str, HttpHandler]] = defaultdict(dict)
    for operation in OPERATIONS:
        handler = handlers[operation]
        by_path[operation.path][operation.method] = bearer_only(token, handler) if operation.is_reporters else handler
    by_path[OPENAPI_PATH][hdrs.METH_GET] = _description()
    by_path[METRICS_PATH][hdrs.METH_GET] = api.metrics

    app = web.Application(middlewares=[problems_as_json], client_max_size=MAX_BODY_BYTES)
    for path, by_method in by_path.items():
        _add_resource(app, path, by_method)
    add_site(app)
    app.on_response_prepare.append(_to_any_origin)
    return app


class _Api:
    """One method a request; what they raise becomes an answer in `problems_as_json`."""

    def __init__(self, backend: Backend, body_s: float) -> None:
        self._backend = backend
        self._under_way: dict[tuple[str, str], Terms] = {}
        self._body_s = body_s
        self._exposed: tuple[Statistics | None, bytes] = (None, b"")

    async def alive(self, _request: web.Request) -> web.Response:
        return json_answer(Health("alive"))

    async def ready(self, _request: web.Request) -> web.Response:
        await self._backend.check_ready()
        return json_answer(Health("ready"))

    async def checkin(self, _request: web.Request) -> web.Response:
        await self._backend.check_ready()  # who cannot serve fans sends none to itself
        return json_answer(Checkin(self._backend.client_port()))

    async def matches(self, request: web.Request) -> web.StreamResponse:
        return await matches_page(self._backend, request)

    async def match(self, request: web.Request) -> web.Response:
        match, version = await self._backend.match(request.match_info["id"])
        return json_answer(match, headers={hdrs.ETAG: f'"{version}"'})

    async def history(self, request: web.Request) -> web.StreamResponse:
        return await history_page(self._backend, request)

    async def statistics(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.statistics(_read_query(request)))

    async def metrics(self, _request: web.Request) -> web.Response:
        seen = await self._backend.statistics(_NO_ACTORS)
        if seen is not self._exposed[0]:  # who scrape together are answered from one look, and it is put down once
            self._exposed = (seen, exposition(seen))
        return web.Response(body=self._exposed[1], headers={hdrs.CONTENT_TYPE: _METRICS_TYPE})

    async def put_team(self, request: web.Request) -> web.Response:
        team = _read_team(await self._read_body(request), request.match_info["id"])
        with self._terms(request, team) as terms:
            is_new = await self._backend.put_team(team, terms)
        return json_answer(team, 201 if is_new else 200)

    async def create_match(self, request: web.Request) -> web.Response:
        new = decode_new_match(await self._read_body(request))
        with self._terms(request, new) as terms:
            match = await self._backend.create_match(new, terms)
        return json_answer(match, 201, {hdrs.LOCATION: f"/1/match/{match.id}"})

    async def post_event(self, request: web.Request) -> web.Response:
        post = decode_post(await self._read_body(request))
        with self._terms(request, post) as terms:
            return json_answer(await self._backend.post_event(request.match_info["id"], post, terms), 201)

    async def cancel_match(self, request: web.Request) -> web.Response:
        with self._terms(request) as terms:
            await self._backend.cancel_match(request.match_info["id"], terms)
        return web.Response(status=204)

    @contextmanager
    def _terms(self, request: web.Request, body: object = None) -> Iterator[Terms]:
        """Give the terms of a write while it is worked on here. Raise TermsError, KeyInUseError.

        One whose asker has hung up stands in nobody's way, nor does what is worked on by another node: of several the
        store makes one, and all are answered with that.
        """
        terms = read_terms(request, body)
        if not terms.key:
            yield terms
            return
        written = (request.path, terms.key)
        first = self._under_way.get(written)
        if first is not None and not first.is_gone():
            message = "the request under this key is being worked on: wait a moment, then ask again under the same key"
            raise KeyInUseError(message, IDEMPOTENCY_KEY)
        self._under_way[written] = terms
        try:
            yield terms
        finally:
            if self._under_way.get(written) is terms:
                del self._under_way[written]

    async def _read_body(self, request: web.Request) -> bytes:
        """Return the whole body.

        Raise HTTPRequestEntityTooLarge beyond the limit, HTTPRequestTimeout, BadJsonError if it cannot be read.
        """
        if (request.content_length or 0) > request.client_max_size:  # refused before any of it is read
            raise web.HTTPRequestEntityTooLarge(request.client_max_size)
        try:
            async with asyncio.timeout(self._body_s):
                return await request.read()
        except TimeoutError as error:
            text = f"the body did not come within {self._body_s:g} s: send it at once"
            raise web.HTTPRequestTimeout(text=text) from error
        except (ClientPayloadError, web.RequestPayloadError, ConnectionError) as error:
            raise BadJsonError(f"the body ends early or is encoded wrongly: send it again ({error})") from error


def _read_query(request: web.Request) -> StatisticsQuery:
    """Return which actors are asked for. Raise InvalidError."""
    try:
        return to_query(dict(request.query), StatisticsQuery)
    except InvalidError as error:
        if error.field != "sort":
            raise
        raise InvalidError(
            f"there is no order {request.query['sort']!r}: say one of {', '.join(Order)}", "sort"
        ) from error


def _read_team(body: bytes, team_id: str) -> Team:
    """Return the team in `body`, whose id is that of the path. Raise BadJsonError, InvalidError."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_team(body)  # refuses as everywhere else
    if not isinstance(value, dict):
        return to_team(value)  # likewise
    if value.setdefault("id", team_id) != team_id:
        raise InvalidError(f"id in the body is not that of the path: leave it out or say {team_id}", "id")
    return to_team(value)


def _description() -> HttpHandler:
    document = msgspec.json.encode(describe(OPERATIONS))

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    return openapi


def _add_resource(app: web.Application, path: str, by_method: Mapping[str, HttpHandler]) -> None:
    """Add a path with its methods, with HEAD wherever there is GET, and with the answer to a browser's preflight."""
    resource = app.router.add_resource(path)
    for method, handler in by_method.items():
        resource.add_route(method, handler)
    if hdrs.METH_GET in by_method:
        resource.add_route(hdrs.METH_HEAD, by_method[hdrs.METH_GET])
    allowed = ", ".join(sorted({route.method for route in resource} | {hdrs.METH_OPTIONS}))
    headers = {
        hdrs.ALLOW: allowed,
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: allowed,
        # Each by its name: `*` would not cover Authorization.
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: f"Authorization, Content-Type, {IDEMPOTENCY_KEY}, {IF_MATCH}, If-None-Match",
        hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
    }

    async def preflight(_request: web.Request) -> web.Response:
        return web.Response(status=204, headers=headers)

    resource.add_route(hdrs.METH_OPTIONS, preflight)


async def _to_any_origin(_request: web.Request, response: web.StreamResponse) -> None:
    allow_any_origin(response)

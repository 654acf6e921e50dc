"""The served description is valid, names what the server does, and the server keeps to it, under fuzzing too."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import aiohttp
import jsonschema  # type: ignore[import-untyped]  # it ships no types
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from common.domain.match import NewMatch
from common.domain.script import Script
from common.http.api import MAX_BODY_BYTES, make_app
from common.http.openapi import describe
from common.http.operations import ALIVE, OPERATIONS, Operation
from common.http.server import ApiServer
from common.http.site import PAGES
from common.store.errors import ConflictError, StoreUnavailableError
from tests.common.http.conftest import BEARER, MATCH_ID, TOKEN
from tests.common.http.memory_backend import MemoryBackend

BODIES: dict[str, Any] = {
    "put_team": {"name": "Boca", "players": [{"number": 9, "name": "Palermo"}]},
    "create_match": {"home": "tig", "visit": "elp", "date": "2011-09-10"},
    "post_event": {"kind": "start", "home_players": [25], "visit_players": [7]},
}
WRONG_BODIES = {400: b"{", 413: b" " * (MAX_BODY_BYTES + 1), 422: b"{}"}
QUERIES = {
    "statistics": {200: "?actors=1&sort=memory", 422: "?actors=all"},
    "matches": {200: "?limit=1", 422: "?after=nobody"},
    "history": {200: "?after=0&limit=1", 422: "?limit=0"},
}
FAILURES = {409: ConflictError(), 500: RuntimeError(), 503: StoreUnavailableError()}


@dataclass(frozen=True)
class Request:
    """What is sent to get a certain answer."""

    path_id: str
    body: bytes | None
    headers: dict[str, str]
    query: str = ""


def provoking(operation: Operation, status: int, backend: MemoryBackend) -> Request:
    """Return a request that is answered with `status`; prepare the backend for it."""
    if status in FAILURES:
        backend.failures.append(FAILURES[status])
    right = None if operation.body is None else msgspec.json.encode(BODIES[operation.name])
    team_id = "tig" if status == 200 else "boc"
    match_id = "none" if status == 404 else MATCH_ID
    path_id = team_id if operation.name == "put_team" else match_id
    query = QUERIES.get(operation.name, {}).get(status, "")
    headers = {} if status == 401 else {**BEARER, **({"If-None-Match": "*"} if status == 304 else {})}
    if status == 412:
        headers = {**BEARER, "If-Match": '"99"'}
    elif operation.is_reporters and operation.body is None and status in {400, 422}:
        backend.answered["used"] = ("by another request", None)
        headers = {**BEARER, "Idempotency-Key": "" if status == 400 else '"used"'}
    return Request(path_id, None if right is None else WRONG_BODIES.get(status, right), headers, query)


DOCUMENTED: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(describe(OPERATIONS)))
EVERY_ANSWER = [
    pytest.param(operation, int(status), id=f"{operation.name}-{status}")
    for operation in OPERATIONS
    for status in DOCUMENTED["paths"][operation.path][operation.method.lower()]["responses"]
    if not (operation is ALIVE and status == "500")  # it asks nobody, so nobody can fail it
]


async def test_it_is_served_as_openapi_3_1(reader: aiohttp.ClientSession) -> None:
    async with reader.get("/1/openapi.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        document = await answer.json()
    assert document == DOCUMENTED
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


def test_it_names_every_route_and_no_other(backend: MemoryBackend) -> None:
    routed = {
        (route.method, resource.canonical)
        for resource in make_app(backend, TOKEN).router.resources()
        for route in resource
        if route.method not in {"HEAD", "OPTIONS"}
    }
    named = {(method.upper(), path) for path, methods in DOCUMENTED["paths"].items() for method in methods}
    pages = {("GET", path) for path in PAGES} | {route for route in routed if route[1].startswith("/site/")}
    assert named | {("GET", "/1/openapi.json"), ("GET", "/metrics")} | pages == routed


def test_an_answer_has_all_its_fields_and_a_posted_team_may_leave_its_id_to_the_path() -> None:
    schemas = DOCUMENTED["components"]["schemas"]
    assert schemas["Match"]["required"] == list(schemas["Match"]["properties"])
    assert schemas["Problem"]["required"] == ["error", "field"]
    assert schemas["Team"]["required"] == ["id", "name", "players"]
    assert schemas["TeamBody"]["required"] == ["name", "players"]
    assert schemas["TeamBody"]["properties"] == schemas["Team"]["properties"]


@pytest.mark.parametrize(("operation", "status"), EVERY_ANSWER)
async def test_every_documented_answer_can_be_had_and_has_its_shape(
    announced: MemoryBackend, reader: aiohttp.ClientSession, operation: Operation, status: int
) -> None:
    request = provoking(operation, status, announced)
    path = operation.path.replace("{id}", request.path_id) + request.query
    async with reader.request(operation.method, path, data=request.body, headers=request.headers) as answer:
        assert answer.status == status
        raw = await answer.read()
    response = DOCUMENTED["paths"][operation.path][operation.method.lower()]["responses"][str(status)]
    if "content" not in response:
        assert raw == b""
        return
    schema = {**response["content"]["application/json"]["schema"], "components": DOCUMENTED["components"]}
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(msgspec.json.decode(raw), schema, jsonschema.Draft202012Validator)


class ServerThread:
    """The API in a thread of its own, for clients that block."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api")
        self._server = ApiServer("127.0.0.1", [0])

    def __enter__(self) -> str:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> str:
        port = await self._server.bind()
        await self._server.start(make_app(self._backend, TOKEN))
        return f"http://127.0.0.1:{port}"


@pytest.fixture
async def played(announced: MemoryBackend, script: Script) -> MemoryBackend:
    """Return a backend with a match that was played and one that has begun."""
    for step in script.steps:
        await announced.post_event(MATCH_ID, step.post)
    begun = await announced.create_match(NewMatch("elp", "tig", date(2011, 9, 11)))
    await announced.post_event(begun.id, script.steps[0].post)
    return announced


@pytest.fixture
def served(played: MemoryBackend) -> Iterator[str]:
    with ServerThread(played) as url:
        yield url


@schemathesis.openapi.from_dict(DOCUMENTED).parametrize()
@settings(
    max_examples=8,
    deadline=None,  # this is about what is answered, not about when
    suppress_health_check=list(HealthCheck),  # the server may be shared, and a few examples may be filtered out
)
def test_the_server_keeps_to_it_whatever_is_asked(case: schemathesis.Case[Any], served: str) -> None:
    ids = [case.path_parameters["id"]] if "id" in case.path_parameters else [None]
    if case.operation.path == "/1/match/{id}/events":
        ids = ["elp-tig-2011-09-11"]  # hundreds of cases, about the body: they had better reach the rules
    elif case.operation.path.startswith("/1/match/"):
        ids.append(MATCH_ID)
    for path_id in ids:
        if path_id is not None:
            case.path_parameters["id"] = path_id
        # What is well-formed may still be impossible in this match; that this is a 422 is documented, not a failure.
        case.call_and_validate(base_url=served, headers=BEARER, excluded_checks=[positive_data_acceptance])

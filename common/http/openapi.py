"""The API's description (OpenAPI 3.1), made from the operations and the very types that read and write JSON.

OpenAPI 3.1 takes JSON Schema 2020-12 as it is, which is what msgspec makes of a type, so nothing is written twice and
nothing can drift.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from common.domain.events import Event
from common.domain.match import Match, Team
from common.http.answers import Checkin, Health, History, Matches, Problem
from common.http.operations import Operation
from common.http.statistics import Statistics
from common.http.terms import EXPECTED_PATTERN, IDEMPOTENCY_KEY, IF_MATCH, KEY_PATTERN, MAX_KEY
from common.wire.streamed import StreamedEvent

_REF: Final = "#/components/schemas/{name}"
_ONLY_ANSWERED: Final = (Health, Checkin, Matches, Match, History, Event, Statistics, Problem)
_TEAM_BODY: Final = "TeamBody"

_ABOUT: Final = (
    "Live soccer matches: fans read them, reporters with a bearer token write them. "
    "Where a server has a port for browsers, they watch a match there: by GET /1/match/{id}/stream, as an EventSource, "
    "where the data of each message are a StreamedEvent, those of a `refused` or a `goodbye` a Problem; or by a "
    "WebSocket at /1/match/{id}/ws, of which each message is a StreamedEvent."
)

_Json = dict[str, Any]

_KEY: Final[_Json] = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "Names this request: asked for again under the same key it is not done again, but answered as it "
    "was. Another request under that key is a 422, one while the first is worked on a 409. A string of RFC 8941, or "
    "the bare word. Kept as long as the match's events, else for a day.",
    "schema": {"type": "string", "pattern": KEY_PATTERN, "maxLength": 2 * MAX_KEY + len('""')},
}
_VERSION: Final[_Json] = {
    "name": IF_MATCH,
    "in": "header",
    "required": False,
    "description": "The ETag that the match must have, or how many events; else nothing is done, and this is a 412.",
    "schema": {"type": "string", "pattern": EXPECTED_PATTERN},
}
_ETAG: Final[_Json] = {
    "description": "The match's version: another after each event, and when it was cancelled and announced anew.",
    "required": True,
    "schema": {"type": "string"},
}


def describe(operations: Sequence[Operation]) -> _Json:
    """Return the OpenAPI 3.1 document of `operations`, as JSON-encodable values."""
    types = [Problem, StreamedEvent, *(operation.body for operation in operations if operation.body is not None)]
    types += [operation.query for operation in operations if operation.query is not None]
    types += [answer for operation in operations for answer in operation.answers.values() if answer is not None]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    paths: _Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Match Stream",
            "version": "1",
            "description": _ABOUT,
        },
        "paths": paths,
        "components": {
            "schemas": _as_sent(components),
            "securitySchemes": {"reporter": {"type": "http", "scheme": "bearer"}},
        },
    }


def _as_sent(components: _Json) -> _Json:
    """Return the schemas with what only the API knows: answers have all fields, a team's id is in the path."""
    for answer in _ONLY_ANSWERED:
        schema = components[answer.__name__]
        schema["required"] = list(schema["properties"])
    team = components[Team.__name__]
    required = [name for name in team["required"] if name != "id"]
    components[_TEAM_BODY] = {**team, "title": _TEAM_BODY, "required": required}
    return components


def _operation(operation: Operation) -> _Json:
    described: _Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {str(status): _response(status, schema) for status, schema in _responses(operation)},
    }
    if operation.has_etag or (operation.has_version and not operation.is_reporters):
        described["responses"]["200"]["headers"] = {"ETag": _ETAG}
    if parameters := [*_parameters(operation)]:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json_content(_body_schema(operation.body))}
    if operation.is_reporters:
        described["security"] = [{"reporter": []}]
    return described


def _parameters(operation: Operation) -> Iterator[_Json]:
    if "{id}" in operation.path:
        schema = msgspec.json.schema(operation.id_type)
        yield {"name": "id", "in": "path", "required": True, "schema": schema}
    if operation.query is not None:
        yield from _query_parameters(operation.query)
    if operation.has_etag:
        yield {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
    if operation.is_reporters:
        yield _KEY
    if operation.is_reporters and operation.has_version:
        yield _VERSION


def _query_parameters(query: type[msgspec.Struct]) -> list[_Json]:
    _, components = msgspec.json.schema_components([query], ref_template=_REF)
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in components[query.__name__]["properties"].items()
    ]


def _responses(operation: Operation) -> list[tuple[int, Any]]:
    refusals = {*operation.refusals, 500}
    if operation.is_reporters:
        refusals |= {400, 401, 409, 422}
    if operation.is_reporters and operation.has_version:
        refusals.add(412)
    if operation.body is not None:
        refusals |= {400, 413}
    return sorted([*operation.answers.items(), *((status, Problem) for status in refusals)], key=lambda pair: pair[0])


def _response(status: int, answer: Any) -> _Json:
    described: _Json = {"description": HTTPStatus(status).phrase}
    if answer is not None:
        described["content"] = _json_content(_schema(answer))
    return described


def _body_schema(body: Any) -> _Json:
    return {"$ref": _REF.format(name=_TEAM_BODY)} if body is Team else _schema(body)


def _schema(wanted: Any) -> _Json:
    (schema,), _ = msgspec.json.schema_components([wanted], ref_template=_REF)
    return schema


def _json_content(schema: _Json) -> _Json:
    return {"application/json": {"schema": schema}}

"""The reference of the JSON API, made of its OpenAPI description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from common.http.openapi import describe
from common.http.operations import OPERATIONS
from docs.generate.markdown import code, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_Json = dict[str, Any]
_JSON_TYPE: Final = "application/json"


def describe_api() -> str:
    """Return the text of the page."""
    document = describe(OPERATIONS)
    info = document["info"]
    opening = f"# The API\n\n{plain(info['description'])} A server has this description at `/1/openapi.json`.\n\n"
    operations = "".join(
        "".join(_operation(method, path, operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return f"{opening}{operations}## Types\n\n{schemas}"


def _operation(method: str, path: str, operation: _Json) -> Iterator[str]:
    yield f"## {method.upper()} {plain(path)}\n\n{plain(operation['summary'])}\n\n"
    if "security" in operation:
        yield "The reporter's alone: `Authorization: Bearer TOKEN`.\n\n"
    yield table(
        ("parameter", "in", "type", "what it is"),
        (
            (code(one["name"]), one["in"], _type(one["schema"]), plain(one.get("description", "")))
            for one in operation.get("parameters", ())
        ),
    )
    if body := operation.get("requestBody"):
        yield f"Body: {_type(body['content'][_JSON_TYPE]['schema'])}\n\n"
    yield table(("status", "answer", "body"), (_response(*each) for each in operation["responses"].items()))


def _response(status: str, response: _Json) -> tuple[str, str, str]:
    content = response.get("content")
    return status, plain(response["description"]), _type(content[_JSON_TYPE]["schema"]) if content else ""


def _schema(name: str, schema: _Json) -> str:
    required = schema.get("required", ())
    about = f"{plain(schema['description'])}\n\n" if "description" in schema else ""
    fields = (
        (code(field), _type(kind), "yes" if field in required else "", plain(kind.get("description", "")))
        for field, kind in schema.get("properties", {}).items()
    )
    one_of = "" if "properties" in schema else f"{_type(schema)}\n\n"
    return f"### {name}\n\n{about}{one_of}{table(('field', 'type', 'always there', 'what it is'), fields)}"


def _type(schema: _Json) -> str:
    """Return a type in words, which links to its own description where it has one."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_type(each) for each in schema[key])
    if "enum" in schema:
        return ", ".join(code(str(value)) for value in schema["enum"])
    if "const" in schema:
        return code(str(schema["const"]))
    kind = schema.get("type", "any")
    if kind == "array":
        items = schema.get("items")
        return f"array of {_type(items)}" if isinstance(items, dict) else "array"
    bounds = (f"{word} {code(str(schema[key]))}" for key, word in _BOUNDS.items() if key in schema)
    return ", ".join([plain(str(kind)), *bounds])


_BOUNDS: Final = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "length from",
    "maxLength": "length up to",
    "pattern": "like",
}

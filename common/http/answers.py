"""What the API answers: JSON bodies, and headers that let a page from anywhere read them."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from aiohttp import web

from common.domain.events import Event
from common.domain.match import Match

FAILED: Final = "the server failed at this request; its log says why"


class Checkin(msgspec.Struct, frozen=True):
    """Where a fan may connect: a TCP port of this host."""

    port: int


class Health(msgspec.Struct, frozen=True):
    """That the server is alive, or ready."""

    status: Literal["alive", "ready"]


class Matches(msgspec.Struct, frozen=True):
    """A page of all matches: being played, newest first; to come, next first; ended, last first; by id at a date.

    `next` is the `after` of the next page, null where there is none.
    """

    matches: tuple[Match, ...]
    next: str | None = None


class History(msgspec.Struct, frozen=True):
    """A page of the accepted events of the match with the id `match`, in order.

    `next` is the `after` of the next page, null where no more had been accepted when this one was asked for.
    """

    match: str
    events: tuple[Event, ...]
    next: int | None = None


class Problem(msgspec.Struct, frozen=True):
    """Why a request was refused: one line that says what to do, and the name of the field that is wrong, if one is."""

    error: str
    field: str | None = None


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer whose body is `value`, anything that msgspec encodes, as JSON."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )


def problem_answer(
    status: int, message: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return a refusal; `message` is put on one line, whatever a request managed to put into it."""
    return json_answer(Problem(" ".join(message.split()), field), status, headers)


def allow_any_origin(response: web.StreamResponse) -> None:
    """Let a page from any site read `response`, and those of its headers that a reporter needs (Fetch, CORS protocol).

    It is safe to allow all: what needs authority needs a token in a header, which no page sends unasked.
    """
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "ETag, Location, Retry-After, WWW-Authenticate"

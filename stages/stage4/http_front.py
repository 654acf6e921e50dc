"""What stands before the doors for browsers: it reads the head of a request, which tells by which of them one comes.

On the fans' own ports the server speaks first, as it does in the talk: before anything is read. So nothing that comes
there could be answered by HTTP, and browsers have a port of their own (`--browser-port`), where they speak first and
their first bytes tell the door. nginx puts it under the address of the API (`matchstream nginx`).

    GET /1/match/<id>/<the door's path>     the fan's name, if it has one, as ?user=
    GET /match/<id>                         the page of a match (`stages.stage4.pages`), and what belongs to it

A fan who is asking has an object that reads its head (`stages.stage4.request_head`), which is gone when the fan is
answered. What must hold: what is no request for a door is answered by the status that says why, with a line of JSON as
the API has it (`Problem`), and the connection ends.

A wave of fans is to be answered as fast as by text. So what is the same for many is made once a second (`head`), and
what nearly all ask for is known by its form, before a library is asked that knows every form.

Rejected: to wait on the fans' ports for whether something comes before the welcome, which would have every fan wait,
and to be wrong about browsers, which connect beforehand and then say nothing; to have the API take the requests and
hand their connections on, which costs several times what a fan costs, in the one process that the workers relieve.
"""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, unquote

import msgspec
from httptools import HttpParserInvalidURLError, parse_url

from common.http.answers import Problem
from common.wire.frames import seconds_until_again
from common.wire.greeting import Greeting, GreetingError, Numbered, WrongFieldError, checked_name
from common.wire.streamed import parse_place
from stages.stage0.messages import UNREADABLE
from stages.stage4.door import Deaf, NumberingDoor
from stages.stage4.pages import Pages
from stages.stage4.request_head import MOST_HEAD, HeadReader, NoRequestError, Request, TooLongError
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from common.http.page_files import File

AGAIN_S: Final = 1
"""When to ask again if nothing else is said, as the API has it."""

_END: Final = b"\r\n\r\n"
_PATH: Final = re.compile("/1/match/([^/]+)/([^/]+)")
_PLAIN_PAIR: Final = re.compile("([a-z]+)=([A-Za-z0-9._~-]*)")
"""A query of one pair that has nothing but what nobody escapes (RFC 3986, section 2.3)."""
_HEADS: Final = 64
"""Heads of answers that are kept: those of two doors and of some refusals, of this second and the last."""
_STATUS: Final = MappingProxyType(
    {
        Drop.MATCH: HTTPStatus.NOT_FOUND,
        Drop.STORE: HTTPStatus.SERVICE_UNAVAILABLE,
        Drop.FULL: HTTPStatus.SERVICE_UNAVAILABLE,
        Drop.SILENCE: HTTPStatus.REQUEST_TIMEOUT,
    }
)
"""What a fan is answered who is turned away before it was let in; nobody is for another reason."""
STOPPING: Final = "the server is stopping; connect again in {} s"
"""What is said to who has to go since the server does."""


class RequestError(GreetingError):
    """What came is no request for a door: the status that it is answered by, and the headers that belong to it."""

    def __init__(self, status: HTTPStatus, why: str, *headers: str) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers
        self.is_of_head = False
        """Whether the request wants no more than the head of its answer (RFC 9110, section 9.3.2)."""


class PageAskedError(RequestError):
    """What is asked for is a file of a page, which is the answer: nobody is refused, and no fan has come."""

    is_refusal = False

    def __init__(self, file: File) -> None:
        super().__init__(HTTPStatus.OK, "a page")
        self.file = file


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a door needs to know: the request, and of each name in its query the last value."""

    request: Request
    query: dict[str, str]


class BrowserDoor(NumberingDoor, Protocol):
    """A door that is asked for by HTTP."""

    @property
    def path(self) -> str:
        """The last part of what is asked for."""
        ...

    def place(self, asked: Asked) -> str:
        """Return the place behind which the fan goes on; nothing: it begins."""
        ...

    def opening(self, asked: Asked) -> bytes:
        """Return what is said before the first answer. Raise RequestError."""
        ...


def head(status: HTTPStatus, *headers: str) -> bytes:
    """Return the head of an answer; one that many get is made once a second."""
    return _head(int(time()), status, *headers)


@lru_cache(_HEADS)
def _head(at_s: int, status: HTTPStatus, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status.value} {status.phrase}", f"Date: {formatdate(at_s, usegmt=True)}", *headers)
    return "\r\n".join(lines).encode() + _END


def problem(status: HTTPStatus, why: str, headers: Iterable[str] = ()) -> bytes:
    """Return an answer that refuses, as the API does."""
    body = msgspec.json.encode(Problem(why))
    described = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return head(status, *described) + body


def page(file: File) -> bytes:
    """Return an answer that is a file of a page."""
    described = (f"{name}: {value}" for name, value in file.headers.items())
    return head(HTTPStatus.OK, *described, f"Content-Length: {len(file.body)}", "Connection: close") + file.body


class HttpFront(Deaf):
    """The front of these doors: how fans are told what they are told before they are let in."""

    welcome: Final = b""

    def __init__(self, doors: Iterable[BrowserDoor]) -> None:
        self._doors = {door.path: door for door in doors}
        self._known = " or ".join(f"/1/match/<id>/{path}" for path in self._doors)
        self._pages = Pages()

    @property
    def goodbye(self) -> bytes:
        """The answer of a server that stops."""
        return self.goodbye_for(AGAIN_S)

    def reader(self) -> RequestReader:
        """Return a reader of one request."""
        return RequestReader(self)

    def refusal(self, error: GreetingError) -> bytes:
        """Return the answer to what is no request for a door."""
        assert isinstance(error, RequestError)  # noqa: S101  # its readers raise no other
        if isinstance(error, PageAskedError):
            answer = page(error.file)
        else:
            answer = problem(error.status, str(error), error.headers)
        return answer[: answer.index(_END) + len(_END)] if error.is_of_head else answer

    def error(self, why: str, drop: Drop) -> bytes:
        """Return the answer to a fan who cannot be served."""
        status = HTTPStatus.INTERNAL_SERVER_ERROR if why == UNREADABLE else _STATUS[drop]
        if status is HTTPStatus.REQUEST_TIMEOUT:
            why = f"no request came in time; ask for {self._known}"
        again_s = seconds_until_again(why) or AGAIN_S
        return problem(status, why, (f"Retry-After: {again_s}",) if status is HTTPStatus.SERVICE_UNAVAILABLE else ())

    def goodbye_for(self, after_s: int) -> bytes:
        """Return the answer of a server that stops to who has not been let in."""
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, STOPPING.format(after_s), (f"Retry-After: {after_s}",))

    def greeting(self, request: Request) -> Greeting:
        """Return what a request asks for. Raise RequestError; PageAskedError where that is no match."""
        try:
            return self._greeting(request)
        except RequestError as error:
            error.is_of_head = request.method == b"HEAD"
            raise

    def _greeting(self, request: Request) -> Greeting:
        if request.method not in {b"GET", b"HEAD"}:
            raise _not_allowed()
        door, match_id, query = self._found(request.target)
        if request.method == b"HEAD":  # of what does not end there is no head alone
            raise _not_allowed()
        asked = Asked(request, query)
        try:
            user = checked_name(query.get("user") or door.name, "user")
            place = door.place(asked)
            number, epoch = parse_place(place) if place else (None, 0)
        except WrongFieldError as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"{error}; leave it out to begin anew") from None
        return Greeting(user, match_id, Numbered(number, epoch, door.name, door.opening(asked)))

    def not_read(self) -> RequestError:
        """Return what is said of bytes that are no request."""
        return RequestError(HTTPStatus.BAD_REQUEST, f"that is no request of HTTP/1.1; ask for {self._known}")

    def too_long(self) -> RequestError:
        """Return what is said of a head that does not end within MOST_HEAD bytes."""
        why = f"the head is longer than {MOST_HEAD} bytes; ask for {self._known}"
        return RequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, why)

    def not_complete(self) -> RequestError:
        """Return what is said of a request that ends before its head does."""
        return RequestError(HTTPStatus.BAD_REQUEST, f"the request is not complete; ask for {self._known}")

    def _found(self, target: bytes) -> tuple[BrowserDoor, str, dict[str, str]]:
        try:
            url = parse_url(target)
            path = (url.path or b"").decode()
            found = _PATH.fullmatch(path)
            door = None if found is None else self._doors.get(found[2])
            if found is not None and door is not None:
                match_id = checked_name(unquote(found[1], errors="strict"), "match id")
                return door, match_id, _query((url.query or b"").decode())
        except (ValueError, HttpParserInvalidURLError):
            raise RequestError(HTTPStatus.BAD_REQUEST, f"that is no URL; ask for {self._known}") from None
        except WrongFieldError as error:
            raise RequestError(HTTPStatus.NOT_FOUND, f"{error}; there is no such match") from None
        if (file := self._pages.file_at(path)) is not None:
            raise PageAskedError(file)
        raise RequestError(HTTPStatus.NOT_FOUND, f"there is no such path here; ask for {self._known}")


def _not_allowed() -> RequestError:
    return RequestError(HTTPStatus.METHOD_NOT_ALLOWED, "a match is watched by GET", "Allow: GET")


def _query(text: str) -> dict[str, str]:
    """Return of each name in a query the last value. Raise ValueError."""
    if not text:
        return {}
    if (pair := _PLAIN_PAIR.fullmatch(text)) is not None:
        return {pair[1]: pair[2]}
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True, errors="strict").items()}


class RequestReader(HeadReader):
    """Reads one request, in pieces."""

    __slots__ = ("_front",)

    def __init__(self, front: HttpFront) -> None:
        super().__init__()
        self._front = front

    def feed(self, data: bytes) -> Greeting | None:
        """Return what is asked for once the head is complete. Raise RequestError."""
        try:
            request = self.read(data)
        except NoRequestError:
            raise self._front.not_read() from None
        except TooLongError:
            raise self._front.too_long() from None
        return None if request is None else self._front.greeting(request)

    def end(self) -> Greeting | None:
        """Raise RequestError: the fan says no more."""
        raise self._front.not_complete()

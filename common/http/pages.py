"""Answers that could be of any length, in pages: a history piece by piece from the store, matches by number and size.

What it must guarantee: a client that does not read costs no more than a piece or a page, however long the whole is; and
who follows `next` to its end has had everything, each once, whatever happened meanwhile: a page of a history ends where
the match stood when it was asked for, and the place of a match in the list is told by itself, not by a number.

Pages have a weak ETag (RFC 9110, 8.8.1): it names what they tell, and another version of this server may tell the same
in other bytes. A client that has a page already sends it back in If-None-Match and is answered 304 (13.1.2).
"""

import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final

import msgspec
from aiohttp import hdrs, web

from common.domain.decode import to_query
from common.domain.errors import InvalidError, UnknownMatchError
from common.domain.match import Match
from common.http.queries import HistoryQuery, MatchesQuery
from common.http.roles import Backend
from common.store.errors import StoreUnavailableError
from common.store.index import Listed, listed_at

PIECE: Final = 64
"""Events that are read at a time: some 20 KiB, at most a megabyte."""
PAGE_BYTES: Final = 256 * 1024
"""The size at which a page of matches ends, however few they are; a match has 2 to 40 KiB."""

_LOG = logging.getLogger(__name__)
_JSON: Final = "application/json"
_CURSOR: Final = "~"


async def history_page(backend: Backend, request: web.Request) -> web.StreamResponse:
    """Answer with a page of a history. Raise InvalidError, UnknownMatchError, StoreUnavailableError.

    Once it has begun, an answer that cannot be completed is broken off, so that nobody takes it for complete.
    """
    query = to_query(dict(request.query), HistoryQuery)
    match_id = request.match_info["id"]
    match, _ = await backend.match(match_id)
    end = min(query.after + query.limit, match.seq)
    begin = min(query.after, end)
    first = await _piece(backend, match_id, begin, end)
    last = b"" if begin + PIECE >= end else await _piece(backend, match_id, end - 1, end)
    opening = b'{"match":' + msgspec.json.encode(match_id) + b',"events":['
    closing = b'],"next":' + msgspec.json.encode(end if end < match.seq else None) + b"}"
    etag = _etag(opening, first, last, closing)
    if _has(request, etag):
        return _not_modified(etag)
    response = web.StreamResponse(headers={hdrs.ETAG: etag, hdrs.CONTENT_TYPE: _JSON})
    if request.method == hdrs.METH_HEAD:
        return response
    await response.prepare(request)
    try:
        await response.write(opening + first)
        for at in range(begin + PIECE, end, PIECE):
            await response.write(b"," + await _piece(backend, match_id, at, end))
        await response.write_eof(closing)
    except ConnectionError:
        pass  # the client has gone, as aiohttp is about to see
    except Exception as error:  # its status is out already, so it can be told in no other way
        _LOG.warning("the history of %s is broken off: %s", match_id, error or type(error).__name__)
        if request.transport is not None:
            request.transport.abort()
    return response


async def matches_page(backend: Backend, request: web.Request) -> web.StreamResponse:
    """Answer with a page of the list of matches. Raise InvalidError, StoreUnavailableError."""
    query = to_query(dict(request.query), MatchesQuery)
    after = await _place(backend, query.after) if query.after else None
    listed = await backend.matches(after, query.limit + 1)  # one more tells whether there is another page
    page: list[bytes] = []
    size = 0
    for match in listed[: query.limit]:
        page.append(msgspec.json.encode(match))
        size += len(page[-1])
        if size > PAGE_BYTES:
            break
    is_last = len(page) == len(listed)
    following = None if is_last else _cursor(listed[len(page) - 1])
    body = b'{"matches":[' + b",".join(page) + b'],"next":' + msgspec.json.encode(following) + b"}"
    etag = _etag(body)
    if _has(request, etag):
        return _not_modified(etag)
    return web.Response(body=body, headers={hdrs.ETAG: etag}, content_type=_JSON)


async def _piece(backend: Backend, match_id: str, after: int, end: int) -> bytes:
    """Return the events after number `after`, with commas between: as many as make a piece, none beyond number `end`.

    Raise StoreUnavailableError if they are not there any more.
    """
    wanted = min(PIECE, end - after)
    events = await backend.history(match_id, after, wanted) if wanted else ()
    if len(events) != wanted:
        raise StoreUnavailableError(f"match {match_id} was cancelled or begun anew while its history was read")
    return b",".join(map(msgspec.json.encode, events))


def _cursor(match: Match) -> str:
    return _CURSOR + urlsafe_b64encode(msgspec.json.encode(listed_at(match))).decode().rstrip("=")


async def _place(backend: Backend, after: str) -> Listed:
    """Return the place that is meant, by a cursor or by the id of a match. Raise InvalidError (field `after`)."""
    if after.startswith(_CURSOR):
        told = after.removeprefix(_CURSOR)
        try:
            return msgspec.json.decode(urlsafe_b64decode(told + "=" * (-len(told) % 4)), type=Listed)
        except ValueError as error:  # binascii's and msgspec's are, too
            raise InvalidError("after is nothing that next has said: begin anew without it", "after") from error
    try:
        match, _ = await backend.match(after)
    except UnknownMatchError as error:
        raise InvalidError("after is the id of no match: begin anew without it", "after") from error
    return listed_at(match)


def _etag(*parts: bytes) -> str:
    told = blake2b(digest_size=12)
    for part in parts:
        told.update(b"%d:" % len(part))
        told.update(part)
    return f'W/"{told.hexdigest()}"'


def _has(request: web.Request, etag: str) -> bool:
    """Tell whether the client says that it has what `etag` names, or that it wants nothing that there is (`*`)."""
    asked = request.if_none_match or ()
    return any(f'W/"{one.value}"' == etag or one.value == "*" for one in asked)


def _not_modified(etag: str) -> web.Response:
    return web.Response(status=304, headers={hdrs.ETAG: etag})

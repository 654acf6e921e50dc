"""The reporter's bearer token (RFC 6750): who has it may write."""

import hmac
from typing import Final

from aiohttp import hdrs, web

from common.http.answers import problem_answer
from common.http.connection import ApiConnection
from common.http.errors import HttpHandler

_SCHEME: Final = "bearer"


def bearer_only(token: str, handler: HttpHandler) -> HttpHandler:
    """Return `handler` behind a check of the token; without the right one it is not called and no body is read."""
    expected = token.encode()

    async def guarded(request: web.Request) -> web.StreamResponse:
        given = _given_token(request)
        if given is None:
            message = "a token is needed: send the header Authorization: Bearer <token>"
            return problem_answer(401, message, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
        # In constant time, so that how long a refusal takes tells nothing about the token.
        if not hmac.compare_digest(given, expected):
            message = "the token is wrong: use the one this server was started with (MATCHSTREAM_TOKEN)"
            return problem_answer(401, message, headers={hdrs.WWW_AUTHENTICATE: 'Bearer error="invalid_token"'})
        if isinstance(request.protocol, ApiConnection):
            request.protocol.is_reporters = True
        return await handler(request)

    return guarded


def _given_token(request: web.Request) -> bytes | None:
    """Return the token a request carries; as bytes, since a header may hold more than ASCII and an attacker's will."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        return None
    return token.strip().encode(errors="surrogateescape")

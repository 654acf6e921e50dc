"""From exceptions to answers: the one place that decides which status a refusal has.

Whoever asks may be a stranger, so an answer says what to do; where the store is, and what is wrong with it, is for the
server's log.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from common.domain.errors import (
    AskerGoneError,
    BadJsonError,
    DomainError,
    KeyReusedError,
    MatchExistsError,
    OutdatedError,
    UnknownMatchError,
)
from common.http.answers import FAILED, problem_answer
from common.http.roles import NotReadyError
from common.http.terms import IDEMPOTENCY_KEY, IF_MATCH, KeyInUseError, TermsError
from common.store.errors import ConflictError, StoreUnavailableError, UnknownOutcomeError, UnreadableRecordError

HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOG = logging.getLogger(__name__)

# All other refusals of the domain are 422: well-formed, understood, and impossible (RFC 9110, 15.5.21).
_STATUS: Final[dict[type[DomainError], int]] = {
    BadJsonError: 400,
    UnknownMatchError: 404,
    MatchExistsError: 409,
    OutdatedError: 412,
    TermsError: 400,
    KeyInUseError: 409,
    AskerGoneError: 408,
}
_HEADER: Final[dict[type[DomainError], str]] = {KeyReusedError: IDEMPOTENCY_KEY, OutdatedError: IF_MATCH}
"""What a reporter calls the field that is wrong where the domain does not know its name."""

_WAIT: Final = {"Retry-After": "1"}
"""What tells a client that it is to ask again, and after how many seconds."""


@web.middleware
async def problems_as_json(request: web.Request, handler: HttpHandler) -> web.StreamResponse:
    """Answer with JSON that says what to do whatever the handler raises; what nobody foresaw is logged and is a 500."""
    try:
        return await handler(request)
    except DomainError as error:
        headers = _WAIT if isinstance(error, KeyInUseError) else None
        field = error.field or _HEADER.get(type(error))
        return problem_answer(_STATUS.get(type(error), 422), error.message, field, headers)
    except ConflictError as error:
        message = str(error) or "the match moved on meanwhile: read it before you post again"
        return problem_answer(409, message, headers=_WAIT)
    except (NotReadyError, StoreUnavailableError) as error:
        return problem_answer(503, _why_not_now(request, error), headers=_WAIT)
    except web.HTTPException as error:
        return _from_aiohttp(request, error)
    except Exception as error:
        return problem_answer(500, _failure(request, error))


def _failure(request: web.Request, error: Exception) -> str:
    """Return what to say of a failure of the server itself."""
    if isinstance(error, UnreadableRecordError):  # the store has told the log what is wrong with it
        return str(error)
    _LOG.error("%s %s failed", request.method, request.rel_url.raw_path, exc_info=error)
    return FAILED


def _why_not_now(request: web.Request, error: NotReadyError | StoreUnavailableError) -> str:
    """Return what a 503 says: what is missing is no stranger's affair, but what to do is."""
    if isinstance(error, NotReadyError):
        return f"{error}; try again"
    return f"the server cannot reach its store now; {_how_to_retry(request, error)}"


def _how_to_retry(request: web.Request, error: StoreUnavailableError) -> str:
    """Return what to do when the store failed; a write that may have been made needs a key to be asked for again."""
    if request.method in {"GET", "HEAD"}:
        return "try again"
    if not isinstance(error, UnknownOutcomeError):
        return "nothing was changed: try again"
    if IDEMPOTENCY_KEY in request.headers:
        return f"it may have been done: ask again under the same {IDEMPOTENCY_KEY}"
    return f"it may have been done: read the match before you ask again, or use an {IDEMPOTENCY_KEY}"


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    """Return what aiohttp itself refuses (path, method, size) in this API's form, with its headers."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem_answer(405, f"{request.method} is not possible here: use {allowed}", headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        return problem_answer(404, "nothing is at this path: GET /1/openapi.json lists what there is")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return problem_answer(413, f"the body is too large: send at most {request.client_max_size} bytes")
    if isinstance(error, web.HTTPRequestTimeout):
        answer = problem_answer(408, error.text or error.reason)
        answer.force_close()  # nobody knows where the next request would begin
        return answer
    return problem_answer(error.status, error.reason)

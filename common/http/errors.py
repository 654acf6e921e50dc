"""From exceptions to answers: the one place that decides which status a refusal has."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from common.domain.errors import BadJsonError, DomainError, MatchExistsError, UnknownMatchError
from common.http.answers import FAILED, problem_answer
from common.http.roles import NotReadyError
from common.store.errors import ConflictError, StoreUnavailableError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOG = logging.getLogger(__name__)

# All other refusals of the domain are 422: well-formed, understood, and impossible (RFC 9110, 15.5.21).
_STATUS: Final[dict[type[DomainError], int]] = {BadJsonError: 400, UnknownMatchError: 404, MatchExistsError: 409}
_RETRY_AFTER_SECONDS: Final = "1"


@web.middleware
async def problems_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with JSON that says what to do whatever the handler raises; what nobody foresaw is logged and is a 500."""
    try:
        return await handler(request)
    except DomainError as error:
        return problem_answer(_STATUS.get(type(error), 422), error.message, error.field)
    except ConflictError as error:
        return problem_answer(409, _told(error, "the match moved on meanwhile: read it before you post again"))
    except (StoreUnavailableError, NotReadyError) as error:
        message = f"{_told(error, 'the store does not answer')}; {_how_to_retry(request)}"
        return problem_answer(503, message, headers={"Retry-After": _RETRY_AFTER_SECONDS})
    except web.HTTPException as error:
        return _from_aiohttp(request, error)
    except Exception:
        _LOG.exception("%s %s failed", request.method, request.rel_url.raw_path)
        return problem_answer(500, FAILED)


def _told(error: Exception, otherwise: str) -> str:
    return str(error) or otherwise


def _how_to_retry(request: web.Request) -> str:
    """Return what to do when the store failed: a POST may have taken effect, all else can be repeated as it was."""
    return "read the match to see whether this counted, then try again" if request.method == "POST" else "try again"


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

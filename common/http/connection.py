"""A connection to the API: aiohttp's own, but nobody may take all day over it, nor all of the connections.

What it must guarantee:

* Whatever a client does or leaves undone, its connection ends: by the deadline of the part of a request that it is at.
* A new client gets in however many are there, as long as any of them could go: those without a request under way, the
  one that has waited longest first; then those who do not take their answer; then those on which a reporter with the
  right token has written, between two requests. A request that is being read or answered is never cut off for it.
* It costs a request two timers that are set and cancelled.

aiohttp itself limits none of these but the time between two requests, and would let partial heads pass as that.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from common.http.answers import FAILED, Problem, allow_any_origin, problem_answer
from common.http.limits import Limits

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 0.01
"""The pause between two looks whether the last request has ended."""
_HEAD_BYTES: Final = 32 * 1024
"""The size of a head; aiohttp would take 128 fields of 8 KiB. Browsers and proxies send some two kilobytes."""


class _Phase(Enum):
    """Where a connection is: nothing was said; a head is coming in; a request is answered; nothing is to follow."""

    QUIET = auto()
    HEAD = auto()
    ANSWER = auto()
    OVER = auto()


class Crowd:
    """The connections of an API, of which there are at most `limits.connections`.

    Those who come when files are nearly used up, whose socket has the number `last_file` or a higher one, have somebody
    give way as well (the kernel gives the lowest that is free: open(2)).
    """

    def __init__(self, limits: Limits, last_file: int) -> None:
        self.limits = limits
        self._last_file = last_file
        self._present: set[ApiConnection] = set()
        # In the order in which they give way: strangers who wait, those who do not read, reporters who wait.
        self._waiting: dict[ApiConnection, None] = {}
        self._stalled: dict[ApiConnection, None] = {}
        self._reporters: dict[ApiConnection, None] = {}

    def enter(self, new: "ApiConnection", file: int) -> bool:
        """Take in a connection; return False if there is no room, and nobody who could make some."""
        is_full = len(self._present) >= self.limits.connections
        if is_full or file >= self._last_file:
            goes = next((one for group in (self._waiting, self._stalled, self._reporters) for one in group), None)
            if goes is not None:
                goes.give_way()
            elif is_full:
                return False
        self._present.add(new)
        self._waiting[new] = None
        return True

    def waits(self, one: "ApiConnection") -> None:
        """Note that a connection has no request under way, from now on."""
        self.is_busy(one)
        if one in self._present:
            (self._reporters if one.is_reporters else self._waiting)[one] = None

    def stalls(self, one: "ApiConnection") -> None:
        """Note that a client does not take its answer."""
        if one in self._present:
            self._stalled[one] = None

    def is_busy(self, one: "ApiConnection") -> None:
        """Note that a request is under way, or that its client reads on."""
        for group in (self._waiting, self._stalled, self._reporters):
            group.pop(one, None)

    def leaves(self, one: "ApiConnection") -> None:
        """Count a connection no more; nothing if it has left."""
        self.is_busy(one)
        self._present.discard(one)


class ApiConnection(web.RequestHandler):
    """aiohttp's request handler under `Limits`. What is no HTTP at all is refused in JSON too, without a traceback."""

    __slots__ = ("_crowd", "_head_bytes", "_limits", "_phase", "_timer", "_wire", "is_reporters")

    _wire: asyncio.Transport

    def __init__(self, manager: web.Server, crowd: Crowd, **aiohttps: Any) -> None:
        super().__init__(manager, lingering_time=crowd.limits.linger_s, **aiohttps)
        self._crowd = crowd
        self._limits = crowd.limits
        self._timer: asyncio.TimerHandle | None = None
        self._phase = _Phase.QUIET
        self._head_bytes = 0
        self.is_reporters = False
        """Whether somebody has written over it who has the token."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request; make room for the connection, or refuse it."""
        super().connection_made(transport)
        assert self.transport is not None  # noqa: S101  # it has just been set
        self._wire = self.transport
        if self._crowd.enter(self, transport.get_extra_info("socket").fileno()):
            self._expect(self._limits.head_s, self._too_slow)
        else:
            self._refuse(503, "all connections of this server are in use: try again", "Retry-After: 1\r\n")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._crowd.leaves(self)
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. The head of a request has its time from the first byte, however it goes on, and its size."""
        if data and self._phase is _Phase.QUIET:
            self._phase = _Phase.HEAD
            self._head_bytes = 0
            self._expect(self._limits.head_s, self._too_slow)
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._phase = _Phase.ANSWER
            self._crowd.is_busy(self)
            self._expect_nothing()
        elif self._phase is _Phase.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self._refuse(431, f"the head of the request is too large: send at most {_HEAD_BYTES} bytes")

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer to its end; then wait for the next request, unless it is here already."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self.transport is not None and not self._messages:
                # What still comes of a request that was refused begins no other.
                goes_on = bool(resp.keep_alive) and request.content.is_eof()
                self._phase = _Phase.QUIET if goes_on else _Phase.OVER
                self._crowd.waits(self)
                self._expect(self._limits.idle_s if goes_on else self._limits.write_s, self.give_way)

    def pause_writing(self) -> None:
        """Give a client that is behind with reading its time to catch up."""
        super().pause_writing()
        self._crowd.stalls(self)
        self._expect(self._limits.write_s, self.give_way)

    def resume_writing(self) -> None:
        """Go on: it has caught up."""
        super().resume_writing()
        self._crowd.is_busy(self)
        self._expect_nothing()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  # aiohttp's
        """End in order: a request under way has `timeout` seconds, and then as many to see that it is cut off.

        aiohttp waits on a future, which is cancelled when the time is up and set when the request ends: both at once is
        an error in its log, though nothing is wrong.
        """
        self._force_close = True  # what is answered now is the last
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._request_in_progress:  # noqa: ASYNC110  # aiohttp tells of its end in no other way
                    await asyncio.sleep(_LOOK_S)
        self._request_in_progress = False
        await super().shutdown(timeout)

    def give_way(self) -> None:
        """Close the connection at once, and what it has not taken is lost."""
        self._crowd.leaves(self)
        self._wire.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what no handler could; only what is our own fault is an error in the log."""
        is_ours = status >= 500
        level = logging.ERROR if is_ours else logging.DEBUG
        _LOG.log(level, "cannot answer %s with more than %d", request.remote, status, exc_info=exc)
        answer = problem_answer(status, FAILED if is_ours else "this is not HTTP that can be read: send HTTP/1.1")
        allow_any_origin(answer)
        answer.force_close()
        return answer

    def _expect(self, within_s: float, otherwise: Callable[[], None]) -> None:
        self._expect_nothing()
        self._timer = self._loop.call_later(within_s, otherwise)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if self._phase is _Phase.HEAD:
            self._refuse(408, f"the request did not come within {self._limits.head_s:g} s: send it at once")
        else:
            self.give_way()  # nothing was asked, so there is nothing to be answered

    def _refuse(self, status: int, message: str, header: str = "") -> None:
        """Answer where there is no request for aiohttp to answer, and close."""
        body = msgspec.json.encode(Problem(message))
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\nAccess-Control-Allow-Origin: *\r\n{header}\r\n"
        )
        self._phase = _Phase.OVER
        self._wire.write(head.encode() + body)
        self._crowd.leaves(self)
        self.force_close()
        self._expect(self._limits.linger_s, self._wire.abort)  # whoever does not take it

"""Answers of HTTP/1.x: the head of one, and the bodies of all fans without their transfer coding, read by h11.

An object of h11 takes some kilobytes and microseconds, too much for every fan and every receipt. But between two chunks
of a chunked body nothing is left to know, and in one that lasts as long as its connection never, so bodies there are
all alike. One `Body` that is there reads for all the fans whose bodies are there as well; only a fan whose body stands
in the middle of a chunk, or is unlike the others', has one of its own. And what most fans get is what the fan before
got: that is remembered, and not read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import h11

from harness.load.protocols.reader import UnreadableError

_REQUEST: Final = h11.Request(method="GET", target="/", headers=[("Host", "h")])


class Framing(Enum):
    """How the end of a body is told (RFC 9112, section 6.3)."""

    CHUNKED = auto()
    LENGTH = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer, after any that are informational. `raw` is all of it, `rest` what came after it."""

    raw: bytes
    rest: bytes
    status: int
    reason: str
    framing: Framing
    is_event_stream: bool


def read_head(said: bytes) -> Head | None:
    """Return the head with which an answer begins, or None while it is cut off. Raise UnreadableError."""
    http = _client()
    http.receive_data(said)
    response = _response(http)
    if response is None:
        return None
    rest = http.trailing_data[0]
    headers = dict(response.headers)
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return Head(
        raw=said[: len(said) - len(rest)],
        rest=rest,
        status=response.status_code,
        reason=response.reason.decode("latin-1"),
        framing=_framing(headers),
        is_event_stream=kind == b"text/event-stream",
    )


class Body:
    """The body that follows a head, from its first byte."""

    __slots__ = ("_after_chunk", "_http", "framing", "is_over")

    def __init__(self, head: Head) -> None:
        self.framing = head.framing
        self.is_over = False
        self._http = _client()
        self._http.receive_data(head.raw)
        _response(self._http)
        self._after_chunk = 2  # bytes read since the last chunk's data ended, or the head: its line end is there

    @property
    def is_between_chunks(self) -> bool:
        """Whether a body is, of which nothing else is to know. One that has no chunks always is."""
        return not self.is_over and (self._after_chunk == 2 or self.framing is not Framing.CHUNKED)

    def read(self, data: bytes) -> bytes:
        """Return what `data` adds to the body; nothing comes after its end. Raise UnreadableError."""
        if self.is_over or not data:  # for h11, nothing would be the end of the connection
            return b""
        if self.framing is Framing.CLOSE:
            return data  # nothing is put around it
        self._http.receive_data(data)
        self._after_chunk += len(data)
        parts = []
        try:
            while isinstance(event := self._http.next_event(), h11.Data):
                parts.append(event.data)
                if event.chunk_end:
                    self._after_chunk = len(self._http.trailing_data[0])
        except h11.RemoteProtocolError as error:
            raise UnreadableError(f"sends a body that is no HTTP: {error}") from None
        self.is_over = isinstance(event, h11.EndOfMessage)
        return b"".join(parts)


class Bodies:
    """The bodies of all fans' answers; `forget` those of fans who are gone."""

    __slots__ = ("_last", "_last_over", "_last_text", "_own", "_spare", "_usual")

    def __init__(self) -> None:
        self._usual: Head | None = None
        self._spare: Body | None = None  # it is between chunks
        self._own: dict[int, Body] = {}
        self._last = self._last_text = b""
        self._last_over: Body | None = None

    def begin(self, fan: int, head: Head) -> None:
        """Have the body of a fan begin, after this head."""
        if self._usual is None and head.framing is not Framing.LENGTH:
            self._usual = head
        if self._usual is None or head.framing is not self._usual.framing:
            self._own[fan] = Body(head)

    def read(self, fan: int, data: bytes) -> bytes:
        """Return what `data` adds to the fan's body. Raise UnreadableError."""
        if data == self._last and fan not in self._own:
            if self._last_over is not None:
                self._own[fan] = self._last_over
            return self._last_text
        body = self._own.pop(fan, None)
        is_shared = body is None
        if body is None:
            body = self._take_spare()
        text = body.read(data)
        is_alike = body.is_between_chunks and self._usual is not None and body.framing is self._usual.framing
        if is_alike:
            self._spare = body
        else:
            self._own[fan] = body
        if is_shared and (is_alike or body.is_over):
            self._last, self._last_text, self._last_over = data, text, body if body.is_over else None
        return text

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more."""
        self._own.pop(fan, None)

    def _take_spare(self) -> Body:
        spare, self._spare = self._spare, None
        if spare is None:
            assert self._usual is not None  # noqa: S101 -- nobody reads before `begin`; this tells the type checker
            spare = Body(self._usual)
        return spare


def _client() -> h11.Connection:
    """Return a connection that has asked, and waits for the answer."""
    http = h11.Connection(h11.CLIENT)
    http.send(_REQUEST)
    http.send(h11.EndOfMessage())
    return http


def _response(http: h11.Connection) -> h11.Response | None:
    """Return the response whose head is there, or None. Raise UnreadableError."""
    try:
        while isinstance(event := http.next_event(), h11.InformationalResponse):
            pass
    except h11.RemoteProtocolError as error:
        raise UnreadableError(f"speaks no HTTP: {error}") from None
    return event if isinstance(event, h11.Response) else None


def _framing(headers: dict[bytes, bytes]) -> Framing:
    if b"transfer-encoding" in headers:  # h11 takes no other coding than chunked
        return Framing.CHUNKED
    return Framing.LENGTH if b"content-length" in headers else Framing.CLOSE

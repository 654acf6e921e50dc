"""The head of a request of HTTP/1.0 or 1.1 (RFC 9112), in pieces, as it may come from anybody.

It is read by httptools, which is llhttp, Node's parser, in C: with the 15 headers that a browser sends in 4 µs, where
h11 took 35. Nobody is let in whom a proxy may have read otherwise. llhttp's own leniencies are off, so it refuses what
h11 took and nobody needs: bare line feeds, folded lines, control characters in values, a Content-Length twice or beside
a coding. What it takes all the same is refused here: more than one space in the request line, an empty line before it,
other versions than 1.0 and 1.1, other protocols, a second Host or none (section 3.2), other codings than chunked.

What must hold: a head takes MOST_HEAD bytes at most, and is the same however it is cut into pieces; what follows it, a
body or another request, is no part of it, whatever it is.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

MOST_HEAD: Final = 8192
"""Bytes of a request up to the empty line."""

_LINE: Final = re.compile(rb"([^ \r\n]+) ([^ \r\n]+) HTTP/1\.([01])\r\n")
"""The request line. Which methods there are, and what may stand in a target, llhttp has seen to."""
_OLD: Final = b"0"
_ONCE: Final = frozenset({b"host", b"transfer-encoding"})
_OWS: Final = b" \t"


class NoRequestError(Exception):
    """What came is no request."""


class TooLongError(Exception):
    """The head does not end within MOST_HEAD bytes."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """What a head says: names of headers are in small letters, values without the space around them."""

    method: bytes
    target: bytes
    is_old: bool
    """Whether it is of HTTP/1.0."""
    headers: list[tuple[bytes, bytes]]
    last: dict[bytes, bytes]
    """Of each header the last value."""


class HeadReader:
    """Reads one head. After that, or an error, it is done."""

    __slots__ = ("_parser", "_said", "_told")

    def __init__(self) -> None:
        self._said = b""
        self._told = _Told()
        self._parser = HttpRequestParser(self._told)

    def read(self, data: bytes) -> Request | None:
        """Return the request once its head is complete. Raise NoRequestError, TooLongError."""
        within = data[: MOST_HEAD - len(self._said)]
        self._said += within
        told = self._told
        try:
            self._parser.feed_data(within)
        except (HttpParserError, HttpParserUpgrade):
            if told.headers is None:  # else it is about what follows
                raise NoRequestError from None
        if told.headers is not None:
            return _request(self._said, told.headers)
        if len(within) < len(data):
            raise TooLongError
        return None


def _request(said: bytes, headers: list[tuple[bytes, bytes]]) -> Request:
    line = _LINE.match(said)
    if line is None:
        raise NoRequestError
    method, target, minor = line.groups()
    last = dict(headers)
    if (
        (b"host" not in last and minor != _OLD)
        or (b"transfer-encoding" in last and last[b"transfer-encoding"].lower() != b"chunked")
        or (len(last) < len(headers) and _has_twice(headers))
    ):
        raise NoRequestError
    return Request(method, target, minor == _OLD, headers, last)


def _has_twice(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether there is twice what may be there once."""
    names = [name for name, _ in headers if name in _ONCE]
    return len(names) > len(set(names))


class _Told:
    """What the parser has told of a head; what it tells of what follows is passed over."""

    __slots__ = ("_telling", "headers")

    def __init__(self) -> None:
        self._telling: list[tuple[bytes, bytes]] = []
        self.headers: list[tuple[bytes, bytes]] | None = None
        """All of them, once the head is complete."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header."""
        self._telling.append((name.lower(), value.strip(_OWS)))

    def on_headers_complete(self) -> None:
        """Take note that these were all."""
        if self.headers is None:
            self.headers, self._telling = self._telling, []

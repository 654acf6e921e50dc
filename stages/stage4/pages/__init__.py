"""The page of a match, for browsers: what stands beside this file, as it is sent. There is no build step.

    GET /match/<id>      at the port for browsers (`stages.stage4.http_front`)

The page asks for nothing from elsewhere, and its policy (Content-Security-Policy) allows nothing else: no script but
the one beside it, and none in the page. It watches by server-sent events (`stages.stage4.event_source`).
"""

from __future__ import annotations

import re
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = MappingProxyType(
    {"match.html": "text/html", "match.css": "text/css", "match.js": "text/javascript"},
)
_PAGE: Final = re.compile("/match/[^/]+")
"""What the id is, only the page's script looks at."""


class File(NamedTuple):
    """A file as it is sent: the lines of its head, and its bytes."""

    headers: tuple[str, ...]
    body: bytes


def read_pages() -> Mapping[str, File]:
    """Return all files, by their names."""
    return {name: _read(name, media_type) for name, media_type in _TYPES.items()}


def file_at(path: str) -> str | None:
    """Return which file is meant by the path of a request; None if none is."""
    if _PAGE.fullmatch(path):
        return "match.html"
    name = path.removeprefix("/")
    return name if name in _TYPES and name != "match.html" else None


def _read(name: str, media_type: str) -> File:
    body = resources.files(__package__).joinpath(name).read_bytes()
    headers = (
        f"Content-Type: {media_type}; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"Content-Security-Policy: {POLICY}",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-cache",
        "Connection: close",
    )
    return File(headers, body)

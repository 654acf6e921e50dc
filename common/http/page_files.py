"""Files of pages as they are sent, and the headers that keep a page to itself. There is no build step.

A page asks for nothing from elsewhere, and its policy (Content-Security-Policy) allows nothing else: no script but
those in files beside it, and none in the page. Of whoever sends files this knows nothing: the port for browsers of
stage 4 and the API both do.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import PurePath
from types import MappingProxyType
from typing import Final, NamedTuple

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = MappingProxyType({".html": "text/html", ".css": "text/css", ".js": "text/javascript"})
"""What a file is, by how its name ends; what ends otherwise is none of a page."""


class File(NamedTuple):
    """A file as it is sent: its headers but for those of the connection, and its bytes."""

    headers: Mapping[str, str]
    body: bytes


def read_files(package: str) -> Mapping[str, File]:
    """Return all files of pages that stand beside the code of `package`, by their names."""
    beside = ((PurePath(found.name), found) for found in resources.files(package).iterdir())
    return MappingProxyType(
        {path.name: _file(_TYPES[path.suffix], found.read_bytes()) for path, found in beside if path.suffix in _TYPES}
    )


def _file(media_type: str, body: bytes) -> File:
    headers = {
        "Content-Type": f"{media_type}; charset=utf-8",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return File(MappingProxyType(headers), body)

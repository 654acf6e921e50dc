"""The page of a match, for browsers: what stands beside this file, as it is sent (`common.http.page_files`).

    GET /match/<id>      at the port for browsers (`stages.stage4.http_front`)

It watches by server-sent events (`stages.stage4.event_source`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from common.http import site
from common.http.page_files import read_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from common.http.page_files import File

_HTML: Final = "match.html"
_TELLING: Final = "telling.js"
"""Shared with the pages of the API, which has it at the same path."""
_PAGE: Final = re.compile("/match/[^/]+")
"""What the id is, only the page's script looks at."""


class Pages:
    """What can be asked for: the page of a match, and what belongs to it."""

    def __init__(self) -> None:
        files = dict(read_files(__package__))
        self._page = files.pop(_HTML)
        self._others: Mapping[str, File] = {
            **{f"/{name}": file for name, file in files.items()},
            site.path_of(_TELLING): read_files(site.__name__)[_TELLING],
        }

    def file_at(self, path: str) -> File | None:
        """Return the file that is meant by the path of a request; None if none is."""
        return self._page if _PAGE.fullmatch(path) else self._others.get(path)

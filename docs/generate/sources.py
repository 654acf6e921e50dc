"""Texts of the repository as pages of the site: README, runbook and others are included where they stand, not copied.

A page says `<!-- include deploy/RUNBOOK.md -->`. Links, of pages and of what they include, are those of the repository,
so that they work where that is read, too: they lead to the page that is or has the text, or to a page that shows the
file (`code/…`), or to the file itself where it is a picture. What a page has filled in (`<!-- figures -->`) loses its
marks.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docs.generate.markdown import page

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = frozenset({".png", ".svg"})

PAGES: Final = "docs/pages/"

_INCLUDE: Final = re.compile(r"^<!-- include (\S+) -->$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^<!--[^\n]*?-->\n|<!--.*?-->", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\[(?P<says>[^\]]*)\]\((?P<to>[^)\s#]*)(?P<at>#[^)\s]*)?\)")
_LANGUAGES: Final = {".py": "python", ".toml": "toml", ".json": "json", ".c": "c", ".js": "javascript", ".cfg": "text"}


class SourceError(Exception):
    """What a page includes, or a text links to, is not in the repository; the message says what and where."""


@dataclass(slots=True)
class Sources:
    """The texts that pages include. `whole` says by the path of a file which page is that file.

    `shown` are the files that something links to and that no page includes: the site has to show them, too.
    """

    whole: Mapping[str, str]
    shown: set[str] = field(default_factory=set)

    def expand(self, uri: str, text: str) -> str:
        """Return a page with what it includes. Raise SourceError."""
        parts = _INCLUDE.split(text)  # what it says itself, then a path, then what it says itself, and so on
        own = (self._linked(uri, PAGES + uri, part) for part in parts[::2])
        included = (self._linked(uri, path, _read(path)) for path in parts[1::2])
        return "".join(part for pair in itertools.zip_longest(own, included, fillvalue="") for part in pair)

    def link(self, uri: str, path: str) -> str:
        """Return the address of a file of the repository, as a page links to it. Raise SourceError."""
        if path.startswith(PAGES):
            return relative(path.removeprefix(PAGES), uri)
        if path in self.whole:
            return relative(self.whole[path], uri)
        if not (ROOT / path).is_file():
            raise SourceError(f"{uri} leads to {path}, and there is no such file")
        self.shown.add(path)
        return relative(place_of(path), uri)

    def _linked(self, uri: str, path: str, text: str) -> str:
        """Return a text of the file at `path` with its links made such that they work on the page."""

        def lead(found: re.Match[str]) -> str:
            says, to, at = found["says"], found["to"], found["at"] or ""
            if ":" in to or not to:
                return found[0]  # of another host, or of the page itself
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
            if (ROOT / target).is_dir():
                readable = (f"{target}/{name}" for name in ("README.md", "__init__.py"))
                target = next((file for file in readable if (ROOT / file).is_file()), "")
            if not target:
                return says  # a directory of which there is nothing to read
            return f"[{says}]({self.link(uri, target)}{at})"

        return _LINK.sub(lead, _COMMENT.sub("", text))


def relative(uri: str, page_uri: str) -> str:
    """Return the way from one page to another, or to a file of the site."""
    return posixpath.relpath(uri, posixpath.dirname(page_uri) or ".")


def place_of(path: str) -> str:
    """Return where the site has a file of the repository: a picture as it is, a text on a page."""
    return f"files/{path}" if Path(path).suffix in PICTURES else f"code/{path}.md"


def file_page(path: str) -> str:
    """Return the page that shows a text file of the repository."""
    text = (ROOT / path).read_text()
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    language = _LANGUAGES.get(Path(path).suffix, "text")
    return page(path, f"# {path}\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n", searched=False)


def _read(path: str) -> str:
    try:
        return (ROOT / path).read_text()
    except OSError as error:
        raise SourceError(f"{path} cannot be included: {error.strerror}") from error

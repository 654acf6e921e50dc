"""Texts of the repository as parts of the site: README, runbook and others are included where they stand, not copied.

A page says `<!-- include deploy/RUNBOOK.md -->` for a whole file, `<!-- include README.md: Nodes -->` for the section
under that heading, and `… README.md: Match Stream Lab, alone -->` for one without the sections below it, and without
the figures (`<!-- figures -->`). The heading of a section becomes one of the second level. Links in what is included
are those of the repository: they lead to the page that has the text, or to a page that shows the file (`code/…`), or to
the file itself where it is a picture. A page's own link to a file is `[…](repo:PATH)`.
"""

from __future__ import annotations

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

_INCLUDE: Final = re.compile(
    r"^<!-- include (?P<path>[^:\s]+)(?:: (?P<heading>.+?)(?P<alone>, alone)?)? -->$", re.MULTILINE
)
_HEADING: Final = re.compile(r"(#{1,6}) (.+)")
_COMMENT: Final = re.compile(r"^<!--[^\n]*?-->\n|<!--.*?-->", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\[(?P<says>[^\]]*)\]\((?P<to>[^)\s#]*)(?P<at>#[^)\s]*)?\)")
_FIGURES: Final = "<!-- figures -->"
_FILE_LINK: Final = re.compile(r"\]\(repo:([^)\s]+)\)")
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
    _pages_of: dict[str, str] = field(default_factory=dict)

    def learn(self, uri: str, text: str) -> None:
        """Take note of the headings that a page includes, for links that lead to them."""
        for found in _INCLUDE.finditer(text):
            for line in _included(found).split("\n"):
                if heading := _HEADING.fullmatch(line):
                    self._pages_of.setdefault(f"{found['path']}#{slug(heading[2])}", uri)

    def expand(self, uri: str, text: str) -> str:
        """Return a page with what it includes. Raise SourceError."""
        included = _INCLUDE.sub(lambda found: self._linked(uri, found["path"], _included(found)), text)
        return _FILE_LINK.sub(lambda found: f"]({self.link(uri, found[1])})", included)

    def link(self, uri: str, path: str) -> str:
        """Return the address of a file of the repository, as a page links to it. Raise SourceError."""
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
            if ":" in to:
                return found[0]  # of another host
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), to)) if to else path
            if (ROOT / target).is_dir():
                readable = (f"{target}/{name}" for name in ("README.md", "__init__.py"))
                target = next((file for file in readable if (ROOT / file).is_file()), "")
            if not target:
                return says  # a directory of which there is nothing to read
            known = self._pages_of.get(f"{target}{at}")
            return f"[{says}]({relative(known, uri) if known else self.link(uri, target)}{at})"

        return _LINK.sub(lead, _COMMENT.sub("", text))


def slug(heading: str) -> str:
    """Return the anchor of a heading, as the site and code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


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


def _included(found: re.Match[str]) -> str:
    path, heading = found["path"], found["heading"]
    try:
        text = (ROOT / path).read_text()
    except OSError as error:
        raise SourceError(f"{path} cannot be included: {error.strerror}") from error
    return text if heading is None else _section(path, text, heading, alone=found["alone"] is not None)


def _section(path: str, text: str, wanted: str, *, alone: bool) -> str:
    taken: list[str] = []
    level = 0
    for line in text.split("\n"):
        heading = _HEADING.fullmatch(line)
        if level and alone and (heading or line == _FIGURES):
            break
        if heading and level and len(heading[1]) <= level:
            break
        if heading and heading[2] == wanted:
            level = len(heading[1])
        if level:
            taken.append(line[max(level - 2, 0) :] if heading else line)
    if not taken:
        raise SourceError(f"{path} has no heading {wanted!r}")
    return "\n".join(taken) + "\n"

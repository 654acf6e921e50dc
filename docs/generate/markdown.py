"""Pieces of Markdown, as the site's pages have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a blank line behind it; nothing where it has no rows. A cell is Markdown, on one line."""
    lines = [[_cell(cell) for cell in row] for row in rows]
    if not lines:
        return ""
    ruled = (heads, ["---"] * len(heads), *lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in ruled) + "\n"


def code(text: str) -> str:
    """Return a text as code within a line; nothing for nothing."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}" if text else ""


def plain(text: str) -> str:
    """Return a text that is no Markdown such that it is shown as it is; what stands between backticks is code."""
    return "".join(
        part if part.startswith("`") else re.sub(r"([\\*_<>\[\]{}#|])", r"\\\1", part)
        for part in re.split(r"(`[^`]+`)", text)
    )


def page(title: str, text: str, *, searched: bool = True) -> str:
    """Return a page with its title; what is not `searched` is found by links alone."""
    found = "" if searched else "search:\n  exclude: true\n"
    return f'---\ntitle: "{title}"\n{found}---\n\n{text}'


def _cell(text: str) -> str:
    """Return a cell: what would end it is escaped, but for code, in which nothing is."""
    parts = re.split(r"(`+[^`]+`+)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else re.sub(r"(?<!\\)\|", r"\|", part) for part in parts)

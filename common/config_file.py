"""A file of settings in TOML: each with the line that it stands in, and what is wrong in it, by line.

A file is flat: settings, and no tables. `tomllib` says of no value where it stood, and ends at the first fault, so the
text is read a statement at a time, where a statement is the fewest whole lines that are TOML by themselves: one, or as
many as a list or a string goes on for. Who would read a key's line out of the text alone finds it in strings and
comments, too. (tomlkit keeps comments, for who writes a file anew; of lines it says as little.)
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MOST_BYTES: Final = 65_536
"""Of a file: what is larger is none of settings."""

_AT: Final = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)")
"""How tomllib ends what it says of a fault."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting as it stands in the file: `value` as TOML has it, `line` from 1."""

    key: str
    value: object
    line: int


class Fault(NamedTuple):
    """What is wrong in a line, from 1, or in the file as such (0), and what to do."""

    line: int
    message: str


class Parsed(NamedTuple):
    """What could be read of a file, in its order, and what is wrong in it."""

    entries: Sequence[Entry]
    faults: Sequence[Fault]


class ConfigFileError(Exception):
    """A file cannot be read at all; the message says why, without the file's name."""


def read_text(path: Path) -> str:
    """Return the text of a file. Raise ConfigFileError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigFileError(f"cannot be read: {error.strerror}; give a file of settings") from error
    if len(content) > MOST_BYTES:
        raise ConfigFileError(f"has more than {MOST_BYTES:,} bytes: give a file of settings")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigFileError(f"is no text in UTF-8 (line {line}): save it as such") from error


def parse(text: str) -> Parsed:
    """Return what stands in a text, and all that makes it no flat file of settings. It never raises.

    Where TOML itself ends, nothing below is read. A key that stands twice is the first one, and a fault.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    entries: dict[str, Entry] = {}
    faults = []
    start = 0
    while start < len(lines):
        try:
            found, end = _statement(lines, start)
        except tomllib.TOMLDecodeError as error:
            faults.append(_of_toml(error, start))
            break
        line, start = start + 1, end
        if lines[line - 1].lstrip().startswith("["):
            faults.append(Fault(line, "settings stand in no table: leave this line out"))
            continue
        for key, value in found.items():
            if key in entries:
                faults.append(Fault(line, f"{key} stands in line {entries[key].line} already: leave one of them out"))
            else:
                entries[key] = Entry(key, value, line)
    return Parsed(tuple(entries.values()), faults)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` with what is known and most like a word, or nothing where nothing is."""
    found = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _statement(lines: Sequence[str], start: int) -> tuple[dict[str, object], int]:
    """Return the statement that begins in line `start` (from 0), and where the next begins. Raise TOMLDecodeError."""
    for end in range(start + 1, len(lines) + 1):
        try:
            return tomllib.loads("\n".join(lines[start:end])), end
        except tomllib.TOMLDecodeError as error:
            at = _AT.search(str(error))
            if end == len(lines) or (at and at["line"]):  # else it may go on in the next line
                raise
    raise AssertionError("there is a line to begin with")


def _of_toml(error: tomllib.TOMLDecodeError, start: int) -> Fault:
    at, said = _AT.search(str(error)), _AT.sub("", str(error))
    if at is None or at["line"] is None:
        return Fault(start + 1, f"this is no TOML: {said}, up to the end of the file")
    return Fault(start + int(at["line"]), f"this is no TOML: {said}")

"""The files of `deploy/`, as they are, or with a test's own addresses and paths in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPLOY: Final = Path(__file__).parents[2] / "deploy"


class Setting(NamedTuple):
    """A line of a unit, and the section that it stands in."""

    section: str
    name: str
    value: str


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Return the text with every key in it replaced; each has to be there, or the test tries something else."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def unit_settings(text: str) -> list[Setting]:
    """Return the settings of a unit (systemd.syntax(7)) in their order; a name may come more than once."""
    found, section = [], ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif line and not line.startswith("#"):
            name, is_there, value = line.partition("=")
            assert is_there, line
            found.append(Setting(section, name, value))
    return found


def environment_file(text: str) -> dict[str, str]:
    """Return the variables of an environment file (systemd.exec(5)); none may have a comment behind it."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, is_there, value = line.partition("=")
            assert is_there, line
            assert not re.search(r"[\s#]", line), f"systemd takes all of it for the value: {line}"
            found[name] = value
    return found

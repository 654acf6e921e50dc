"""The commands that a page prints, and whether this project's programs take them."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import TYPE_CHECKING, Final

import typer
from typer.main import get_command

import harness.cli
import stages.cli
from harness.trial.figures.slo import parse_slo
from stages.catalogue import find_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

COMMANDS_OF: Final = {"matchstream": get_command(stages.cli.app), "harness": get_command(harness.cli.app)}


def blocks(page: Path) -> Iterator[list[str]]:
    """Return the indented blocks of a page, with lines that go on put together."""
    lines = page.read_text().splitlines()
    for is_block, block in itertools.groupby(lines, lambda line: line.startswith("    ")):
        if is_block:
            yield re.sub(r"\\\n\s*", "", "\n".join(line[4:] for line in block)).splitlines()


def words_of(line: str) -> list[str]:
    """Return a command's words without its comment, where its output goes, and the brackets of what is optional."""
    words = shlex.split(line, comments=True)
    if ">" in words:
        words = words[: words.index(">")]
    return [word.removeprefix("[") if word.startswith("[--") else word.removesuffix("]") for word in words]


def assert_is_taken(words: Sequence[str]) -> None:
    """Fail if the program that the first word names does not take the others."""
    program, name, *options = words
    called = typer.Context(COMMANDS_OF[program], info_name=program)
    command = COMMANDS_OF[program].commands[name]  # type: ignore[attr-defined]
    while hasattr(command, "commands"):  # `harness tune apply`
        called = typer.Context(command, parent=called, info_name=name)
        name, *options = options
        command = command.commands[name]
    taken = command.make_context(name, options, parent=called).params
    if isinstance(taken.get("stage"), str):
        added, left_out = (
            [lesson for key in keys for lesson in taken.get(key) or ()]
            for keys in (("added", "with_lessons"), ("left_out", "without_lessons"))
        )
        find_stage(taken["stage"], added=added, left_out=left_out)
    if taken.get("slo") is not None:
        parse_slo(taken["slo"])

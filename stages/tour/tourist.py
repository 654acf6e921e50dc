"""Whoever takes the tour, at a terminal or not: what they are asked, and how far they are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from common.terminal import harmless
from stages.tour.bookmark import put_bookmark, read_bookmark
from stages.tour.course import CourseError, load_course, steps_from
from stages.tour.guide import Guide
from stages.tour.trial import measured

if TYPE_CHECKING:
    from stages.tour.course import Step
    from stages.tour.guide import Reader


class NobodyAnswersError(Exception):
    """The tour asks, and there is no terminal; the message says what to give."""


class AtTheTerminal:
    """A Reader who answers."""

    def choose(self, choices: int) -> int | None:
        """Ask until it is one of the numbers."""
        possible = [str(number) for number in range(1, choices + 1)]
        while (said := typer.prompt(f"1 to {choices}").strip()) not in possible:
            typer.echo(f"{harmless(said)!r} is none of them")
        return int(said)

    def foretell(self) -> float | None:
        """Ask for a number; nothing is an answer, too."""
        while True:
            said = typer.prompt("Your number (or Enter)", default="", show_default=False).replace(",", "").strip()
            if not said:
                return None
            try:
                return float(said)
            except ValueError:
                typer.echo(f"{harmless(said)!r} is no number")

    def go_on(self) -> None:
        """Wait for Enter."""
        typer.prompt("Enter for the next step, Ctrl-C to end", default="", show_default=False)


class Nobody:
    """A Reader who does not: a script is printed."""

    def choose(self, choices: int) -> int | None:
        """Choose nothing."""

    def foretell(self) -> float | None:
        """Foretell nothing."""

    def go_on(self) -> None:
        """Go on."""


def take_tour(*, begin: str | None, only: str | None, asks: bool) -> None:
    """Take the tour, from a step on or one of it alone. Raise CourseError, NobodyAnswersError, TrialFailedError."""
    if begin is not None and only is not None:
        raise CourseError("give --from or --only, not both")
    if asks and not sys.stdin.isatty():
        raise NobodyAnswersError("the tour asks, and standard input is no terminal: give --yes to have it as a script")
    steps = _steps(begin, only, keeps_place=asks)
    reader: Reader = AtTheTerminal() if asks else Nobody()
    guide = Guide(lambda line: typer.echo(harmless(line)), reader, measured)
    for number, step in enumerate(steps):
        if asks:
            put_bookmark(step.lesson)
        guide.lead(step)
        if only is None and number + 1 < len(steps):
            reader.go_on()
    if only is None:
        guide.part()
        if asks:
            put_bookmark(None)


def _steps(begin: str | None, only: str | None, *, keeps_place: bool) -> tuple[Step, ...]:
    course = load_course()
    if only is not None:
        return steps_from(course, only)[:1]
    if begin is not None:
        return steps_from(course, begin)
    place = read_bookmark() if keeps_place else None
    try:
        return course if place is None else steps_from(course, place)
    except CourseError:  # of another version
        return course

"""What is said of a lesson, gathered from where it stands: it is written down once, and read from there.

The docstring of its stage's package has the headline with the talk's slides, the `Cause:`, an item that begins with the
lesson's name, and below `Measured` what came of it, in words. The table of parts says what the lesson puts into it.
"""

from __future__ import annotations

import difflib
import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stages.catalogue import LESSONS, PACKAGES, STAGES
from stages.listing import Ingredient, made_of

if TYPE_CHECKING:
    from stages.stage0.parts import Lesson, Stage

_CAUSE: Final = "Cause: "
_ITEM: Final = re.compile(r"\* (?P<names>`[\w-]+`(?:, `[\w-]+`)*): (?P<says>.*)")
_MEASURED: Final = re.compile(r"Measured \(.*?\): ?")


class UnknownLessonError(Exception):
    """There is no lesson of that name; the message has the nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A lesson, and what is known of it without running anything."""

    lesson: Lesson
    stage: Stage
    """The stage that adds it."""
    headline: str
    """What that stage is about, with the talk's slides and figures."""
    cause: str
    """What was wrong before it; said of all lessons of the stage together."""
    says: str
    """What it is, costs, and should move."""
    seen: tuple[str, ...]
    """What came of it, in words."""
    made_of: tuple[tuple[str, Ingredient], ...]
    """What it puts into the table of parts: the name of a part, and what it is made of then."""
    package: str
    """Where it is applied: the name of the stage's package."""


def explain(name: str) -> Explained:
    """Return what is known of the lesson of that name. Raise UnknownLessonError."""
    package = next((package for package in PACKAGES if package.STAGE.has(name)), None)
    if package is None:
        (nearest,) = difflib.get_close_matches(name, [lesson.name for lesson in LESSONS], n=1, cutoff=0.0)
        raise UnknownLessonError(
            f"there is no lesson {name!r}; the nearest is {nearest} (matchstream lessons lists all)"
        )
    stage = package.STAGE
    blocks = _blocks(inspect.getdoc(package) or "")
    measured = next((number for number, block in enumerate(blocks) if _MEASURED.match(block)), len(blocks))
    items = (item for block in blocks[:measured] if (item := _ITEM.fullmatch(block)))
    return Explained(
        lesson=next(lesson for lesson in stage.lessons if lesson.name == name),
        stage=stage,
        headline=blocks[0],
        cause=next(_sentence(block.removeprefix(_CAUSE)) for block in blocks if block.startswith(_CAUSE)),
        says=next(_sentence(item["says"]) for item in items if f"`{name}`" in item["names"]),
        seen=tuple(
            _sentence(_MEASURED.sub("", block).removeprefix("* "))
            for block in blocks[measured:]
            if f"`{name}`" in block
        ),
        made_of=tuple(
            (part, ingredient)
            for part, ingredients in made_of(stage, STAGES["0"]).items()
            for ingredient in ingredients
            if ingredient.brought_by == name
        ),
        package=package.__name__,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _blocks(text: str) -> list[str]:
    """Return the paragraphs of a text, and the items of its lists, each in one line."""
    return [" ".join(block.split()) for block in re.split(r"\n\n|\n(?=\* )", text)]

"""What `matchstream lessons` prints: lessons by the stage that adds them, and what each part of a stage is made of."""

from __future__ import annotations

from dataclasses import fields
from types import FunctionType
from typing import TYPE_CHECKING, NamedTuple

from stages.stage0.parts import layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stages.stage0.parts import Stage


class Ingredient(NamedTuple):
    """One thing that a part is made of, who has brought it (a lesson, or stage 0), and the module that it is from.

    A setting is from no module.
    """

    what: str
    brought_by: str
    module: str = ""


def lesson_lines(stages: Iterable[Stage]) -> Iterator[str]:
    """Give a line for each lesson, in the talk's order: the first stage that has it, its name, and what it teaches."""
    known: set[str] = set()
    for stage in stages:
        for lesson in stage.lessons:
            if lesson.name not in known:
                yield f"{stage.name:4} {lesson.name:17} {lesson.teaches}"
                known.add(lesson.name)


def part_lines(stage: Stage, baseline: Stage) -> Iterator[str]:
    """Give the lines of a table: each part with all that it is made of, whose methods are found first on top."""
    for part, ingredients in made_of(stage, baseline).items():
        for number, (what, brought_by, module) in enumerate(ingredients):
            yield f"{part if number == 0 else '':18} {what:26} {brought_by:17} {module}".rstrip()


def made_of(stage: Stage, baseline: Stage) -> dict[str, list[Ingredient]]:
    """Return by part what it is made of: the layers of a class, the last first, or the one thing that it is.

    Found by applying the stage's lessons to the baseline, one after the other: what changes is the lesson's.
    """
    parts, beginning = baseline.parts, f"stage {baseline.name}"
    names = [field.name for field in fields(parts)]
    brought_by = dict.fromkeys(names, beginning)
    layer_of = {layer: beginning for name in names for layer in layers(getattr(parts, name))}
    for lesson in stage.lessons:
        before, parts = parts, lesson.apply(parts)
        for name in names:
            value = getattr(parts, name)
            if value != getattr(before, name):
                brought_by[name] = lesson.name
                for layer in layers(value):
                    layer_of.setdefault(layer, lesson.name)
    return {name: _ingredients(getattr(parts, name), brought_by[name], layer_of) for name in names}


def _ingredients(value: object, brought_by: str, layer_of: dict[object, str]) -> list[Ingredient]:
    if isinstance(value, type):
        return [Ingredient(layer.__name__, layer_of[layer], layer.__module__) for layer in layers(value)]
    if isinstance(value, tuple):
        return [Ingredient(str(item), brought_by) for item in value or ("none",)]
    named = value if isinstance(value, FunctionType) else type(value)
    if named.__module__ == "builtins":
        return [Ingredient(str(value), brought_by)]
    return [Ingredient(named.__name__, brought_by, named.__module__)]

"""All stages by name, in the talk's order, and all lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages import stage0, stage1, stage2_1, stage2_2, stage2_3, stage2_4, stage2_5, stage3, stage4
from stages.lessons import change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.stage0.parts import Lesson, Stage

PACKAGES = (stage0, stage1, stage2_1, stage2_2, stage2_3, stage2_4, stage2_5, stage3, stage4)
"""The package of each stage, whose docstring says what was learned."""

STAGES: dict[str, Stage] = {package.STAGE.name: package.STAGE for package in PACKAGES}

LESSONS: tuple[Lesson, ...] = stage4.STAGE.lessons
"""In the talk's order, which is that in which they are applied; the last stage has learned them all."""


class UnknownStageError(Exception):
    """There is no stage of that name; the message lists those there are."""


def find_stage(name: str, *, added: Sequence[str] = (), left_out: Sequence[str] = ()) -> Stage:
    """Return the stage of that name, with lessons added and left out. Raise UnknownStageError, LessonError."""
    try:
        stage = STAGES[name]
    except KeyError:
        raise UnknownStageError(f"there is no stage {name!r}; there is: {', '.join(STAGES)}") from None
    return change(stage, LESSONS, stage0.STAGE, added=added, left_out=left_out)

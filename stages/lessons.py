"""Leaves single lessons out of a stage and adds single ones to it: that is how each one's worth is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.stage0.parts import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.stage0.parts import Lesson


class LessonError(Exception):
    """These lessons make no stage; the message says why, and what would."""


def change(
    stage: Stage, known: Sequence[Lesson], baseline: Stage, *, added: Sequence[str], left_out: Sequence[str]
) -> Stage:
    """Return `stage` with the lessons named in `added`, and without those in `left_out`.

    `known` are all lessons there are, in the talk's order, in which they are applied to the `baseline` whatever order
    they are named in. Raise LessonError: a name that is none, that the stage has (or lacks) already, or a lesson that
    needs another which is not there.
    """
    if not added and not left_out:
        return stage
    by_name = {lesson.name: lesson for lesson in known}
    for name in (*added, *left_out):
        if name not in by_name:
            raise LessonError(f"there is no lesson {name!r}; there is: {', '.join(by_name)}")
    for name in added:
        if stage.has(name):
            raise LessonError(f"stage {stage.name} has {name} already: leave --with {name} out")
    for name in left_out:
        if not stage.has(name):
            raise LessonError(f"stage {stage.name} does not have {name}: leave --without {name} out")
    wanted = {lesson.name for lesson in stage.lessons}.union(added).difference(left_out)
    lessons = tuple(lesson for lesson in known if lesson.name in wanted)
    for lesson in lessons:
        _check(lesson, wanted)
    changed = baseline.followed_by(stage.name, *lessons)
    return Stage(
        name=stage.name,
        parts=changed.parts,
        lessons=lessons,
        left_out=tuple(name for name in by_name if name in left_out),
        added=tuple(name for name in by_name if name in added),
    )


def _check(lesson: Lesson, wanted: set[str]) -> None:
    missing = [name for name in lesson.needs if name not in wanted]
    if missing:
        names = " and ".join(missing)
        raise LessonError(
            f"{lesson.name} makes no sense without {names}: {lesson.because}; add --with {missing[0]}, "
            f"or leave {lesson.name} out, too"
        )

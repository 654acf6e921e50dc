"""The course: its steps, as they stand in `course.toml`. Pure, but for reading that file."""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Final, Literal

import msgspec

Figure = Literal["served", "art", "fanout_last", "memory"]

FIGURES: Final[dict[Figure, str]] = {
    "served": "how many fans are served",
    "art": "ART, in milliseconds",
    "fanout_last": "after how many milliseconds an event has reached the last fan",
    "memory": "how many KiB of the server's memory a fan takes",
}
"""What can be foretold, as it is asked for."""


class CourseError(Exception):
    """There is no such step; the message says which there are."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step: a load under which a server without a lesson does badly, and what the lesson changes.

    `before` and `after` are the words by which the harness has the two servers, `load` those of what both are under;
    `foretell` is the figure to be foretold. `causes` are three, of which the `answer`-th (from 1) is meant. `code`
    names what is to be read, `module:name`. The texts are of one paragraph each.
    """

    lesson: str
    stage: str
    title: str
    scene: str
    before: list[str]
    after: list[str]
    load: list[str]
    causes: Annotated[list[str], msgspec.Meta(min_length=3, max_length=3)]
    answer: Annotated[int, msgspec.Meta(ge=1, le=3)]
    because: str
    code: str
    foretell: Figure
    moral: str


class _Course(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    step: list[Step]


def load_course() -> tuple[Step, ...]:
    """Return all steps, in the order of the stages."""
    text = resources.files(__package__).joinpath("course.toml").read_bytes()
    return tuple(msgspec.toml.decode(text, type=_Course).step)


def steps_from(course: tuple[Step, ...], lesson: str) -> tuple[Step, ...]:
    """Return the steps from the one about a lesson on. Raise CourseError."""
    for number, step in enumerate(course):
        if step.lesson == lesson:
            return course[number:]
    raise CourseError(f"the tour has no step {lesson!r}: give one of {', '.join(step.lesson for step in course)}")

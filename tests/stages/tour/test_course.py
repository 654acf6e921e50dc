"""What the course says can be done: its servers, its code, its order."""

from itertools import pairwise

import pytest

from stages.catalogue import STAGES, find_stage
from stages.tour.course import CourseError, Step, load_course, steps_from
from stages.tour.excerpt import excerpt

COURSE = load_course()
LONGEST = 25
"""Lines of code that one reads in passing."""


def server_of(words: list[str]) -> tuple[str, list[str], list[str]]:
    """Return the stage that the words name, and which lessons it has besides, and lacks."""
    assert words[::2][0] == "--stage"
    pairs = list(zip(words[::2], words[1::2], strict=True))
    named = {option: [value for other, value in pairs if other == option] for option, _ in pairs}
    assert set(named) <= {"--stage", "--with", "--without", "--nodes", "--workers"}
    return named["--stage"][0], named.get("--with", []), named.get("--without", [])


@pytest.mark.parametrize("step", COURSE, ids=[step.lesson for step in COURSE])
def test_only_the_later_server_has_the_lesson_and_both_make_sense(step: Step) -> None:
    before, after = (server_of(words) for words in (step.before, step.after))
    assert not find_stage(before[0], added=before[1], left_out=before[2]).has(step.lesson)
    assert find_stage(after[0], added=after[1], left_out=after[2]).has(step.lesson)
    assert STAGES[step.stage].has(step.lesson)


@pytest.mark.parametrize("step", COURSE, ids=[step.lesson for step in COURSE])
def test_its_code_is_there_and_short(step: Step) -> None:
    where, lines = excerpt(step.code)
    assert where.startswith(("stages/", "common/"))
    assert lines[0].startswith(("def ", "async def ", "class ", "@"))
    assert len(lines) <= LONGEST


def test_a_stage_has_a_step_at_least_and_they_come_in_order() -> None:
    order = list(STAGES)
    assert {step.stage for step in COURSE} == set(order[1:])
    assert all(order.index(one.stage) <= order.index(other.stage) for one, other in pairwise(COURSE))


def test_one_may_begin_anywhere() -> None:
    for number, step in enumerate(COURSE):
        assert steps_from(COURSE, step.lesson) == COURSE[number:]
    with pytest.raises(CourseError, match=r"^the tour has no step 'vm': give one of open-files, backlog,"):
        steps_from(COURSE, "vm")

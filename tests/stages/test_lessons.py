"""Any single lesson can be added to the baseline, or left out of the last stage, and what then serves, serves right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from stages.catalogue import LESSONS, STAGES, find_stage
from stages.lessons import LessonError, change
from stages.stage0.parts import Lesson, Stage, layered
from tests.stages.every_stage import two_nodes
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.refusals import refused
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from stages.stage0.parts import Parts

BASELINE = STAGES["0"]
LAST = list(STAGES.values())[-1]
NEEDED = {needed for lesson in LESSONS for needed in lesson.needs}


def alone(lesson: Lesson) -> list[str]:
    """Return the options that add a lesson, and what it needs, to the baseline, and start two nodes if any."""
    added = [*lesson.needs, lesson.name]
    return [*(word for name in added for word in ("--with", name)), *two_nodes(find_stage("0", added=added))]


def without(lesson: Lesson) -> list[str]:
    """Return the options that leave a lesson, and what needs it, out of the last stage, and start two nodes if any."""
    left_out = [*(other.name for other in LESSONS if lesson.name in other.needs), lesson.name]
    left = two_nodes(find_stage(LAST.name, left_out=left_out))
    return [*(word for name in left_out for word in ("--without", name)), *left]


OWN = {*LESSONS} - {*list(STAGES.values())[-2].lessons}
"""What the last stage itself teaches; to leave anything else out of its nodes takes longer than of the baseline."""

COMBINATIONS = [
    *(pytest.param("0", alone(lesson), id=f"0 with {lesson.name}") for lesson in LESSONS),
    *(
        pytest.param(
            LAST.name,
            without(lesson),
            id=f"{LAST.name} without {lesson.name}",
            marks=() if lesson in OWN else pytest.mark.slow,
        )
        for lesson in LESSONS
    ),
]


@pytest.mark.parametrize(("stage", "options"), COMBINATIONS)
async def test_a_match_is_served(stage: str, options: list[str], tmp_path: Path) -> None:
    with ServerProcess(stage, tmp_path, *options) as server:
        addresses = server.fan_addresses()
        async with ReporterClient(server.url, TOKEN) as api:
            game = await Game.announced(api, "lesson")
            await game.start()
            async with Fan(next(addresses)) as early, Fan(next(addresses)) as twin, Fan(next(addresses)) as late:
                for fan in (early, twin):
                    await fan.watch("one", game.id)
                await game.goal("first")
                await early.read_events(1)
                await late.watch("two", game.id)
                (score,) = late.told("visit_score")
                assert (
                    score == 1 or stage == LAST.name
                )  # where a status is ready, and may be a moment old: the goal follows it
                before_late = [] if score else ["first"]
                await game.foul("second")
                await game.stop()
                for fan, told in (
                    (early, ["first", "second"]),
                    (twin, ["first", "second"]),
                    (late, [*before_late, "second"]),
                ):
                    await fan.read_to_end()
                    assert fan.told() == told
                    assert fan.kinds[-1] == "stop"
            assert [event.seq for event in await api.history(game.id)] == [1, 2, 3, 4]


def test_every_lesson_has_one_name_and_one_stage() -> None:
    names = [lesson.name for lesson in LESSONS]
    assert len(set(names)) == len(names)
    for before, after in zip(STAGES.values(), list(STAGES.values())[1:], strict=False):
        assert after.lessons[: len(before.lessons)] == before.lessons
        assert len(after.lessons) > len(before.lessons)
    assert set(names) >= NEEDED


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_changes_the_parts(lesson: Lesson) -> None:
    needed = list(lesson.needs)
    with_it = find_stage("0", added=[*needed, lesson.name])
    assert with_it.parts != find_stage("0", added=needed).parts
    assert with_it.added == tuple(one.name for one in LESSONS if one.name in {*needed, lesson.name})


def test_the_order_in_which_lessons_are_named_does_not_matter() -> None:
    one = find_stage("0", added=["hibernate", "backlog"])
    other = find_stage("0", added=["backlog", "hibernate"])
    assert one.lessons == other.lessons
    assert one.parts.backlog == other.parts.backlog == LAST.parts.backlog


def test_all_left_out_is_the_baseline() -> None:
    stage = find_stage(LAST.name, left_out=[lesson.name for lesson in LESSONS])
    assert stage.parts == BASELINE.parts
    assert stage.name == LAST.name


def test_layers_are_put_one_over_the_other() -> None:
    class Base:
        def say(self) -> list[str]:
            return ["base"]

    class One(Base):
        def say(self) -> list[str]:
            return ["one", *super().say()]

    class Two(Base):
        def say(self) -> list[str]:
            return ["two", *super().say()]

    both = layered(layered(Base, One), Two)
    assert both().say() == ["two", "one", "base"]
    assert both.__name__ == "Base"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--with", "nonsense"], "there is no lesson 'nonsense'; there is: open-files, "),
        (["--without", "nonsense"], "there is no lesson 'nonsense'; there is: open-files, "),
        (["--with", "backlog"], "stage 2.1 has backlog already: leave --with backlog out"),
        (["--without", "hibernate"], "stage 2.1 does not have hibernate: leave --without hibernate out"),
    ],
)
def test_what_makes_no_stage_is_refused_in_a_line(options: list[str], said: str) -> None:
    assert refused("serve", "--stage", "2.1", *options).startswith(f"matchstream: {said}")


def test_a_lesson_without_what_it_needs_is_refused_with_the_reason() -> None:
    def same(parts: Parts) -> Parts:
        return parts

    floor = Lesson(name="floor", teaches="stand", apply=same)
    roof = Lesson(name="roof", teaches="cover", apply=same, needs=("floor",), because="it would fall")
    known = (floor, roof)
    house = BASELINE.followed_by("house", *known)
    with pytest.raises(LessonError, match=r"^roof makes no sense without floor: it would fall; add --with floor, or"):
        change(house, known, BASELINE, added=(), left_out=("floor",))
    with pytest.raises(LessonError, match=r"^roof makes no sense without floor"):
        change(BASELINE, known, BASELINE, added=("roof",), left_out=())
    bare: Stage = change(house, known, BASELINE, added=(), left_out=("floor", "roof"))
    assert bare.lessons == ()
    assert bare.left_out == ("floor", "roof")

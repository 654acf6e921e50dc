"""The pages of the course, as they are made of the code, with commands that the programs take."""

from __future__ import annotations

import pytest

from docs.generate.lessons import Course, lesson_uri, stage_uri
from docs.generate.sources import Sources
from stages.catalogue import LESSONS, STAGES
from tests.printed_commands import assert_is_taken, words_of


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Return the pages by their addresses, of a checkout in which nothing was measured."""
    made = Course(Sources({}), (), {}).pages()
    return {uri: page for uri, page in made if isinstance(page, str)}


def test_there_is_a_page_for_each_stage_and_each_lesson(pages: dict[str, str]) -> None:
    assert set(pages) == {
        *(stage_uri(stage) for stage in STAGES.values()),
        *(lesson_uri(lesson.name) for lesson in LESSONS),
    }


def test_their_commands_are_taken_as_they_are_printed(pages: dict[str, str]) -> None:
    lines = [line.strip() for page in pages.values() for line in page.splitlines() if line.startswith("    ")]
    commands = [line for line in lines if line.startswith(("matchstream ", "harness "))]
    assert len(commands) > len(LESSONS)
    for line in commands:
        assert_is_taken(words_of(line))


def test_where_nothing_was_measured_it_is_said(pages: dict[str, str]) -> None:
    assert "Nothing was measured of it in this checkout" in pages[lesson_uri("backlog")]
    assert ".png" not in pages[lesson_uri("backlog")]


def test_a_module_of_two_lessons_is_shown_with_the_first(pages: dict[str, str]) -> None:
    assert "::: stages.stage2_4.managers\n" in pages[lesson_uri("user-managers")]
    assert "(user-managers.md#stages.stage2_4.managers)" in pages[lesson_uri("client-managers")]

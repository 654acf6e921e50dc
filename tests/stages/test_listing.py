"""`matchstream lessons`: what there is to learn, and what each part of a stage is made of."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from stages.catalogue import LESSONS, STAGES
from tests.stages.refusals import refused
from tests.stages.serving import environment, run

if TYPE_CHECKING:
    from pathlib import Path


def said(directory: Path, *arguments: str) -> list[str]:
    """Return the lines that `matchstream lessons` prints."""
    ended = run(environment(directory), "lessons", *arguments)
    assert (ended.status, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def test_every_lesson_is_listed_by_the_stage_that_adds_it(tmp_path: Path) -> None:
    lines = [line.split() for line in said(tmp_path)]
    assert [name for _, name, *_ in lines] == [lesson.name for lesson in LESSONS]
    assert [stage for stage, name, *_ in lines if name in {"open-files", "repeaters", "nodes"}] == ["1", "2.2", "3"]


def test_the_lessons_of_one_stage_are_listed_name_first(tmp_path: Path) -> None:
    assert [line.split()[0] for line in said(tmp_path, "--stage", "1")] == ["open-files", "sysctl", "vm"]
    assert said(tmp_path, "--stage", "0") == []


def test_the_parts_of_the_baseline_are_its_own(tmp_path: Path) -> None:
    lines = said(tmp_path, "--parts", "0")
    assert [line.split()[0] for line in lines] == [field.name for field in fields(STAGES["0"].parts)]
    assert all(" stage 0" in line for line in lines)
    assert "user               User                       stage 0           stages.stage0.user" in lines


def test_each_part_is_listed_with_the_layers_of_its_lessons_the_first_to_be_asked_on_top(tmp_path: Path) -> None:
    lines = said(tmp_path, "--parts", "2.5")
    first = next(number for number, line in enumerate(lines) if line.startswith("user "))
    assert [" ".join(line.split()) for line in lines[first : first + 6]] == [
        "user NamingUser registered-names stages.stage2_5.registered_names",
        "DelayedUser delayed-init stages.stage2_3.delayed_init",
        "HibernatingUser hibernate stages.stage2_3.hibernate",
        "MonitoringUser monitors stages.stage2_2.monitors",
        "User stage 0 stages.stage0.user",
        "user_sup KnownUserSup registered-names stages.stage2_5.registered_names",
    ]
    settings = {line.split()[0]: line.split()[1:] for line in lines if not line.startswith(" ")}
    assert settings["backlog"] == ["128000", "backlog"]
    assert settings["log"] == ["log_beside", "logging", "stages.stage2_5.logging"]
    assert settings["vm"] == ["TunedVm", "vm", "stages.stage1.vm"]
    assert settings["user_mgr"][:2] == ["HibernatingUserSup", "hibernate"]
    assert settings["web"] == ["Web", "stage", "0", "stages.stage0.web"]
    assert settings["plane"] == ["None", "stage", "0"]


def test_parts_that_the_baseline_does_not_have_are_listed_by_the_lessons_that_make_them(tmp_path: Path) -> None:
    lines = said(tmp_path, "--parts", "4")
    after = next(number for number, line in enumerate(lines) if line.startswith("audience "))
    assert [" ".join(line.split()) for line in lines[after - 2 : after]] == [
        "KnowingFans encode-once stages.stage4.encode_once",
        "Fans fd-plane stages.stage4.fans",
    ]


@pytest.mark.parametrize("option", ["--parts", "--stage"])
def test_a_stage_that_there_is_not_is_refused(option: str) -> None:
    assert refused("lessons", option, "9").startswith("matchstream: there is no stage '9'; there is: 0, 1, ")

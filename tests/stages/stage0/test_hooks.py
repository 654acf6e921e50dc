"""The tables of hooks in the heads of stages are what lessons really override."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from common.otp import GenFsm, GenServer, SimpleOneForOne
from stages import stage0, stage4
from stages.catalogue import LESSONS, STAGES, find_stage
from stages.stage0.parts import layers
from stages.stage3.node_server import FOLLOWERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from stages.stage0.parts import Lesson

BASELINE = STAGES["0"].parts
EVERY_SERVERS = {name for kind in (GenServer, GenFsm, SimpleOneForOne) for name in dir(kind)}


def in_the_table(stage: ModuleType) -> Iterator[tuple[str, str, str]]:
    """Give the component, the hook and the lesson of every cell."""
    for row in re.findall(r"^\| (`.*)\|$", stage.__doc__ or "", re.MULTILINE):
        components, hooks, lessons, _ = (re.findall(r"`([^`]+)`", cell) for cell in row.split("|"))
        yield from ((component, hook, lesson) for component in components for hook in hooks for lesson in lessons)


def overridden(component: type, layer: type) -> Iterator[tuple[type, str]]:
    """Give the hooks that a layer fills, apart from what all servers have; also of a class that is a hook itself."""
    own = [kind for kind in layer.__mro__ if kind not in component.__mro__]
    names = {name for kind in own for name in vars(kind) if hasattr(component, name)}
    for name in names - EVERY_SERVERS:
        before, value = getattr(component, name), getattr(layer, name)
        if not name.startswith("__"):
            yield component, name
            if isinstance(before, type) and isinstance(value, type):
                yield from overridden(before, value)


def changes(lesson: Lesson) -> Iterator[tuple[type, type]]:
    """Give each component that a lesson changes, beside what it needs, and the layer that it puts over it."""
    before = find_stage("0", added=lesson.needs).parts
    after = lesson.apply(before)
    for field in fields(before):
        known = layers(getattr(before, field.name))
        for layer in layers(getattr(after, field.name))[:-1]:
            if layer not in known:
                yield known[-1], layer
    if lesson.name == "match-groups":
        yield from ((BASELINE.live_match, follower) for follower in FOLLOWERS.values())


def found(stage: ModuleType) -> Iterator[tuple[str, str, str]]:
    """Give what the lessons do to the components of a stage."""
    for lesson in LESSONS:
        for changed, layer in changes(lesson):
            for component, hook in overridden(changed, layer):
                if (component.__module__.startswith(f"{stage4.__name__}.")) is (stage is stage4):
                    yield component.__name__, hook, lesson.name


@pytest.mark.parametrize("stage", [stage0, stage4], ids=["0", "4"])
def test_every_hook_is_listed_with_the_lesson_that_fills_it_and_no_other(stage: ModuleType) -> None:
    assert {*in_the_table(stage)} == {*found(stage)}

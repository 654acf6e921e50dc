"""The table of hooks in the head of stage 0 is what lessons really override."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import fields
from typing import TYPE_CHECKING

from common.otp import GenFsm, GenServer, SimpleOneForOne
from stages import stage0
from stages.catalogue import LESSONS, STAGES
from stages.stage0.parts import layers
from stages.stage3.node_server import FOLLOWERS

if TYPE_CHECKING:
    from collections.abc import Iterator

BASELINE = STAGES["0"].parts
EVERY_SERVERS = {name for kind in (GenServer, GenFsm, SimpleOneForOne) for name in dir(kind)}


def in_the_table() -> Iterator[tuple[str, str, str]]:
    """Give the component, the hook and the lesson of every cell."""
    for row in re.findall(r"^\| (`.*)\|$", stage0.__doc__ or "", re.MULTILINE):
        components, hooks, lessons, _ = (re.findall(r"`([^`]+)`", cell) for cell in row.split("|"))
        yield from ((component, hook, lesson) for component in components for hook in hooks for lesson in lessons)


def overridden(component: type, layer: type) -> set[str]:
    """Return what a layer does otherwise than the component, apart from what all servers have."""
    own = [kind for kind in layer.__mro__ if kind not in component.__mro__]
    names = {name for kind in own for name in vars(kind) if hasattr(component, name)}
    return {name for name in names - EVERY_SERVERS if not name.startswith("__")}


def found() -> Iterator[tuple[str, str, str]]:
    """Give the same of what the lessons do."""
    changes: defaultdict[type, list[tuple[type, str]]] = defaultdict(list)
    for lesson in LESSONS:
        after = lesson.apply(BASELINE)
        for field in fields(BASELINE):
            before, value = getattr(BASELINE, field.name), getattr(after, field.name)
            if isinstance(before, type) and value is not before:
                changes[before] += [(layer, lesson.name) for layer in layers(value)[:-1]]
    changes[BASELINE.live_match] += [(layer, "match-groups") for layer in FOLLOWERS.values()]
    for component, layered in changes.items():
        for layer, lesson_name in layered:
            yield from ((component.__name__, hook, lesson_name) for hook in overridden(component, layer))


def test_every_hook_is_listed_with_the_lesson_that_fills_it_and_no_other() -> None:
    assert {*in_the_table()} == {*found()}

"""Whether a stage can do what it is told: an option is refused by one that lacks the lesson which the option is for."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from stages.lessons import LessonError
from stages.stage0.faults import FaultsError, parse_faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.options import Topology
    from stages.stage0.parts import Stage

_FOR_LESSON: Final = MappingProxyType(
    {
        "slow": ("slow-fans",),
        "max-fans": ("admission",),
        "max-rate": ("admission",),
        "browser-port": ("event-source", "websocket"),
    }
)
"""The options that are for a lesson of stage 4, or any of some."""


def check_nodes(stage: Stage, join: str | None, topology: Topology | None) -> None:
    """Raise LessonError if the stage is told to be part of a system, and cannot be."""
    if join is not None and not stage.has("nodes"):
        raise LessonError(
            f"stage {stage.name} joins no others: give --redis in place of --join, or serve one with the lesson nodes"
        )
    if topology is not None and not stage.has("match-groups"):
        raise LessonError(
            f"stage {stage.name} knows of no other nodes: leave --topology out, or add the lesson match-groups"
        )


def check_faults(stage: Stage, faults: str) -> None:
    """Raise FaultsError if they cannot be read, or if the stage has nothing that they could crash."""
    if parse_faults(faults) and stage.has("fd-plane"):
        raise FaultsError(
            f"stage {stage.name} has no process for a fan that could crash: leave --faults out, or the lesson fd-plane"
        )


def check_workers(stage: Stage, workers: int | None) -> None:
    """Raise LessonError if the stage is told how many workers to have, and has none."""
    if workers is not None and not stage.has("workers"):
        raise LessonError(
            f"stage {stage.name} has no workers: leave --workers out, or serve one with the lesson workers"
        )


def check_use(stage: Stage, given: Mapping[str, object]) -> None:
    """Raise LessonError if an option is given to a stage that lacks the lesson that it is for."""
    for name, value in given.items():
        lessons = _FOR_LESSON[name]
        if value is not None and not any(map(stage.has, lessons)):
            raise LessonError(
                f"stage {stage.name} has no use for --{name}: leave it out, or serve one with the lesson "
                f"{' or '.join(lessons)}"
            )

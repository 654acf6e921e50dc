"""Which stages a test is run against: all of them, but those between the first and the last take their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.catalogue import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.mark import ParameterSet

    from stages.stage0.parts import Stage


def every_stage() -> list[ParameterSet]:
    """Return the name of each stage as a parameter; those between the first and the last are marked slow.

    The last has learned every lesson and the first none, so what no lesson touches shows at one of them.
    """
    first, *between, last = STAGES
    return [pytest.param(first), *_slow(between), pytest.param(last)]


def turning_points() -> list[ParameterSet]:
    """Return the name of the first stage and the last as parameters, and slow ones: the last in one process, and 3."""
    return [pytest.param("0"), *_slow(("2.5", "3")), pytest.param("4")]


def with_nodes(count: int) -> list[ParameterSet]:
    """Return the first stage and the last as parameters, and 3 as a slow one, each with the options that it needs."""
    nodes = ("--nodes", str(count))
    return [
        pytest.param("0", (), id="0"),
        pytest.param("3", nodes, marks=pytest.mark.slow, id=f"3 with {count}"),
        pytest.param("4", (*nodes, "--workers", "1"), id=f"4 with {count}"),
    ]


def two_nodes(stage: Stage) -> tuple[str, ...]:
    """Return the options with which a stage that has nodes starts two, and any other what it is: one server.

    A node that has workers gets one: where several serve fans, each follows a match until that is over.
    """
    nodes = ("--nodes", "2") if stage.has("nodes") else ()
    return (*nodes, "--workers", "1") if stage.has("workers") else nodes


def one_process(stage: Stage) -> tuple[str, ...]:
    """Return the options with which a stage serves its fans in one process."""
    nodes = ("--nodes", "1") if stage.has("nodes") else ()
    return (*nodes, "--workers", "0") if stage.has("workers") else nodes


def _slow(names: Iterable[str]) -> list[ParameterSet]:
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]

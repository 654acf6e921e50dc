"""Which stages a test is run against: all of them, but those between the first and the last take their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.catalogue import STAGES

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from stages.stage0.parts import Stage


def every_stage() -> list[ParameterSet]:
    """Return the name of each stage as a parameter; those between the first and the last are marked slow.

    The last has learned every lesson and the first none, so what no lesson touches shows at one of them.
    """
    first, *between, last = STAGES
    slow = [pytest.param(name, marks=pytest.mark.slow) for name in between]
    return [pytest.param(first), *slow, pytest.param(last)]


def two_nodes(stage: Stage) -> tuple[str, ...]:
    """Return the options with which a stage that has nodes starts two, and any other what it is: one server."""
    return ("--nodes", "2") if stage.has("nodes") else ()

"""A run against the first stage, the last of one process, and those of nodes; more: `python -m tests.faults`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.faults import Kind, possible
from tests.faults.run import Plan, run
from tests.faults.telling import report

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 8.0
"""So long faults begin; then a run has to come to rest."""


@pytest.mark.slow
@pytest.mark.timeout(300)  # of a machine that has much else to do
@pytest.mark.parametrize(("stage", "seed"), [("0", 493), ("2.5", 2214), ("3", 1368), ("4", 363)])
async def test_the_server_keeps_its_word_under_faults(stage: str, seed: int, tmp_path: Path) -> None:
    plan = Plan(seed, stage, tuple(Kind), SECONDS)
    struck = {(fault.kind, fault.victim) for fault in plan.faults}
    assert struck == set(possible(stage, plan.kinds)), "choose a seed that has everything happen"
    outcome = await run(plan, tmp_path)
    assert outcome.violations == (), report(outcome)

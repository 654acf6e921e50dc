"""A run against the first stage, the last of one process, and the nodes; more of them: `python -m tests.faults`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.faults import Kind
from tests.faults.run import Plan, run
from tests.faults.telling import report

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 8.0
"""So long faults begin; then a run has to come to rest."""


@pytest.mark.slow
@pytest.mark.timeout(300)  # of a machine that has much else to do
@pytest.mark.parametrize(("stage", "seed"), [("0", 1), ("2.5", 2), ("3", 3)])
async def test_the_server_keeps_its_word_under_faults(stage: str, seed: int, tmp_path: Path) -> None:
    outcome = await run(Plan(seed, stage, tuple(Kind), SECONDS), tmp_path)
    assert outcome.violations == (), report(outcome)

"""The way of a greeting, fuzzed: `tests.stages.stage4.fuzzing` has the program; a million inputs are said by hand."""

from __future__ import annotations

import pytest

from tests.stages.stage4.fuzzing import STRANGERS, fuzz


@pytest.mark.slow
@pytest.mark.parametrize(("to", "inputs"), [("fans", 5_000), ("browsers", 2_500)])
def test_whatever_is_said_byte_by_byte_is_what_it_is_in_one_piece(to: str, inputs: int) -> None:
    tally = fuzz(STRANGERS[to], inputs, seed=2011)
    assert tally.greetings + tally.refusals + tally.unfinished == tally.inputs == inputs
    assert min(tally.greetings, tally.refusals, tally.unfinished) > 100, "choose inputs that have everything happen"

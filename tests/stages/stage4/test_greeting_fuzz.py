"""The way of a greeting, fuzzed: `tests.stages.stage4.fuzzing` has the program; a million inputs are said by hand."""

from __future__ import annotations

import pytest

from tests.stages.stage4.fuzzing import fuzz


@pytest.mark.slow
def test_whatever_is_said_byte_by_byte_is_what_it_is_in_one_piece() -> None:
    tally = fuzz(5_000, seed=2011)
    assert tally.greetings + tally.refusals + tally.unfinished == tally.inputs == 5_000
    assert min(tally.greetings, tally.refusals, tally.unfinished) > 200, "choose inputs that have everything happen"

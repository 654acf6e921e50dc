"""The schedule of a run is a function of its seed, and holds what it can hold."""

from __future__ import annotations

import pytest

from tests.faults.faults import Fault, Kind, Victim, draw

SECONDS = 200.0


def struck(faults: tuple[Fault, ...]) -> set[tuple[Kind, Victim]]:
    return {(fault.kind, fault.victim) for fault in faults}


def test_a_seed_has_one_schedule() -> None:
    assert draw(7, "3", list(Kind), SECONDS) == draw(7, "3", list(Kind), SECONDS)
    assert draw(7, "3", list(Kind), SECONDS) != draw(8, "3", list(Kind), SECONDS)
    assert draw(7, "0", list(Kind), SECONDS) != draw(7, "2.5", list(Kind), SECONDS)


def test_faults_fall_in_order_and_within_the_time() -> None:
    at_s = [fault.at_s for fault in draw(7, "3", list(Kind), SECONDS)]
    assert at_s == sorted(at_s)
    assert at_s[0] > 0
    assert at_s[-1] <= SECONDS


@pytest.mark.parametrize(("stage", "count"), [("0", 5), ("2.5", 5), ("3", 10), ("4", 10)])
def test_all_that_can_happen_happens_before_anything_does_again(stage: str, count: int) -> None:
    faults = draw(7, stage, list(Kind), SECONDS)
    assert len(struck(faults)) == count
    assert struck(faults[:count]) == struck(faults[count : 2 * count]) == struck(faults)


def test_only_the_kinds_that_were_asked_for_fall() -> None:
    assert struck(draw(7, "3", [Kind.CUT], SECONDS)) == {(Kind.CUT, Victim.HOST)}
    assert draw(7, "0", [Kind.CUT], SECONDS) == ()

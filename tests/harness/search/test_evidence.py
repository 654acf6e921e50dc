import pytest

from harness.records.search import TrialKind
from harness.search.evidence import Fate, Jury, TrialOutcome, Vote, fates

KINDS: dict[str, TrialKind] = {"s": "short", "f": "full", "k": "soak"}
VOTES = {"+": Vote.PASSED, "-": Vote.FAILED, "?": Vote.INVALID}


def fate(trials: str, repeats: int = 3) -> Fate:
    """The fate of a level after trials such as `s+ f-`: short and passed, full and failed."""
    outcomes = [TrialOutcome(100.0, KINDS[kind], VOTES[vote]) for kind, vote in trials.split()]
    return fates(outcomes, Jury(repeats))[100.0]


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ("s?", Fate.UNTRIED),
        ("s? s?", Fate.BEYOND_GENERATOR),
        ("s? f?", Fate.UNTRIED),
        ("s? s+", Fate.CANDIDATE),
        ("s+", Fate.CANDIDATE),
        ("s-", Fate.DOUBTED),
        ("s- s-", Fate.BAD),
        ("s- s+", Fate.CONTRADICTED),
        ("s- s+ s+", Fate.CANDIDATE),
        ("s- s+ s-", Fate.BAD),
        ("s+ f+", Fate.CONFIRMING),
        ("s+ f-", Fate.CONFIRMING),
        ("s+ f+ f+", Fate.GOOD),
        ("s+ f- f+ f+", Fate.GOOD),
        ("f+ f- f-", Fate.REFUTED),
        ("f- f-", Fate.REFUTED),
        ("f+ f+ k+", Fate.GOOD),
        ("f+ f+ k-", Fate.REFUTED),
        ("f+ f+ k? k?", Fate.BEYOND_GENERATOR),
        ("s? s? s- s-", Fate.BAD),
    ],
)
def test_the_fate_of_a_level(trials: str, expected: Fate) -> None:
    assert fate(trials) is expected


def test_a_single_trial_decides_where_nothing_is_repeated() -> None:
    assert fate("s-", repeats=1) is Fate.BAD
    assert fate("f+", repeats=1) is Fate.GOOD
    assert fate("f-", repeats=1) is Fate.REFUTED


@pytest.mark.parametrize(("repeats", "majority", "veto"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 2), (5, 3, 3)])
def test_a_majority_and_what_prevents_one(repeats: int, majority: int, veto: int) -> None:
    assert (Jury(repeats).majority, Jury(repeats).veto) == (majority, veto)


def test_levels_are_judged_each_by_its_own_trials() -> None:
    outcomes = [TrialOutcome(100.0, "short", Vote.PASSED), TrialOutcome(200.0, "short", Vote.FAILED)]
    assert fates(outcomes, Jury(3)) == {100.0: Fate.CANDIDATE, 200.0: Fate.DOUBTED}

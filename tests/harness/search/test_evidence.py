import pytest

from harness.records.search import TrialKind
from harness.search.evidence import LevelState, Majority, Outcome, Vote, level_states

KINDS: dict[str, TrialKind] = {"s": "short", "f": "full", "k": "soak"}
VOTES = {"+": Vote.PASSED, "-": Vote.FAILED, "?": Vote.INVALID}


def state(trials: str, repeats: int = 3) -> LevelState:
    """The state of a level after trials such as `s+ f-`: short and passed, full and failed."""
    outcomes = [Outcome(100.0, KINDS[kind], VOTES[vote]) for kind, vote in trials.split()]
    return level_states(outcomes, Majority(repeats))[100.0]


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ("s?", LevelState.UNTRIED),
        ("s? s?", LevelState.BEYOND_GENERATOR),
        ("s? f?", LevelState.UNTRIED),
        ("s? s+", LevelState.CANDIDATE),
        ("s+", LevelState.CANDIDATE),
        ("s-", LevelState.DOUBTED),
        ("s- s-", LevelState.BAD),
        ("s- s+", LevelState.CONTRADICTED),
        ("s- s+ s+", LevelState.CANDIDATE),
        ("s- s+ s-", LevelState.BAD),
        ("s+ f+", LevelState.CONFIRMING),
        ("s+ f-", LevelState.CONFIRMING),
        ("s+ f+ f+", LevelState.GOOD),
        ("s+ f- f+ f+", LevelState.GOOD),
        ("f+ f- f-", LevelState.REFUTED),
        ("f- f-", LevelState.REFUTED),
        ("f+ f+ k+", LevelState.GOOD),
        ("f+ f+ k-", LevelState.REFUTED),
        ("f+ f+ k? k?", LevelState.BEYOND_GENERATOR),
        ("s? s? s- s-", LevelState.BAD),
    ],
)
def test_the_state_of_a_level(trials: str, expected: LevelState) -> None:
    assert state(trials) is expected


def test_a_single_trial_decides_where_nothing_is_repeated() -> None:
    assert state("s-", repeats=1) is LevelState.BAD
    assert state("f+", repeats=1) is LevelState.GOOD
    assert state("f-", repeats=1) is LevelState.REFUTED


@pytest.mark.parametrize(("repeats", "majority", "veto"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 2), (5, 3, 3)])
def test_a_majority_and_what_prevents_one(repeats: int, majority: int, veto: int) -> None:
    assert (Majority(repeats).votes, Majority(repeats).veto) == (majority, veto)


def test_levels_are_judged_each_by_its_own_trials() -> None:
    outcomes = [Outcome(100.0, "short", Vote.PASSED), Outcome(200.0, "short", Vote.FAILED)]
    assert level_states(outcomes, Majority(3)) == {100.0: LevelState.CANDIDATE, 200.0: LevelState.DOUBTED}

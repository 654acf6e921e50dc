"""The upper end of a search's answer, by hand and against servers whose limit is blurred by noise."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.search import TrialKind
from harness.search.decide import Rules, Try, bracket, next_trial
from harness.search.evidence import Majority, TrialOutcome, Vote, level_states
from harness.search.first_fail import UpperEnd, next_level, upper_end
from harness.search.levels import Scale

MAJORITY = Majority(3)
SCALE = Scale(unit=1.0, ceiling=1_000.0, precision=0.1)
KINDS: dict[str, TrialKind] = {"s": "short", "f": "full", "k": "soak"}
VOTES = {"+": Vote.PASSED, "-": Vote.FAILED, "?": Vote.INVALID}


def outcomes(trials: str) -> list[TrialOutcome]:
    """Trials such as `100s+ 200f-`: at 100 a short one that passed, at 200 a full one that failed."""
    return [TrialOutcome(float(trial[:-2]), KINDS[trial[-2]], VOTES[trial[-1]]) for trial in trials.split()]


def end_of(trials: str) -> UpperEnd:
    made = outcomes(trials)
    return upper_end(level_states(made, MAJORITY), made, MAJORITY)


@pytest.mark.parametrize(
    ("trials", "first_fail", "is_sure", "passed"),
    [
        ("", None, False, 0),
        ("100s+", None, False, 100),
        ("100s+ 200s-", 200, False, 100),
        ("100s+ 200s- 200s- 200s-", 200, True, 100),
        ("100s+ 200s- 200f- 200f-", 200, True, 100),
        ("100s+ 200s- 200s+ 200s-", None, False, 200),
        ("100s+ 200s- 200s+ 200s- 300s-", 300, False, 200),
        ("100s- 100s- 100s- 200s+", None, False, 200),
        ("100f+ 100f+ 100k-", 100, True, 0),
        ("100f+ 100f+ 200f+ 200f+ 200k- 100k+", 200, True, 100),
    ],
)
def test_it_lies_above_all_that_passed(trials: str, first_fail: float | None, is_sure: bool, passed: float) -> None:
    assert end_of(trials) == UpperEnd(first_fail, is_sure, passed)


def test_short_trials_that_are_too_kind_do_not_count() -> None:
    """Full trials failed at 200, which no trial passed; what passed in short above it says nothing."""
    assert end_of("100f+ 100f+ 200f- 200f- 400s+ 400f- 400f- 800s-") == UpperEnd(200, is_sure=False, passed=100)
    assert end_of("100f+ 100f+ 400s+ 400f- 400f- 800s-") == UpperEnd(800, is_sure=False, passed=400)


@pytest.mark.parametrize(
    ("trials", "level"),
    [
        ("100s+ 105s- 105s- 105s-", None),
        ("100s+ 105s-", 105),
        ("100s+ 300s-", 173),
        ("100s+ 105s+ 105s- 105s-", 115),
        ("1000s+ 1000s- 1000s-", None),
        ("100s+ 105s+ 105s- 105s- 115s? 115s?", None),
        ("100s+ 105s+ 105s- 105s- 110s? 110s? 200s-", None),
        ("100s+ 105s+ 105s- 105s- 150s? 150s? 200s-", None),
    ],
)
def test_the_level_to_try_next(trials: str, level: float | None) -> None:
    made = outcomes(trials)
    known = level_states(made, MAJORITY)
    assert next_level(SCALE, known, upper_end(known, made, MAJORITY)) == level


def searched(seed: int, noise: float, rules: Rules) -> tuple[float, float, int]:
    """Search for a limit of 5,300 that is blurred: in each trial by another amount, with a standard deviation."""
    random = Random(seed)  # noqa: S311  # nothing secret about noise
    made: list[TrialOutcome] = []

    def vote(trial: Try) -> Vote:
        return Vote.PASSED if trial.level * (1 + random.gauss(0, noise)) < 5_300 else Vote.FAILED

    while (trial := next_trial(rules, made)) is not None:
        made.append(TrialOutcome(trial.level, trial.kind, vote(trial)))
    found = bracket(made, rules.majority)
    assert found.last_pass is not None
    assert found.first_fail is not None
    return found.last_pass, found.first_fail, len(made)


@pytest.mark.parametrize(("noise", "repeats"), [(0.02, 3), (0.04, 3), (0.04, 5), (0.08, 5)])
def test_searches_of_the_same_server_give_the_same_answer(noise: float, repeats: int) -> None:
    rules = Rules(Scale(1.0, 100_000.0, 0.05), begin=4.0, stride=1.0, majority=Majority(repeats), soaks=False)
    answers = [searched(seed, noise, rules) for seed in range(20)]
    assert max(last_pass for last_pass, _, _ in answers) <= min(first_fail for _, first_fail, _ in answers)
    assert max(trials for _, _, trials in answers) < 60


@given(random=st.randoms(use_true_random=False), repeats=st.integers(1, 5), precision=st.floats(0.02, 0.5))
def test_as_many_failed_there_as_would_confirm_a_pass_and_nothing_passed(
    random: Random, repeats: int, precision: float
) -> None:
    rules = Rules(Scale(1.0, 1_000.0, precision), begin=4.0, stride=1.0, majority=Majority(repeats), soaks=False)
    made: list[TrialOutcome] = []
    while (trial := next_trial(rules, made)) is not None:
        made.append(TrialOutcome(trial.level, trial.kind, random.choice([Vote.PASSED, Vote.FAILED])))
    end = upper_end(level_states(made, rules.majority), made, rules.majority)
    found = bracket(made, rules.majority)
    if found.last_pass is None or found.first_fail is None:
        return
    if end.first_fail is None:  # the largest level passed once, and failed more often
        assert end.passed == rules.scale.largest
        return
    assert found.first_fail == end.first_fail
    there = [outcome for outcome in made if outcome.level == end.first_fail]
    assert sum(outcome.vote is Vote.FAILED for outcome in there) >= repeats
    # A short trial may have passed where full ones failed afterwards: it was too kind, and does not count.
    assert all(outcome.kind == "short" for outcome in there if outcome.vote is Vote.PASSED)
    assert rules.scale.is_close(end.passed, end.first_fail)

"""The rules of the search against servers that are a function: no trial is made."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.search.decide import Bracket, Rules, Try, bracket, next_trial
from harness.search.evidence import Majority, Outcome, Vote
from harness.search.levels import Scale

Server = Callable[[Try], Vote]

SCALE = Scale(unit=1.0, ceiling=100_000.0, precision=0.05)


def rules(**changes: object) -> Rules:
    wanted: dict[str, object] = {"scale": SCALE, "begin": 100.0, "stride": 1.0, "majority": Majority(3), "soaks": False}
    return Rules(**{**wanted, **changes})  # type: ignore[arg-type]


def holds(short: float, full: float | None = None, soak: float | None = None) -> Server:
    """A server that holds so much, by the kind of the trial."""
    most = {"short": short, "full": short if full is None else full}
    most["soak"] = most["full"] if soak is None else soak
    return lambda trial: Vote.PASSED if trial.level <= most[trial.kind] else Vote.FAILED


def search(how: Rules, server: Server, most: int = 100_000) -> tuple[Bracket, list[Outcome]]:
    outcomes: list[Outcome] = []
    while (trial := next_trial(how, outcomes)) is not None:
        outcomes.append(Outcome(trial.level, trial.kind, server(trial)))
        assert len(outcomes) <= most, "it does not end"
    return bracket(outcomes, how.majority), outcomes


def tried(outcomes: list[Outcome]) -> list[tuple[float, str]]:
    return [(outcome.level, outcome.kind) for outcome in outcomes]


def test_it_doubles_bisects_and_confirms_both_ends() -> None:
    found, outcomes = search(rules(), holds(430))
    assert tried(outcomes) == [
        (100, "short"),
        (200, "short"),
        (400, "short"),
        (800, "short"),
        (565, "short"),
        (475, "short"),
        (435, "short"),
        (417, "short"),
        (417, "full"),
        (417, "full"),
        (435, "short"),
        (435, "short"),
    ]
    assert found == Bracket(417, 435, 435, 417, is_open=False)
    assert not found.is_open


def test_levels_that_are_neighbours_need_none_between() -> None:
    found, _ = search(rules(begin=1.0), holds(3))
    assert found == Bracket(3, 4, 4, 3, is_open=False)


def test_a_server_that_reaches_the_ceiling() -> None:
    found, outcomes = search(rules(), holds(math.inf))
    assert found == Bracket(100_000, None, None, 100_000, is_open=True)
    assert found.is_open
    assert tried(outcomes)[-2:] == [(100_000, "full"), (100_000, "full")]


def test_below_the_floor_it_halves() -> None:
    found, outcomes = search(rules(), holds(20))
    assert tried(outcomes)[:4] == [(100, "short"), (50, "short"), (25, "short"), (12, "short")]
    assert found == Bracket(20, 21, 21, 20, is_open=False)


def test_a_server_that_holds_nothing() -> None:
    found, outcomes = search(rules(), holds(0))
    assert found == Bracket(None, 1, 1, None, is_open=False)
    assert tried(outcomes)[-2:] == [(1, "short"), (1, "short")]


def test_near_a_hint_a_few_trials_are_enough() -> None:
    found, outcomes = search(rules(begin=7_900.0, stride=0.05), holds(8_000))
    assert tried(outcomes) == [
        (7_900, "short"),
        (8_295, "short"),
        (7_900, "full"),
        (7_900, "full"),
        (8_295, "short"),
        (8_295, "short"),
    ]
    assert found == Bracket(7_900, 8_295, 8_295, 7_900, is_open=False)


def test_from_a_hint_strides_double_until_a_step_doubles_the_level() -> None:
    _, outcomes = search(rules(begin=1_000.0, stride=0.05), holds(math.inf))
    steps = [above.level / level.level for level, above in pairwise(outcomes)][:7]
    assert steps == pytest.approx([1.05, 1.1, 1.2, 1.4, 1.8, 2.0, 2.0], abs=0.001)


def test_a_trial_that_is_not_valid_is_no_step() -> None:
    votes = iter([Vote.PASSED, Vote.INVALID, Vote.PASSED])
    _, outcomes = search(rules(begin=1_000.0, stride=0.05), lambda _: next(votes, Vote.FAILED), most=100)
    assert tried(outcomes)[:4] == [(1_000, "short"), (1_050, "short"), (1_050, "short"), (1_155, "short")]


def test_what_was_reached_lies_below_all_that_failed_and_has_passed() -> None:
    made = [
        Outcome(level, "short", vote) for level, vote in ((100, Vote.PASSED), (200, Vote.FAILED), (400, Vote.PASSED))
    ]
    assert bracket(made, Majority(3)) == Bracket(None, 200, 200, 100, is_open=False)
    assert bracket([Outcome(100, "short", Vote.INVALID)], Majority(3)).reached is None


@pytest.mark.parametrize("limit", [1_000, 7_000, 9_000, 60_000])
def test_a_hint_that_is_wrong_costs_trials_only(limit: int) -> None:
    found, _ = search(rules(begin=7_900.0, stride=0.05), holds(limit), most=30)
    assert found.last_pass is not None
    assert found.first_fail is not None
    assert found.last_pass <= limit < found.first_fail


def test_where_short_trials_are_too_kind_full_ones_decide() -> None:
    found, outcomes = search(rules(), holds(4_000, full=700), most=40)
    assert found.last_pass is not None
    assert found.first_fail is not None
    assert found.last_pass <= 700 < found.first_fail
    refuted = next(index for index, outcome in enumerate(outcomes) if outcome.kind == "full")
    assert {outcome.kind for outcome in outcomes[refuted:]} == {"full"}


def test_a_majority_decides_and_no_trial_is_made_after_it() -> None:
    votes = iter([Vote.FAILED, Vote.PASSED, Vote.PASSED])

    def server(trial: Try) -> Vote:
        return next(votes) if trial.kind == "full" else holds(430)(trial)

    found, outcomes = search(rules(), server)
    assert found == Bracket(417, 435, 435, 417, is_open=False)
    assert Counter(outcome.kind for outcome in outcomes)["full"] == 3


def test_one_hiccup_is_not_the_answer() -> None:
    """A level that failed once, and would be the first fail, is tried again."""
    hiccups = [400.0]

    def server(trial: Try) -> Vote:
        if trial.level in hiccups:
            hiccups.remove(trial.level)
            return Vote.FAILED
        return holds(5_000)(trial)

    found, _ = search(rules(), server)
    assert found.last_pass is not None
    assert found.first_fail is not None
    assert found.last_pass <= 5_000 < found.first_fail


def test_a_soak_that_fails_sends_the_search_down() -> None:
    found, outcomes = search(rules(soaks=True), holds(430, soak=300), most=45)
    assert found.last_pass is not None
    assert found.last_pass <= 300
    assert found.first_fail is not None
    assert SCALE.is_close(found.last_pass, found.first_fail)
    assert outcomes[-1] == Outcome(found.last_pass, "soak", Vote.PASSED)


def test_a_trial_that_is_not_valid_is_made_once_more() -> None:
    invalid = [(400.0, "short"), (417.0, "full")]

    def server(trial: Try) -> Vote:
        if (trial.level, trial.kind) in invalid:
            invalid.remove((trial.level, trial.kind))
            return Vote.INVALID
        return holds(430)(trial)

    found, outcomes = search(rules(), server)
    assert found == Bracket(417, 435, 435, 417, is_open=False)
    assert tried(outcomes)[2:4] == [(400, "short"), (400, "short")]


def test_where_the_generator_ends_so_does_the_search() -> None:
    found, _ = search(rules(), lambda trial: Vote.INVALID if trial.level > 3_000 else Vote.PASSED)
    assert found.last_pass is not None
    assert found.last_pass <= 3_000
    assert found.first_fail is None
    assert found.cap is not None
    assert SCALE.is_close(found.last_pass, found.cap)
    assert found.is_open


def test_a_fail_beyond_what_the_generator_can_do_sure_is_told() -> None:
    def server(trial: Try) -> Vote:
        if trial.level > 3_000:
            return Vote.FAILED
        return Vote.INVALID if trial.level > 2_000 else Vote.PASSED

    found, _ = search(rules(), server)
    assert found.last_pass is not None
    assert found.last_pass <= 2_000
    assert found.first_fail == 3_200
    assert found.is_open


def test_nothing_is_known_before_the_first_trial() -> None:
    assert bracket([], Majority(3)) == Bracket(None, None, None, None, is_open=True)
    assert next_trial(rules(), []) == Try(100, "short")


scales = st.builds(Scale, unit=st.sampled_from([1.0, 0.5]), ceiling=st.floats(10, 1e6), precision=st.floats(0.001, 0.5))
majorities = st.builds(Majority, st.integers(1, 7))


@given(scale=scales, limit=st.floats(0, 2e6), begin=st.floats(1, 1e6), majority=majorities, hinted=st.booleans())
def test_a_monotone_server_is_bracketed_in_logarithmically_many_trials(
    scale: Scale, limit: float, begin: float, majority: Majority, hinted: bool
) -> None:
    how = rules(
        scale=scale, begin=scale.at(begin), stride=scale.precision if hinted else 1.0, majority=majority, soaks=True
    )
    steps = math.log2(scale.ceiling / scale.unit) + math.log2(1 / scale.precision)
    found, outcomes = search(how, holds(limit), most=int(2 * steps) + 2 * majority.repeats + 6)
    if limit < scale.smallest:
        assert found == Bracket(None, scale.smallest, scale.smallest, None, is_open=False)
    elif limit >= scale.largest:
        assert found == Bracket(scale.largest, None, None, scale.largest, is_open=True)
    else:
        assert found.last_pass is not None
        assert found.first_fail is not None
        assert found.last_pass <= limit < found.first_fail
        assert scale.is_close(found.last_pass, found.first_fail)
        assert not found.is_open
        assert outcomes[-1] == Outcome(found.last_pass, "soak", Vote.PASSED)


@given(scale=scales, short=st.floats(0, 2e6), share=st.floats(0, 1), majority=majorities)
def test_full_trials_that_hold_less_cost_logarithmically_many_more(
    scale: Scale, short: float, share: float, majority: Majority
) -> None:
    steps = math.log2(scale.ceiling / scale.unit) + math.log2(1 / scale.precision) + 4
    found, _ = search(
        rules(scale=scale, begin=scale.at(100), majority=majority),
        holds(short, full=short * share),
        most=int(3 * steps) * majority.repeats,
    )
    if found.last_pass is not None:
        assert found.last_pass <= short * share
    if found.first_fail is not None:
        assert found.first_fail > short * share


@given(
    scale=scales,
    majority=majorities,
    begin=st.floats(1, 1e6),
    soaks=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_whatever_a_server_does_the_search_ends_and_passes_only_what_a_majority_passed(
    scale: Scale, majority: Majority, begin: float, soaks: bool, random: Random
) -> None:
    how = rules(scale=scale, begin=scale.at(begin), majority=majority, soaks=soaks)
    found, outcomes = search(how, lambda _: random.choice(list(Vote)))
    full = Counter(outcome for outcome in outcomes if outcome.kind == "full")
    for level in {outcome.level for outcome in outcomes}:
        assert full[Outcome(level, "full", Vote.PASSED)] <= majority.votes
    if found.last_pass is not None:
        assert full[Outcome(found.last_pass, "full", Vote.PASSED)] == majority.votes
        assert full[Outcome(found.last_pass, "full", Vote.FAILED)] < majority.veto
        assert not soaks or Outcome(found.last_pass, "soak", Vote.PASSED) in outcomes
    if found.last_pass is not None and found.cap is not None:
        assert scale.is_close(found.last_pass, found.cap)

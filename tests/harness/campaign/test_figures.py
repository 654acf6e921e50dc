import math
from collections.abc import Iterable

import msgspec
import pytest

from harness.campaign.figures import MEASURED, compare, mean, ratios_of_limits, values
from harness.campaign.verdicts import judged
from harness.records.campaign import Figure, Measurement, Ratio
from tests.harness.made_records import a_limit, a_measurement

FAST = [a_measurement(art, served=8_000) for art in (0.050, 0.051, 0.052)]
SLOW = [a_measurement(art, served=8_000) for art in (0.100, 0.101, 0.102)]
FEW = [a_measurement(0.001, served=974) for _ in range(3)]


def ratios(a: list[Measurement], b: list[Measurement]) -> list[Ratio]:
    return [judged(figure, compare(figure, a, {"b": b}))["b"] for figure in MEASURED]


def judgements(found: Iterable[Ratio]) -> dict[Figure, str]:
    return {ratio.figure: ratio.judgement for ratio in found}


def test_figures_are_of_valid_trials_that_have_them() -> None:
    trials = [*FAST, msgspec.structs.replace(FAST[0], valid=False, art_mean_s=9.0), a_measurement(None)]
    assert values(trials, "art") == [0.050, 0.051, 0.052]
    assert mean(trials, "art") == pytest.approx(0.051)
    assert mean([], "art") is None


def test_every_figure_of_a_trial_is_compared() -> None:
    found = judgements(ratios(FAST, SLOW))
    assert found == {
        "served": "no change seen",
        "art": "worse",
        "response_p99": "worse",
        "fanout": "no change seen",
        "fanout_last": "no change seen",
        "memory": "no change seen",
    }


def test_invalid_trials_are_not_counted() -> None:
    late = msgspec.structs.replace(SLOW[0], valid=False)
    assert {ratio.b_count for ratio in ratios(FAST, [*SLOW, late])} == {3}


def test_a_server_that_serves_few_is_not_praised_for_their_times() -> None:
    found = judgements(ratios(FAST, FEW))
    assert found["served"] == "worse"
    assert found["memory"] == "no change seen"
    assert {found[figure] for figure in ("art", "response_p99", "fanout", "fanout_last")} == {"not measured"}
    assert judgements(ratios(FEW, FAST))["art"] == "not measured"


def test_how_long_those_waited_who_were_not_answered_is_compared_however_many_were() -> None:
    told, not_told = (
        [msgspec.structs.replace(trial, refusal_mean_s=waited_s + trial.art_mean_s) for trial in trials]
        for trials, waited_s in ((FAST, 0.0), (FEW, 3.0))
    )
    assert judged("refusal", compare("refusal", told, {"b": not_told}))["b"].judgement == "worse"
    assert judged("art", compare("art", told, {"b": not_told}))["b"].judgement == "not measured"


def test_nothing_is_compared_with_nothing() -> None:
    assert set(judgements(ratios(FAST, [])).values()) == {"not measured"}


def test_limits_are_compared_by_their_dimension() -> None:
    a = (a_limit("N", 1000, 1050), a_limit("C", 5, 6))
    found = ratios_of_limits(a, (a_limit("C", 500, 550),))
    assert judgements(found) == {"N": "not measured", "C": "too few runs", "burst C": "not measured"}


def test_a_time_that_only_some_trials_have_is_not_compared() -> None:
    lucky = [SLOW[0], *(msgspec.structs.replace(trial, fanout_mean_s=None) for trial in SLOW[1:])]
    assert judgements(ratios(FAST, lucky))["fanout"] == "not measured"
    assert judgements(ratios(FAST, lucky))["art"] == "worse"


FAILING = [SLOW[0], *(msgspec.structs.replace(trial, response_p99_s=None) for trial in SLOW[1:])]


def test_a_p99_among_those_who_failed_is_infinite_and_so_is_the_mean() -> None:
    assert values(FAILING, "response_p99") == [pytest.approx(0.3), math.inf, math.inf]
    assert mean(FAILING, "response_p99") == math.inf
    lost, silent = (a_measurement(fanout_p99_s=None, lost=lost) for lost in (7, None))
    assert (values([lost], "fanout_p99"), values([silent], "fanout_p99")) == ([math.inf], [])


@pytest.mark.parametrize(
    ("a", "b", "judgement"),
    [(FAST, FAILING, "fails"), (FAILING, FAST, "reference fails"), (FAILING, FAILING, "both fail")],
)
def test_of_an_infinite_p99_there_is_no_ratio_and_the_judgement_says_who_fails(
    a: list[Measurement], b: list[Measurement], judgement: str
) -> None:
    found = next(ratio for ratio in ratios(a, b) if ratio.figure == "response_p99")
    assert (found.value, found.low, found.high, found.p, found.adjusted_p) == (None,) * 5
    assert (found.judgement, found.a_count, found.b_count) == (judgement, 3, 3)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Ratio) == found
    others = {ratio.judgement for ratio in ratios(a, b) if ratio.figure != "response_p99"}
    assert "fails" not in others


def test_one_who_fails_makes_the_others_neither_surer_nor_less_sure() -> None:
    alone = compare("response_p99", FAST, {"b": SLOW})["b"]
    beside = compare("response_p99", FAST, {"b": SLOW, "c": FAILING})["b"]
    assert alone == beside


def test_a_memory_that_did_not_grow_is_not_compared() -> None:
    floor = [a_measurement(memory_per_connection_bytes=each) for each in (-1.4, 0.5, 1.0)]
    assert judgements(ratios(floor, FAST))["memory"] == "not measured"
    assert judgements(ratios(FAST, floor))["memory"] == "not measured"

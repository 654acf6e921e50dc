import msgspec
import pytest

from harness.campaign.comparing import Comparable, ComparisonError, Side, compare
from harness.records.asked import AskedEvents, Placement
from harness.records.campaign import Comparison, FoundLimit
from harness.records.trial import TrialResult
from tests.harness.campaign.doubles import a_trial_of
from tests.harness.made_records import a_limit, a_search, a_staircase, an_ablation
from tests.harness.results import a_machine, a_result


def compared(a: Comparable, b: Comparable) -> Comparison:
    return compare(Side("a.json", a), Side("b.json", b))


def repeats(*arts_s: float, **changes: bool) -> tuple[TrialResult, ...]:
    return tuple(a_trial_of(art_s=art_s, **changes) for art_s in arts_s)


def judgement(found: Comparison, figure: str, of: str | None = None) -> str:
    (ratio,) = (ratio for ratio in found.ratios if ratio.figure == figure and ratio.of == of)
    return ratio.judgement


def test_repeats_are_compared_run_by_run() -> None:
    found = compared(repeats(0.10, 0.11, 0.105), repeats(0.20, 0.21, 0.19))
    assert judgement(found, "art") == "worse"
    assert found.warnings == ()


TOO_FEW = "too few runs: a judgement needs 3 valid ones on each side"


@pytest.mark.parametrize(("a", "b"), [((0.1,), (9.0,)), ((0.1, 0.1), (9.0, 9.0)), ((0.1,), (9.0,) * 5)])
def test_few_runs_are_never_called_better_or_worse(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    found = compared(repeats(*a), repeats(*b))
    assert judgement(found, "art") == "too few runs"
    assert found.warnings == (TOO_FEW,)


def test_invalid_trials_are_left_out() -> None:
    found = compared(repeats(0.1, 0.1, 0.1), (*repeats(0.1, 0.1, 0.1), *repeats(9.0, valid=False)))
    assert {ratio.b_count for ratio in found.ratios} == {3}
    with pytest.raises(ComparisonError, match=r"b.json has no valid trial"):
        compared(repeats(0.1), repeats(0.1, valid=False))


def test_trials_of_several_loads_are_no_repeats() -> None:
    with pytest.raises(ComparisonError, match=r"a.json has trials of several servers or loads"):
        compared((*repeats(0.1), a_result()), repeats(0.1))


def test_another_load_is_refused() -> None:
    with pytest.raises(ComparisonError, match=r"the loads differ, N=900, C=4 every 25\.0 ms and N=900"):
        compared(repeats(0.1), (a_result(),))


def test_two_kinds_are_refused() -> None:
    with pytest.raises(ComparisonError, match=r"a.json is trials and b.json a staircase"):
        compared(repeats(0.1), a_staircase())


def test_one_search_each_has_a_ratio_and_no_judgement() -> None:
    better = a_search(last_pass=3_000.0, first_fail=3_200.0)
    assert judgement(compared(a_search(), better), "N") == "too few runs"
    assert compared(a_search(), better).ratios[0].value == 2.0
    rate = msgspec.structs.replace(a_search().asked, dimension="rate")
    assert judgement(compared(a_search(asked=rate), a_search(asked=rate)), "rate") == "too few runs"
    with pytest.raises(ComparisonError, match="A is a search for N, B for rate"):
        compared(a_search(), a_search(asked=rate))


def thrice(limit: FoundLimit) -> FoundLimit:
    return msgspec.structs.replace(limit, files=limit.files * 3)


def test_staircases_are_compared_step_by_step() -> None:
    before, after = a_staircase(), a_staircase()
    first = after.steps[0]
    first = msgspec.structs.replace(first, limits=tuple(thrice(limit) for limit in first.limits))
    moved = msgspec.structs.replace(first, limits=(thrice(a_limit("N", 4_000, 4_100)), first.limits[1]))
    before = msgspec.structs.replace(before, steps=(first, *before.steps[1:]))
    found = compared(before, msgspec.structs.replace(after, steps=(moved, *after.steps[1:-1])))
    assert judgement(found, "N", "stage 0, limit of N") == "better"
    assert judgement(found, "C", "stage 0, limit of C") == "no change seen"
    assert judgement(found, "art", "stage 0, N=900, C=4 every 25.0 ms") == "no change seen"
    assert "only A has the floor, limit of N" in found.warnings
    assert not any("only B" in warning for warning in found.warnings)


def test_staircases_without_a_common_step_are_refused() -> None:
    some = a_staircase()
    with pytest.raises(ComparisonError, match="nothing in common"):
        compared(
            msgspec.structs.replace(some, steps=some.steps[:1]), msgspec.structs.replace(some, steps=some.steps[1:2])
        )


def test_a_part_with_few_runs_says_so() -> None:
    some = a_staircase()
    step = some.steps[0]
    once = msgspec.structs.replace(step.loads[0], trials=step.loads[0].trials[:1])
    one = msgspec.structs.replace(some, steps=(msgspec.structs.replace(step, loads=(once,)),))
    assert compared(one, one).warnings == (TOO_FEW,)


def test_ablations_are_compared_server_by_server() -> None:
    found = compared(an_ablation(), an_ablation())
    assert {ratio.judgement for ratio in found.ratios} <= {"no change seen", "not measured"}
    assert {"stage 2.5, waves", "stage 0, few"} <= {ratio.of for ratio in found.ratios}


def test_what_differs_is_told() -> None:
    (plain,) = repeats(0.1)
    asked = msgspec.structs.replace(
        plain.asked,
        target=msgspec.structs.replace(plain.asked.target, name="stage 1"),
        slo="failures=1",
        events=AskedEvents(count=3, rate_per_s=1.0),
        placement=Placement(network="netns"),
    )
    other = msgspec.structs.replace(plain, asked=asked, machine=msgspec.structs.replace(a_machine(), kernel="Linux 7"))
    warnings = compared((plain,) * 3, (other,) * 3).warnings
    assert warnings == (
        "the servers differ: stage 0 in A, stage 1 in B",
        "the SLOs differ: failures=0 in A, failures=1 in B",
        "the events differ: 21 at 5/s in A, 3 at 1/s in B",
        "they ran in different places: another network, or on other CPUs, or under other kernel settings",
        "the kernel differs: Linux 6.1 in A, Linux 7 in B",
    )


def test_the_commits_are_told_and_are_no_warning() -> None:
    (plain,) = repeats(0.1)
    later = msgspec.structs.replace(plain, machine=msgspec.structs.replace(a_machine(), commit="0123456789+"))
    found = compared((plain,) * 3, (later,) * 3)
    assert (found.a, found.b) == ("a.json", "b.json (commit 0123456+)")
    assert found.warnings == ()

from dataclasses import replace

import pytest

from harness.campaign.findings import Findings
from harness.campaign.plan import Planned, PlannedSearch, PlannedTrial, again, searches_of
from harness.campaign.run import Campaign, CampaignTerms, title_of
from harness.records.search import State
from harness.targets.target import TargetError
from tests.harness.campaign.doubles import LIGHT, FakeBench, Told, a_server, a_trial_of
from tests.harness.made_records import a_search

ZERO, ONE = a_server("0"), a_server("1")
TRIALS = tuple(PlannedTrial(server, LIGHT, repeat) for repeat in (1, 2) for server in (ZERO, ONE))
FIRST, SECOND, THIRD, FOURTH = (planned.file for planned in TRIALS)


class Run:
    """A campaign on a fake bench, and every state that its summary had."""

    def __init__(self, plan: tuple[Planned, ...], bench: FakeBench, **terms: object) -> None:
        self.bench = bench
        self.findings = Findings()
        self.told = Told()
        self.states: list[State] = []
        asked = replace(CampaignTerms(now=bench.now), **terms)  # type: ignore[arg-type]
        self.campaign = Campaign(plan, bench, self.findings, self.states.append, self.told, asked)

    def state(self) -> State:
        return self.campaign.run()


def test_everything_is_made_in_order_and_the_summary_is_kept_after_each() -> None:
    run = Run(TRIALS, FakeBench())
    assert run.state() == "done"
    assert run.bench.made == [FIRST, SECOND, THIRD, FOURTH]
    assert run.states == ["interrupted"] * 5 + ["done"]
    assert list(run.findings.trials) == [FIRST, SECOND, THIRD, FOURTH]
    assert [upcoming.title for upcoming in run.told.announced] == [
        "stage 0, N=900, C=4, repeat 1",
        "stage 1, N=900, C=4, repeat 1",
        "stage 0, N=900, C=4, repeat 2",
        "stage 1, N=900, C=4, repeat 2",
    ]


def test_the_time_left_is_told_from_the_second_step_on() -> None:
    run = Run(TRIALS, FakeBench())
    run.state()
    assert [(upcoming.number, upcoming.left_s) for upcoming in run.told.announced] == [
        (1, None),
        (2, 3.0),
        (3, 2.0),
        (4, 1.0),
    ]


def test_no_time_left_is_told_before_a_step_of_each_kind_was_made() -> None:
    plan = (TRIALS[0], *searches_of((ZERO,), ("N",), {}), TRIALS[2])
    run = Run(plan, FakeBench())
    run.state()
    assert [upcoming.left_s for upcoming in run.told.announced] == [None, None, 1.0]


def test_what_is_there_is_not_made_again() -> None:
    bench = FakeBench(there={FIRST: a_trial_of("stage 0"), SECOND: a_trial_of("stage 1")})
    run = Run(TRIALS, bench)
    assert run.state() == "done"
    assert bench.made == [THIRD, FOURTH]
    assert run.told.lines == ["2 of 4 are there already and are kept: --fresh measures anew"]
    assert [upcoming.number for upcoming in run.told.announced] == [3, 4]
    assert set(run.findings.trials) == {FIRST, SECOND, THIRD, FOURTH}


def test_ctrl_c_keeps_what_was_measured() -> None:
    run = Run(TRIALS, FakeBench(raises={THIRD: KeyboardInterrupt()}))
    with pytest.raises(KeyboardInterrupt):
        run.state()
    assert run.states[-1] == "interrupted"
    assert list(run.findings.trials) == [FIRST, SECOND]


def test_nothing_is_begun_that_would_not_be_over_in_time() -> None:
    run = Run(TRIALS, FakeBench(), budget_s=2.5)
    assert run.state() == "out of budget"
    assert run.bench.made == [FIRST, SECOND]
    assert run.states[-1] == "out of budget"


def test_no_time_at_all_makes_nothing() -> None:
    run = Run(TRIALS, FakeBench(), budget_s=0.0)
    assert run.state() == "out of budget"
    assert run.bench.made == []


def test_a_server_that_may_refuse_is_not_asked_twice() -> None:
    bench = FakeBench(raises={SECOND: TargetError("it ended with status 2: matchstream: makes no sense")})
    run = Run(TRIALS, bench, tolerates=frozenset({"stage-1"}))
    assert run.state() == "done"
    assert bench.made == [FIRST, SECOND, THIRD]
    assert run.findings.refusals == {"stage-1": "makes no sense"}


def test_any_other_server_that_does_not_start_ends_the_campaign() -> None:
    run = Run(TRIALS, FakeBench(raises={SECOND: TargetError("makes no sense")}))
    with pytest.raises(TargetError, match="makes no sense"):
        run.state()
    assert run.states[-1] == "interrupted"


def test_a_machine_that_is_not_at_rest_is_told_and_measured_all_the_same() -> None:
    run = Run(TRIALS[:1], FakeBench(disturbances=("60% of the CPU is used by others",)))
    assert run.state() == "done"
    assert run.told.lines == [
        "the machine is not at rest: 60% of the CPU is used by others; stage 0, N=900, C=4, repeat 1 goes on"
    ]


def test_a_search_has_the_limit_of_the_one_before_as_its_hint() -> None:
    nodes = replace(ONE, nodes=4)
    plan = (*searches_of((ZERO, nodes), ("N", "C"), {}), PlannedSearch(a_server("2.1"), "C", 500.0))
    bench = FakeBench()
    run = Run(plan, bench)
    assert run.state() == "done"
    assert bench.hints == {
        "stage-0-search-n-1": None,
        "stage-0-search-c-1": None,
        "stage-1-search-n-1": 6_000.0,
        "stage-1-search-c-1": 1_500.0,
        "stage-2.1-search-c-1": 500.0,
    }
    assert run.findings.searches["stage-0-search-n-1"].last_pass == 1_500


def test_where_a_hint_is_not_known_yet_its_own_counts() -> None:
    zero, one = searches_of((ZERO, ONE), ("N",), {"N": 900})
    bench = FakeBench()
    Run((one, zero, again(one, 2)), bench).state()
    assert bench.hints == {one.file: 900, zero.file: 900, "stage-1-search-n-2": 1_500.0}


def test_a_search_that_found_nothing_is_no_hint() -> None:
    plan = searches_of((ZERO, ONE), ("N",), {})
    bench = FakeBench(there={"stage-0-search-n-1": a_search(last_pass=None)})
    Run(plan, bench).state()
    assert bench.hints == {"stage-1-search-n-1": None}


def test_titles() -> None:
    assert title_of(PlannedTrial(ZERO, LIGHT, 2)) == "stage 0, N=900, C=4, repeat 2"
    assert title_of(PlannedSearch(ZERO, "N")) == "stage 0, search 1 for N"

"""The staircase and the ablation, from their plans to their summaries, without a server."""

from datetime import UTC, datetime

import pytest

from harness.campaign import ablation as ablating
from harness.campaign.ablation import Subject, ablation
from harness.campaign.bench import FULL_EFFORT, Circumstances, Conditions
from harness.campaign.findings import Findings
from harness.campaign.plan import GENTLE, GENTLEST, PlannedSearch, PlannedTrial, Server
from harness.campaign.run import Campaign, Terms
from harness.campaign.staircase import HEAVY, LIGHT, STAGES, Outline, floor_server, outline, stage_server, staircase
from harness.records.campaign import Ablation, Staircase
from harness.records.trial import Placement
from harness.targets.target import TargetError
from harness.trial.figures.slo import parse_slo
from tests.harness.campaign.doubles import FakeBench, Told
from tests.harness.results import a_machine
from tests.needs import needs

AROUND = Circumstances(
    Conditions(parse_slo("failures=0"), FULL_EFFORT, Placement()), a_machine(), datetime(2026, 1, 2, tzinfo=UTC)
)
LESSONS = {"0": (), "1": ("open-files",), "2.1": ("open-files", "backlog"), "3": ("open-files", "backlog", "nodes")}
WHOLE = ablating.FixedLoad(n=8_000, c=1_000, interval_s=0.25, events=10, rate_per_s=5.0)


def servers(*stages: str) -> list[Server]:
    return [stage_server(stage, LESSONS[stage], 4) for stage in stages]


def climbed(plan: Outline, bench: FakeBench) -> Staircase:
    findings = Findings()
    state = Campaign(plan.plan, bench, findings, lambda _: None, Told(), Terms(a_machine(), now=bench.now)).run()
    return staircase(plan, findings, AROUND, state)


def ablated(plan: ablating.Outline, bench: FakeBench) -> Ablation:
    findings = Findings()
    terms = Terms(a_machine(), now=bench.now, tolerates=plan.altered_keys)
    state = Campaign(plan.plan, bench, findings, lambda _: None, Told(), terms).run()
    return ablation(plan, findings, AROUND, state)


def test_a_staircase_has_every_step_with_its_limits_and_loads() -> None:
    found = climbed(outline(servers("0", "2.1"), 3, quick=False), FakeBench())
    assert [step.target.name for step in found.steps] == ["stage 0", "stage 2.1"]
    for step in found.steps:
        assert [limit.dimension for limit in step.limits] == ["N", "C"]
        assert [repeats.load for repeats in step.loads] == [LIGHT.asked, HEAVY.asked]
        assert [len(repeats.trials) for repeats in step.loads] == [3, 3]
    assert (found.state, found.repeats, found.quick, found.slo) == ("done", 3, False, "failures=0")


def test_what_was_not_measured_yet_is_left_out() -> None:
    plan = outline(servers("0", "1"), 2, quick=False)
    findings = Findings()
    bench = FakeBench(raises={"stage-1-n900-c4-1.json": KeyboardInterrupt()})
    campaign = Campaign(plan.plan, bench, findings, lambda _: None, Told(), Terms(a_machine(), now=bench.now))
    with pytest.raises(KeyboardInterrupt):
        campaign.run()
    found = staircase(plan, findings, AROUND, "interrupted")
    assert [step.target.name for step in found.steps] == ["stage 0"]
    assert [len(repeats.trials) for repeats in found.steps[0].loads] == [1, 1]
    assert found.steps[0].limits == ()
    assert staircase(plan, Findings(), AROUND, "interrupted").started_at == AROUND.started_at


def test_a_quick_one_measures_once_and_searches_where_a_limit_moves() -> None:
    plan = outline(servers("0", "1", "2.1"), 3, quick=True)
    bench = FakeBench()
    found = climbed(plan, bench)
    assert {planned.repeat for planned in plan.plan if isinstance(planned, PlannedTrial)} == {1}
    assert set(bench.hints) == {
        "stage-0-search-n.json",
        "stage-0-search-c.json",
        "stage-2.1-search-n.json",
        "stage-2.1-search-c.json",
    }
    assert all(hint is not None for hint in bench.hints.values())
    assert (found.repeats, found.quick) == (1, True)


def test_only_a_stage_with_nodes_gets_them_and_fans_arrive_as_its_queue_allows() -> None:
    zero, one, three = servers("0", "1", "3")
    assert (zero.nodes, three.nodes) == (1, 4)
    assert (one.arrivals, three.arrivals) == (GENTLEST, GENTLE)
    variant = three.make().variant
    assert variant is not None
    assert (three.name, variant.nodes) == ("stage 3, 4 nodes", 4)


def test_all_stages_are_there() -> None:
    assert STAGES == ("0", "1", "2.1", "2.2", "2.3", "2.4", "2.5", "3")


@needs("cc", "gcc libc6-dev")
def test_the_floor_is_a_step() -> None:
    server = floor_server()
    assert (server.key, server.make().peer) == ("floor", "floor")


def test_each_lesson_is_left_out_and_added() -> None:
    subject = Subject("2.1", ("open-files", "backlog"), ("open-files", "backlog"))
    art_s = {"stage-2.1-without-backlog": 0.004, "baseline-with-backlog": 0.001}
    bench = FakeBench(art_s=lambda key: art_s.get(key, 0.002))
    found = ablated(ablating.outline(subject, WHOLE, 3, with_limits=False), bench)
    assert [(worth.lesson, worth.change) for worth in found.lessons] == [
        ("open-files", "left out"),
        ("backlog", "left out"),
        ("open-files", "added"),
        ("backlog", "added"),
    ]
    judged = [{ratio.figure: ratio.judgement for ratio in worth.ratios} for worth in found.lessons]
    assert [of["art"] for of in judged] == ["no change seen", "worse", "no change seen", "better"]
    assert {of["N"] for of in judged} == {"not measured"}
    assert found.whole.target.name == "stage 2.1"
    assert found.baseline.target.name == "stage 0"
    assert found.whole.load == WHOLE.asked
    assert len(found.baseline.trials) == 3
    assert bench.made[:4] == [
        "stage-2.1-n8000-c1000-1.json",
        "baseline-n900-c4-1.json",
        "stage-2.1-without-open-files-n8000-c1000-1.json",
        "stage-2.1-without-backlog-n8000-c1000-1.json",
    ]


def test_a_change_that_the_server_refuses_has_its_reason_and_no_figures() -> None:
    subject = Subject("3", ("db-writer", "db-readers"), ("db-writer",))
    refused = "stage-3-without-db-writer-n8000-c1000-1.json"
    found = ablated(
        ablating.outline(subject, WHOLE, 2, with_limits=False),
        FakeBench(raises={refused: TargetError("db-readers makes no sense without db-writer")}),
    )
    left_out, added = found.lessons
    assert left_out.refused == "db-readers makes no sense without db-writer"
    assert (left_out.measured, left_out.ratios) == (None, ())
    assert added.refused is None
    assert added.measured is not None


def test_limits_are_searched_from_those_of_the_reference_on() -> None:
    subject = Subject("2.1", ("open-files", "backlog"), ("backlog",))
    plan = ablating.outline(subject, WHOLE, 1, with_limits=True)
    searches = [planned for planned in plan.plan if isinstance(planned, PlannedSearch)]
    hints = {planned.file: planned.hint.file for planned in searches if isinstance(planned.hint, PlannedSearch)}
    assert hints == {
        "stage-2.1-without-backlog-search-n.json": "stage-2.1-search-n.json",
        "stage-2.1-without-backlog-search-c.json": "stage-2.1-search-c.json",
        "baseline-with-backlog-search-n.json": "baseline-search-n.json",
        "baseline-with-backlog-search-c.json": "baseline-search-c.json",
    }
    assert [planned.server.arrivals for planned in searches] == [
        GENTLE, GENTLE, GENTLEST, GENTLEST, GENTLEST, GENTLEST, GENTLE, GENTLE
    ]  # fmt: skip
    found = ablated(plan, FakeBench())
    assert [limit.last_pass for limit in found.whole_limits] == [1_500, 1_500]
    assert {ratio.figure: ratio.judgement for ratio in found.lessons[0].ratios}["N"] == "no change seen"


def test_an_ablation_before_its_first_trial_names_its_references() -> None:
    subject = Subject("2.1", ("open-files", "backlog"), ("backlog",))
    found = ablation(ablating.outline(subject, WHOLE, 1, with_limits=False), Findings(), AROUND, "interrupted")
    assert (found.whole.target.name, found.whole.trials) == ("stage 2.1", ())
    assert [worth.measured for worth in found.lessons] == [None, None]

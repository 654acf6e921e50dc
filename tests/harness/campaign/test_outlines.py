"""The staircase and the ablation, from their plans to their summaries, without a server."""

from collections import Counter

import pytest

from harness.campaign import ablation as ablating
from harness.campaign.ablation import Subject, ablation
from harness.campaign.findings import Findings
from harness.campaign.plan import GENTLE, GENTLEST, MeasuredServer, PlannedTrial
from harness.campaign.run import Campaign, CampaignTerms
from harness.campaign.scenarios import SCENARIOS, chosen
from harness.campaign.staircase import (
    HEAVY,
    LIGHT,
    STAGES,
    TALKS_LOADS,
    Outline,
    floor_server,
    outline,
    stage_server,
    staircase,
)
from harness.records.campaign import Ablation, Staircase
from harness.targets.target import TargetError
from harness.units import show_load
from tests.harness.campaign.doubles import AROUND, FakeBench, Told
from tests.needs import needs

LESSONS = {"0": (), "1": ("open-files",), "2.1": ("open-files", "backlog"), "3": ("open-files", "backlog", "nodes")}


def servers(*stages: str) -> list[MeasuredServer]:
    return [stage_server(stage, LESSONS[stage], 4) for stage in stages]


def climbed(plan: Outline, bench: FakeBench) -> Staircase:
    findings = Findings()
    state = Campaign(plan.plan, bench, findings, lambda _: None, Told(), CampaignTerms(now=bench.now)).run()
    return staircase(plan, findings, AROUND, state)


def ablated(plan: ablating.Outline, bench: FakeBench) -> Ablation:
    findings = Findings()
    terms = CampaignTerms(now=bench.now, tolerates=plan.altered_keys)
    state = Campaign(plan.plan, bench, findings, lambda _: None, Told(), terms).run()
    return ablation(plan, findings, AROUND, state)


def test_a_staircase_has_every_step_with_its_limits_and_loads() -> None:
    found = climbed(outline(servers("0", "2.1"), 3, 2012, quick=False), FakeBench())
    assert [step.target.name for step in found.steps] == ["stage 0", "stage 2.1"]
    for step, talks, trials in zip(found.steps, ("0", "2.1"), (3, 6), strict=True):
        assert [limit.dimension for limit in step.limits] == ["N", "C", "burst C"]
        assert [len(limit.files) for limit in step.limits] == [1, 3, 1]
        loads = dict.fromkeys((LIGHT.asked, HEAVY.asked, TALKS_LOADS[talks].asked))
        assert [repeats.load for repeats in step.loads] == list(loads)
        assert {len(repeats.trials) for repeats in step.loads} == {trials}
    assert (found.state, found.rounds, found.quick, found.slo) == ("done", 3, False, "failures=0")


def test_each_step_is_compared_with_the_one_before_and_the_placebo_with_itself() -> None:
    art_s = {"stage-0": 0.004, "stage-1": 0.002, "stage-2.1": 0.002, "stage-2.1-placebo": 0.002}
    found = climbed(outline(servers("0", "1", "2.1"), 3, 2012, quick=False), FakeBench(art_s=art_s.__getitem__))
    judged = [
        {(ratio.figure, ratio.of): ratio.judgement for ratio in step.ratios if ratio.figure in {"art", "C"}}
        for step in found.steps
    ]
    light, heavy = (show_load(load.asked) for load in (LIGHT, HEAVY))
    assert judged[0] == {}
    assert judged[1][("art", light)] == "better"
    assert judged[2] == {
        ("C", None): "no change seen",
        ("art", light): "no change seen",
        ("art", heavy): "no change seen",
    }
    assert found.placebo is not None
    assert [len(repeats.trials) for repeats in found.placebo.loads] == [3, 3]
    assert {ratio.judgement for ratio in found.placebo.ratios} == {"no change seen"}
    assert (found.placebo_verdicts.compared, found.placebo_verdicts.false) == (len(found.placebo.ratios), 0)


def test_what_was_not_measured_yet_is_left_out() -> None:
    plan = outline(servers("0", "1"), 2, 2012, quick=False)
    findings = Findings()
    third = plan.plan[2].file
    bench = FakeBench(raises={third: KeyboardInterrupt()})
    campaign = Campaign(plan.plan, bench, findings, lambda _: None, Told(), CampaignTerms(now=bench.now))
    with pytest.raises(KeyboardInterrupt):
        campaign.run()
    found = staircase(plan, findings, AROUND, "interrupted")
    seen = [*(step for step in found.steps), *([] if found.placebo is None else [found.placebo])]
    count = sum(len(repeats.trials) for step in seen for repeats in step.loads)
    assert count + sum(len(limit.files) for step in seen for limit in step.limits) == 2
    assert staircase(plan, Findings(), AROUND, "interrupted").started_at == AROUND.started_at


def test_a_quick_one_measures_once_and_searches_where_a_limit_moves() -> None:
    plan = outline(servers("0", "1", "2.1"), 3, 2012, quick=True)
    bench = FakeBench()
    found = climbed(plan, bench)
    assert {planned.repeat for planned in plan.plan if isinstance(planned, PlannedTrial)} == {1}
    assert set(bench.hints) == {
        "stage-0-search-n-1",
        "stage-0-search-c-1",
        "stage-2.1-search-n-1",
        "stage-2.1-search-c-1",
    }
    assert all(hint is not None for hint in bench.hints.values())
    assert (found.rounds, found.quick, found.placebo) == (1, True, None)


def test_only_a_stage_with_nodes_gets_them_and_fans_arrive_as_its_queue_allows() -> None:
    zero, one, three = servers("0", "1", "3")
    assert (zero.nodes, three.nodes) == (1, 4)
    assert (one.arrivals, three.arrivals) == (GENTLEST, GENTLE)
    variant = three.make().variant
    assert variant is not None
    assert (three.name, variant.nodes) == ("stage 3, 4 nodes", 4)


def test_a_stage_whose_nodes_have_workers_gets_as_many_of_those_in_one_node() -> None:
    four = stage_server("4", (*LESSONS["3"], "workers"), 4)
    variant = four.make().variant
    assert variant is not None
    assert (four.name, variant.nodes, variant.workers) == ("stage 4, 4 workers", None, 4)
    assert (four.nodes, four.likely_n) == (4, None)


def test_all_stages_are_there_and_each_has_a_load_of_its_own() -> None:
    assert STAGES == ("0", "1", "2.1", "2.2", "2.3", "2.4", "2.5", "3", "4")
    assert tuple(TALKS_LOADS) == STAGES
    assert TALKS_LOADS["4"].asked == TALKS_LOADS["2.5"].asked  # one process each


@needs("cc", "gcc libc6-dev")
def test_the_floor_is_a_step() -> None:
    server = floor_server()
    assert (server.key, server.make().peer) == ("floor", "floor")


SUBJECT = Subject(
    {"0": (), "1": ("open-files",), "2.1": ("open-files", "backlog"), "2.3": ("open-files", "backlog", "logging")},
    ("open-files", "backlog", "logging"),
)


def an_outline(*scenarios: str, rounds: int = 3) -> ablating.Outline:
    return ablating.outline(SUBJECT, chosen(scenarios), rounds, seed=2012)


def test_each_lesson_is_left_out_where_it_came_and_last_in_the_scenarios_that_exercise_it() -> None:
    plan = an_outline("gentle", "waves")
    altered = {
        (group.scenario.name, group.stage, one.lesson, one.change) for group in plan.groups for one in group.altered
    }
    assert altered == {
        ("gentle", "1", "open-files", "left out"),
        ("gentle", "2.3", "open-files", "left out"),
        ("gentle", "0", "open-files", "added"),
        ("waves", "2.1", "backlog", "left out"),
        ("waves", "2.3", "backlog", "left out"),
        ("waves", "2.3", "logging", "left out"),
        ("few", "0", "logging", "added"),
    }
    assert {(one.lesson, one.change, one.stage) for one in plan.unexercised} == {("backlog", "added", "0")}


def test_a_lesson_is_left_out_of_no_stage_in_which_it_changes_nothing() -> None:
    those = ("backlog", "hibernate")
    lessons = {"0": (), "2.1": those, "2.5": those, "3": those, "4": (*those, "fd-plane")}
    subject = Subject(lessons, ("backlog", "hibernate", "fd-plane"))
    assert subject.left_out_of("backlog") == ("2.1", "4")
    assert subject.left_out_of("hibernate") == ("2.1", "3")
    assert subject.left_out_of("fd-plane") == ("4",)
    plan = ablating.outline(subject, chosen(["waves", "large-waves"]), 1, seed=1)
    altered = {(group.stage, one.lesson) for group in plan.groups for one in group.altered if group.stage != "0"}
    assert altered == {
        ("2.1", "backlog"),
        ("2.1", "hibernate"),
        ("3", "hibernate"),
        ("4", "backlog"),
        ("4", "fd-plane"),
    }


def test_what_stands_on_a_lesson_is_left_out_on_both_sides_and_fans_come_by_the_door_of_the_scenario() -> None:
    these = ("fd-plane", "resume", "drain", "event-source", "websocket")
    subject = Subject({"0": (), "4": these}, these)
    plan = ablating.outline(subject, chosen(["reconnects", "leaving", "browsers"]), 1, seed=1)
    options = {
        (group.scenario.name, one.lesson): tuple(
            " ".join(arm.server.make().variant.options[2:]) for arm in (group.reference, one.arm)
        )
        for group in plan.groups
        for one in group.altered
        if group.stage == "4"
    }
    doors = "--without event-source --without websocket"
    assert options == {
        ("reconnects", "resume"): (doors, f"{doors} --without resume"),
        ("leaving", "drain"): ("--without listeners --nodes 2", "--without listeners --without drain --nodes 2"),
        ("browsers", "event-source"): ("--browser-port 0", "--without event-source --browser-port 0"),
    }
    assert all(group.placebo.server.make().variant == group.reference.server.make().variant for group in plan.groups)


def test_a_reference_is_measured_twice_a_round_its_placebo_and_the_others_once() -> None:
    plan = an_outline("waves", rounds=5)
    trials = Counter(planned.server.key for planned in plan.plan)
    for group in plan.groups:
        assert trials[group.reference.server.key] == 10
        assert {trials[arm.server.key] for arm in group.arms[1:]} == {5}
        reference, placebo = (arm.server.make().variant for arm in (group.reference, group.placebo))
        assert reference == placebo
    assert len(plan.plan) == len({planned.file for planned in plan.plan})


def test_lessons_are_judged_against_their_own_reference_by_the_figures_of_the_scenario() -> None:
    art_s = {"waves-stage-2.3-without-logging": 0.004, "few-stage-0-with-logging": 0.001, "waves-stage-2.1": 0.003}
    art_s |= {"waves-stage-2.1-placebo": 0.003, "waves-stage-2.1-without-backlog": 0.003}
    found = ablated(an_outline("waves"), FakeBench(art_s=lambda key: art_s.get(key, 0.002)))
    judged = {(one.lesson, one.stage): {ratio.figure: ratio.judgement for ratio in one.ratios} for one in found.lessons}
    assert judged["logging", "2.3"]["art"] == "worse"
    assert judged["logging", "0"]["art"] == "better"
    assert judged["backlog", "2.1"]["art"] == judged["backlog", "2.3"]["art"] == "no change seen"
    assert set(judged["logging", "2.3"]) == set(SCENARIOS["waves"].figures)
    assert judged["backlog", "0"] == {}
    assert [(one.stage, one.scenario) for one in found.references] == [("2.1", "waves"), ("2.3", "waves"), ("0", "few")]
    assert {ratio.judgement for one in found.references for ratio in one.ratios} <= {"no change seen", "not measured"}
    assert found.placebo_verdicts.compared > 0
    assert found.placebo_verdicts.false == 0


def test_a_lesson_that_nothing_exercised_says_so() -> None:
    found = ablated(an_outline("waves"), FakeBench())
    (one,) = (one for one in found.lessons if (one.lesson, one.change) == ("open-files", "added"))
    assert (one.scenario, one.measured, one.ratios) == (None, None, ())


def test_a_change_that_the_server_refuses_has_its_reason_and_no_figures() -> None:
    plan = an_outline("waves", rounds=2)
    key = "waves-stage-2.3-without-backlog"
    reason = TargetError("logging makes no sense without backlog")
    found = ablated(plan, FakeBench(raises={one.file: reason for one in plan.plan if one.server.key == key}))
    refused = {(one.lesson, one.stage): one for one in found.lessons if one.refused is not None}
    assert list(refused) == [("backlog", "2.3")]
    assert refused["backlog", "2.3"].refused == "logging makes no sense without backlog"
    assert (refused["backlog", "2.3"].measured, refused["backlog", "2.3"].ratios) == (None, ())


def test_a_campaign_that_was_cut_is_complete_up_to_its_last_round() -> None:
    plan = an_outline("waves", rounds=5)
    one_round = len(plan.plan) // 5
    bench = FakeBench(raises={plan.plan[3 * one_round].file: KeyboardInterrupt()})
    findings = Findings()
    campaign = Campaign(plan.plan, bench, findings, lambda _: None, Told(), CampaignTerms(now=bench.now))
    with pytest.raises(KeyboardInterrupt):
        campaign.run()
    found = ablation(plan, findings, AROUND, "interrupted")
    assert {len(one.measured.trials) for one in found.lessons if one.measured is not None} == {3}
    assert all(ratio.judgement != "too few runs" for one in found.lessons for ratio in one.ratios)


def test_nothing_measured_yet_is_a_summary_too() -> None:
    found = ablation(an_outline(), Findings(), AROUND, "interrupted")
    assert {one.measured for one in found.references} == {None}
    assert found.placebo_verdicts.compared == 0

"""The ablation: each lesson left out of the stages that have it, and added alone to the baseline. Pure.

To leave a lesson out shows what it is worth among the others, and to add it shows what it is worth alone: a lesson may
be worth nothing until another one is there, or once another one is. So each is left out of the stage that introduces
it, and of the last one in which it changes anything, in every scenario that exercises it; and it is added to the
baseline where that bears the load.
A lesson that no scenario exercised has no figures: what would be measured says nothing of it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.campaign.bench import CampaignCircumstances
from harness.campaign.figures import compare
from harness.campaign.findings import Findings
from harness.campaign.intervals import Estimate
from harness.campaign.plan import Arm, FixedLoad, MeasuredServer, Planned, in_rounds
from harness.campaign.scenarios import SUPERSEDED, Scenario, lessons_in
from harness.campaign.verdicts import judged, placebo_verdicts
from harness.records.campaign import ABLATION, Ablation, Figure, LessonWorth, Measurement, Ratio, Reference
from harness.records.machine import harness_version
from harness.records.search import State
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant

BASELINE = "0"

ALONE = Scenario(
    "few",
    "900 fans, whom the baseline can just hold, come 160 a second, then events.",
    FixedLoad(n=900, c=4, interval_s=0.025, events=6, rate_per_s=5.0),
    ("served", "art", "response_p99", "fanout", "fanout_last", "memory", "server_cpu"),
)
"""The load on the baseline, besides scenarios that need no stage: it bears no other."""

EXERCISED_ALONE = frozenset(
    {
        "vm",
        "reply-later",
        "hibernate",
        "delayed-init",
        "logging",
        "registered-names",
        "match-groups",
        "db-writer",
        "fd-plane",
    }
)
"""Lessons that `ALONE` exercises: they change what each fan or each event costs, however many there are."""

_PLACEBO = "placebo"

Change = Literal["left out", "added"]


@dataclass(frozen=True, slots=True)
class Altered:
    """A server with one lesson changed."""

    lesson: str
    change: Change
    arm: Arm


@dataclass(frozen=True, slots=True)
class Group:
    """A stage in a scenario, measured twice a round, its placebo, and what is compared with it."""

    stage: str
    scenario: Scenario
    reference: Arm
    placebo: Arm
    altered: tuple[Altered, ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All that is measured in it."""
        return (self.reference, self.placebo, *(one.arm for one in self.altered))


@dataclass(frozen=True, slots=True)
class Unexercised:
    """A lesson of a stage that none of the scenarios exercises there."""

    lesson: str
    change: Change
    stage: str


@dataclass(frozen=True, slots=True)
class Outline:
    """Which ablation, in so many rounds; `stage` is the last one."""

    stage: str
    groups: tuple[Group, ...]
    unexercised: tuple[Unexercised, ...]
    rounds: int
    seed: int

    @property
    def plan(self) -> tuple[Planned, ...]:
        """Everything that it is made of, in its order."""
        return in_rounds([arm for group in self.groups for arm in group.arms], (), self.rounds, self.seed)

    @property
    def altered_keys(self) -> frozenset[str]:
        """The keys of the servers that may refuse to be what they were told to be."""
        return frozenset(one.arm.server.key for group in self.groups for one in group.altered)


@dataclass(frozen=True, slots=True)
class Subject:
    """The lessons of each stage up to the last one, in the talk's order, and those of them that are looked at."""

    lessons: Mapping[str, Sequence[str]]
    chosen: tuple[str, ...]

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in their order, the baseline first."""
        return tuple(self.lessons)

    def introduces(self, lesson: str) -> str:
        """Return the first stage that has the lesson."""
        return next(stage for stage in self.stages if lesson in self.lessons[stage])

    def having(self, lesson: str) -> tuple[str, ...]:
        """Return the stages that have the lesson, and in which it changes anything: none that has one instead."""
        instead = SUPERSEDED.get(lesson)
        since = self.stages[self.stages.index(self.introduces(lesson)) :]
        return tuple(stage for stage in since if instead not in self.lessons[stage])

    def left_out_of(self, lesson: str) -> tuple[str, ...]:
        """Return the stages that a lesson is left out of: the one that introduces it, and the last that has it."""
        having = self.having(lesson)
        return tuple(dict.fromkeys((having[0], having[-1])))

    def exercised_in(self, lesson: str, scenario: Scenario) -> tuple[str, ...]:
        """Return the first stage that has the lesson and bears the scenario, and the last; none if none bears it."""
        bearing = [stage for stage in self.having(lesson) if self.bears(stage, scenario)]
        return tuple(dict.fromkeys((bearing[0], bearing[-1]))) if bearing else ()

    def bears(self, stage: str, scenario: Scenario) -> bool:
        """Whether a stage is one that bears the scenario."""
        first = scenario.from_stage
        return first is None or (first in self.stages and self.stages.index(stage) >= self.stages.index(first))


def outline(subject: Subject, scenarios: Sequence[Scenario], rounds: int, seed: int) -> Outline:
    """Return the ablation of the chosen lessons in these scenarios."""
    groups = tuple(_groups(subject, scenarios))
    exercised = {(one.lesson, one.change, group.stage) for group in groups for one in group.altered}
    asked = [(lesson, "left out", stage) for lesson in subject.chosen for stage in subject.left_out_of(lesson)]
    asked += [(lesson, "added", BASELINE) for lesson in subject.chosen]
    missing = tuple(Unexercised(*one) for one in asked if one not in exercised)  # type: ignore[arg-type]
    return Outline(subject.stages[-1], groups, missing, rounds, seed)


def ablation(plan: Outline, findings: Findings, around: CampaignCircumstances, state: State) -> Ablation:
    """Return the summary of what was found so far, all that is compared by a figure judged together."""
    ratios = _judged(plan, findings)
    references = tuple(_reference(group, plan, findings, ratios) for group in plan.groups)
    return Ablation(
        schema=ABLATION,
        harness=harness_version(),
        started_at=min(findings.began, default=around.started_at),
        stage=plan.stage,
        slo=str(around.conditions.slo),
        rounds=plan.rounds,
        seed=plan.seed,
        references=references,
        lessons=(
            *(_worth(one, group, plan, findings, ratios) for group in plan.groups for one in group.altered),
            *(_not_exercised(one) for one in plan.unexercised),
        ),
        placebo_verdicts=placebo_verdicts(ratio for reference in references for ratio in reference.ratios),
        state=state,
        placement=around.conditions.placement,
        machine=around.machine,
    )


def _groups(subject: Subject, scenarios: Sequence[Scenario]) -> Iterator[Group]:
    for scenario in scenarios:
        lessons = [lesson for lesson in subject.chosen if lesson in lessons_in(scenario.name)]
        for stage in subject.stages:
            if subject.bears(stage, scenario):
                left_out = [one for one in lessons if stage in subject.exercised_in(one, scenario)]
                yield from _group(stage, scenario, left_out)
        if scenario.from_stage is None:
            yield from _group(BASELINE, scenario, lessons)
    yield from _group(BASELINE, ALONE, [lesson for lesson in subject.chosen if lesson in EXERCISED_ALONE])


def _group(stage: str, scenario: Scenario, lessons: Collection[str]) -> Iterator[Group]:
    """Return the group of these lessons; none for none."""
    if not lessons:
        return
    load = replace(scenario.load, in_netns=scenario.needs_netns)
    change: Change = "added" if stage == BASELINE else "left out"

    def arm(name: str, variant: Variant, per_round: int = 1) -> Arm:
        return Arm(
            MeasuredServer(f"{scenario.name}-{name}", variant.name, lambda: StageTarget(variant)), load, per_round
        )

    same = Variant(stage, without_lessons=scenario.without, nodes=scenario.nodes, door=scenario.door)

    def changed(lesson: str) -> Variant:
        if change == "added":
            return replace(same, with_lessons=(lesson,))
        return replace(same, without_lessons=(*same.without_lessons, lesson))

    word = "with" if change == "added" else "without"
    yield Group(
        stage=stage,
        scenario=scenario,
        reference=arm(f"stage-{stage}", same, per_round=2),
        placebo=arm(f"stage-{stage}-{_PLACEBO}", same),
        altered=tuple(
            Altered(lesson, change, arm(f"stage-{stage}-{word}-{lesson}", changed(lesson))) for lesson in lessons
        ),
    )


_Ratios = Mapping[str, tuple[Ratio, ...]]
"""The ratios of each server that was compared, by its key."""

_Families = dict[Figure, dict[str, Estimate]]
"""What is judged together: of each figure, how every server compares."""


def _judged(plan: Outline, findings: Findings) -> _Ratios:
    families: _Families = {}
    for group in plan.groups:
        reference = _trials(group.reference, plan, findings)
        others = {arm.server.key: _trials(arm, plan, findings) for arm in group.arms[1:]}
        others = {key: trials for key, trials in others.items() if trials}
        for figure in group.scenario.figures:
            families.setdefault(figure, {}).update(compare(figure, reference, others))
    found: dict[str, tuple[Ratio, ...]] = {}
    for figure, family in families.items():
        for key, ratio in judged(figure, family).items():
            found[key] = (*found.get(key, ()), ratio)
    return found


def _trials(arm: Arm, plan: Outline, findings: Findings) -> tuple[Measurement, ...]:
    found = findings.repeats(arm, plan.rounds)
    return () if found is None else found.trials


def _reference(group: Group, plan: Outline, findings: Findings, ratios: _Ratios) -> Reference:
    return Reference(
        stage=group.stage,
        scenario=group.scenario.name,
        measured=findings.repeats(group.reference, plan.rounds),
        placebo=findings.repeats(group.placebo, plan.rounds),
        ratios=ratios.get(group.placebo.server.key, ()),
    )


def _worth(one: Altered, group: Group, plan: Outline, findings: Findings, ratios: _Ratios) -> LessonWorth:
    measured = findings.repeats(one.arm, plan.rounds)
    key = one.arm.server.key
    return LessonWorth(
        lesson=one.lesson,
        change=one.change,
        stage=group.stage,
        scenario=group.scenario.name,
        refused=findings.refusals.get(key) if measured is None else None,
        measured=measured,
        ratios=ratios.get(key, ()),
    )


def _not_exercised(one: Unexercised) -> LessonWorth:
    return LessonWorth(
        lesson=one.lesson,
        change=one.change,
        stage=one.stage,
        scenario=None,
        refused=None,
        measured=None,
        ratios=(),
    )

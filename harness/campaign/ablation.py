"""The ablation: each lesson of a stage left out of it, and each added alone to the baseline. Pure.

To leave a lesson out shows what it is worth among the others, and to add it shows what it is worth alone: a lesson may
be worth nothing until another one is there. The stage and the baseline are measured under loads of their own, since
none would show both: what the stage is to feel, the baseline does not survive.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.campaign.bench import Circumstances, trial_plan
from harness.campaign.figures import ratios, ratios_of_limits
from harness.campaign.findings import Findings
from harness.campaign.plan import (
    DIMENSIONS,
    FixedLoad,
    Planned,
    PlannedSearch,
    Server,
    arrivals_at,
    interleaved,
    search_like,
    searches_of,
)
from harness.records.campaign import ABLATION, Ablation, LessonWorth, Ratio, Repeats
from harness.records.machine import harness_version
from harness.records.search import State
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant
from harness.trial.plan import asked

BASELINE = "0"

WHOLE_N, WHOLE_C, WHOLE_INTERVAL_S = 8_000, 1_000, 0.25
"""The load on the whole stage: its N needs `open-files`, its C `backlog`, and 4,000 starts a second most of a core."""

BASELINE_LOAD = FixedLoad(n=900, c=4, interval_s=0.025, events=10, rate_per_s=5.0)
"""The load on the baseline: what it can just serve."""

Change = Literal["left out", "added"]


@dataclass(frozen=True, slots=True)
class Altered:
    """A server with one lesson changed."""

    lesson: str
    change: Change
    server: Server


@dataclass(frozen=True, slots=True)
class Outline:
    """Which ablation. `whole` and `baseline` are what the altered ones are compared with, each under its load."""

    stage: str
    whole: Server
    baseline: Server
    altered: tuple[Altered, ...]
    whole_load: FixedLoad
    repeats: int
    with_limits: bool

    @property
    def plan(self) -> tuple[Planned, ...]:
        """Everything that it is made of, in its order."""
        measured = [
            (self.whole, self.whole_load),
            (self.baseline, BASELINE_LOAD),
            *((one.server, self.load_of(one.change)) for one in self.altered),
        ]
        return interleaved(measured, self.repeats, tuple(self._searches()) if self.with_limits else ())

    @property
    def altered_keys(self) -> frozenset[str]:
        """The keys of the servers that may refuse to be what they were told to be."""
        return frozenset(one.server.key for one in self.altered)

    def load_of(self, change: Change) -> FixedLoad:
        """Return the load under which a change is measured."""
        return self.whole_load if change == "left out" else BASELINE_LOAD

    def reference_of(self, change: Change) -> Server:
        """Return the server without the change."""
        return self.whole if change == "left out" else self.baseline

    def _searches(self) -> Iterator[PlannedSearch]:
        references = {
            reference.key: searches_of((reference,), DIMENSIONS, {}) for reference in (self.whole, self.baseline)
        }
        for searches in references.values():
            yield from searches
        for one in self.altered:
            for reference in references[self.reference_of(one.change).key]:
                yield search_like(one.server, reference)


@dataclass(frozen=True, slots=True)
class Subject:
    """A stage, all its lessons in their order, and those of them that are looked at."""

    stage: str
    lessons: tuple[str, ...]
    chosen: tuple[str, ...]


def outline(subject: Subject, load: FixedLoad, repeats: int, *, with_limits: bool) -> Outline:
    """Return the ablation of a stage under a load."""
    stage, lessons = subject.stage, subject.lessons
    left_out = (
        _server(
            f"stage-{stage}-without-{lesson}",
            Variant(stage, without_lessons=(lesson,)),
            [other for other in lessons if other != lesson],
        )
        for lesson in subject.chosen
    )
    added = (
        _server(f"baseline-with-{lesson}", Variant(BASELINE, with_lessons=(lesson,)), [lesson])
        for lesson in subject.chosen
    )
    return Outline(
        stage=stage,
        whole=_server(f"stage-{stage}", Variant(stage), lessons),
        baseline=_server("baseline", Variant(BASELINE), ()),
        altered=(
            *(Altered(lesson, "left out", server) for lesson, server in zip(subject.chosen, left_out, strict=True)),
            *(Altered(lesson, "added", server) for lesson, server in zip(subject.chosen, added, strict=True)),
        ),
        whole_load=load,
        repeats=repeats,
        with_limits=with_limits,
    )


def ablation(plan: Outline, findings: Findings, around: Circumstances, state: State) -> Ablation:
    """Return the summary of what was found so far."""
    return Ablation(
        schema=ABLATION,
        harness=harness_version(),
        started_at=min(findings.began, default=around.started_at),
        stage=plan.stage,
        slo=str(around.conditions.slo),
        repeats=plan.repeats,
        whole=_repeats(plan, findings, around, plan.whole),
        whole_limits=findings.limits_of(plan.whole, DIMENSIONS),
        baseline=_repeats(plan, findings, around, plan.baseline),
        baseline_limits=findings.limits_of(plan.baseline, DIMENSIONS),
        lessons=tuple(_worth(one, plan, findings) for one in plan.altered),
        state=state,
        placement=around.conditions.placement,
        machine=around.machine,
    )


def _server(key: str, variant: Variant, lessons: Sequence[str]) -> Server:
    return Server(key, variant.name, lambda: StageTarget(variant), arrivals_at(lessons))


def _repeats(plan: Outline, findings: Findings, around: Circumstances, server: Server) -> Repeats:
    """Return the trials of a reference, without any before the first was made."""
    load = plan.whole_load if server is plan.whole else BASELINE_LOAD
    found = findings.repeats(server, load, plan.repeats)
    if found is not None:
        return found
    target = asked(trial_plan(load, around.conditions), server.make()).target
    return Repeats(target=target, load=load.asked, rate_per_s=load.rate_per_s, trials=())


def _worth(one: Altered, plan: Outline, findings: Findings) -> LessonWorth:
    load, reference = plan.load_of(one.change), plan.reference_of(one.change)
    measured = findings.repeats(one.server, load, plan.repeats)
    without = findings.repeats(reference, load, plan.repeats)
    limits = findings.limits_of(one.server, DIMENSIONS)
    found: tuple[Ratio, ...] = ()
    if measured is not None and without is not None:
        found = (
            *ratios_of_limits(findings.limits_of(reference, DIMENSIONS), limits),
            *ratios(without.trials, measured.trials),
        )
    return LessonWorth(
        lesson=one.lesson,
        change=one.change,
        refused=findings.refusals.get(one.server.key) if measured is None else None,
        measured=measured,
        limits=limits,
        ratios=found,
    )

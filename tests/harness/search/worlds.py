"""Searches without servers: trials whose results are a function of what is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from harness.records.search import Dimension
from harness.records.trial import Bound, TrialResult, Validity, Verdict
from harness.records.usage import Wave
from harness.search.decide import Bracket, Try
from harness.search.plan import SearchPlan, default_plan
from harness.show.progress import Silent
from harness.targets.stage import StageTarget
from harness.targets.target import Target
from harness.targets.variant import Variant
from harness.trial.measure import Watcher
from harness.trial.plan import TrialPlan
from tests.harness.results import a_machine, a_result, seen_by, some_fans

FAILED = {
    "verdict": Verdict(met=False, broken=("p99<1s (1.4 s)",)),
    "bound": Bound(name="CPU", evidence="python used 100% of a core in its busiest half second"),
}
LATE = {
    "validity": Validity(valid=False, reasons=("the generator was late",)),
    "bound": Bound(name="generator", evidence="the generator was late"),
}
NO_MOMENT = {"wave": Wave(moment=False, within_s=0.15)}


def a_plan(dimension: Dimension = "N", **changes: Any) -> SearchPlan:
    return replace(default_plan(dimension), **{"floor": 100.0, "ceiling": 5_000.0, **changes})


def a_target() -> Target:
    return StageTarget(Variant("2.5"))


@dataclass
class World:
    """Makes no trial, and answers for a server that holds `limit` connections.

    `judge` may say otherwise for a number of connections: a change of the result. A trial takes as long as its
    schedule and two seconds more, on a clock that only trials move.
    """

    limit: int = 430
    judge: Callable[[int], dict[str, Any] | None] = lambda n: None
    now: float = 1_000.0
    made: list[TrialPlan] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    make_target: Callable[[], Target] = a_target

    def target(self) -> Target:
        return self.make_target()

    def measure(self, plan: TrialPlan, target: Target, watcher: Watcher) -> TrialResult:
        self.made.append(plan)
        self.targets.append(target)
        posting_s = plan.match.posts[-1].due_s if plan.match is not None else 0.0
        self.now += plan.load.duration_s + posting_s + 2.0
        n = plan.load.n
        changes = self.judge(n)
        if changes is None:
            changes = {} if n <= self.limit else FAILED
        return a_result(seen=seen_by(some_fans(n)), **changes)

    def clock(self) -> float:
        return self.now

    @property
    def levels(self) -> list[int]:
        return [plan.load.n for plan in self.made]


@dataclass
class Notes(Silent):
    """A watcher that remembers."""

    tries: list[tuple[Try, Bracket, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def trying(self, step: Try, known: Bracket, trials: int) -> None:
        self.tries.append((step, known, trials))

    def note(self, text: str) -> None:
        self.notes.append(text)


def replace_target(world: World, make_target: Callable[[], Target]) -> World:
    world.make_target = make_target
    return world


def put(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Have searches made in this world, on a machine that stays as it is."""
    monkeypatch.setattr("harness.search.run.describe_machine", a_machine)
    monkeypatch.setattr("harness.commands.search.TrialMeasurer", lambda make_target: replace_target(world, make_target))
    return world

"""Makes the trials and searches of a campaign for real: starts the servers, and keeps every result in the journal."""

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import psutil

from harness.campaign.journal import Journal
from harness.campaign.plan import ANSWER_TIMEOUT_S, FixedLoad, Planned, PlannedSearch, PlannedTrial
from harness.campaign.quiet import PATIENCE_S, wait_until_quiet
from harness.load.match import synthetic_match
from harness.load.workload import Load
from harness.records.asked import Disturbances, Placement
from harness.records.machine import Machine
from harness.records.search import Dimension, SearchResult
from harness.records.trial import TrialResult
from harness.search.capacity import likely_room
from harness.search.plan import OF_C, SearchPlan, asked_of, default_plan
from harness.search.roles import SearchWatcher
from harness.search.run import run_search
from harness.trial.figures.slo import Slo
from harness.trial.plan import TrialPlan, asked, trial_id
from harness.trial.run import TrialMeasurer, run_trial

LONGEST_ARRIVAL_S = 100.0
"""How long all fans of a search for N may take to come. At 50 a second, as a short accept queue takes them, that is
5,000: what holds more is told as "at least".
"""

SHORT_EVENTS = 1
"""Of a short trial of a search. A server without a free file answers no post, and each is waited for ten seconds."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How thoroughly a limit is searched: see SearchPlan."""

    precision: float
    repeats: int
    ceiling: int


@dataclass(frozen=True, slots=True)
class Efforts:
    """How thoroughly limits are searched, and for how many seconds each at most."""

    n: Effort
    c: Effort
    budget_s: float

    def of(self, dimension: Dimension) -> Effort:
        """Return that for N or C."""
        return self.c if dimension in OF_C else self.n


FULL_EFFORT = Efforts(n=Effort(0.1, 1, 100_000), c=Effort(0.1, 3, 32_000), budget_s=420.0)
"""Up to the N of the talk, and to the largest wave that one generator starts.

N is mostly bound by open files, which is no matter of luck, and 20,000 connections take 25 s to arrive gently: a search
near its hint makes three to five trials in two minutes. The longest is that of stage 1, at which they arrive a
sixteenth as fast. C is a matter of CPU, which differs by some 4 % from trial to trial, and is searched three times.
"""

QUICK_EFFORT = Efforts(n=Effort(0.25, 1, 4_000), c=Effort(0.25, 1, 8_000), budget_s=90.0)
"""For a rough picture: a search that begins at a good guess makes three trials."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all trials and searches of a campaign have in common; before each the machine has `patience_s` to rest."""

    slo: Slo
    efforts: Efforts
    placement: Placement
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, slots=True)
class CampaignCircumstances:
    """Under what a campaign is run, on which machine, and since when."""

    conditions: Conditions
    machine: Machine
    started_at: datetime


class TrialBench:
    """The bench of `harness.campaign.run`."""

    def __init__(self, journal: Journal, conditions: Conditions, watcher: SearchWatcher) -> None:
        self._journal = journal
        self._conditions = conditions
        self._watcher = watcher

    def stored(self, planned: Planned) -> TrialResult | SearchResult | None:
        """Return what the journal has, if it was asked the same. Raise ResultError for a line that cannot be read."""
        target = planned.server.make()
        if isinstance(planned, PlannedTrial):
            return self._journal.trial(planned.file, asked(trial_plan(planned.load, self._conditions), target))
        plan = search_plan(planned, None, self._conditions)
        return self._journal.search(planned.file, asked_of(plan, target, plan.ceiling or 0))

    def trial(self, planned: PlannedTrial) -> TrialResult:
        """Make a trial and keep it. Raise HarnessError."""
        plan = trial_plan(planned.load, self._conditions)
        result = run_trial(plan, planned.server.make(), self._watcher)
        self._journal.keep(planned.file, result)
        return result

    def search(self, planned: PlannedSearch, hint: float | None) -> SearchResult:
        """Make a search, which keeps itself after each of its trials. Raise HarnessError."""
        plan = search_plan(planned, hint, self._conditions)
        journal = self._journal.of_search(planned.file)
        return run_search(plan, TrialMeasurer(planned.server.make), self._watcher, journal)

    def wait_until_quiet(self) -> tuple[str, ...]:
        """Wait until the machine is at rest, and return what disturbs it still."""
        self._watcher.phase("waiting for a machine at rest", 0)
        return wait_until_quiet(patience_s=self._conditions.patience_s)


def trial_plan(load: FixedLoad, conditions: Conditions) -> TrialPlan:
    """Return the trial that puts a server under a load."""
    return TrialPlan(
        load=Load(load.n, load.c, load.interval_s),
        slo=conditions.slo,
        match=synthetic_match(trial_id(), load.events, load.rate_per_s),
        answer_timeout_s=load.answer_timeout_s,
        placement=msgspec.structs.replace(conditions.placement, network="netns")
        if load.in_netns
        else conditions.placement,
        watches_loop=load.disturbances != Disturbances(),
        disturbances=load.disturbances,
    )


def search_plan(planned: PlannedSearch, hint: float | None, conditions: Conditions) -> SearchPlan:
    """Return the search of a server."""
    plan, server = default_plan(planned.dimension), planned.server
    effort = conditions.efforts.of(planned.dimension)
    ceiling = min(effort.ceiling, likely_room(psutil.virtual_memory().total) // plan.waves)
    if planned.dimension == "N":
        plan = replace(plan, c=server.arrivals.c * server.nodes, interval_s=server.arrivals.interval_s)
        ceiling = min(ceiling, int(LONGEST_ARRIVAL_S * plan.c / plan.interval_s))
    return replace(
        plan,
        slo=conditions.slo,
        hint=hint,
        short_events=SHORT_EVENTS,
        ceiling=float(ceiling),
        precision=effort.precision,
        repeats=effort.repeats,
        budget_s=conditions.efforts.budget_s,
        answer_timeout_s=ANSWER_TIMEOUT_S,
        placement=conditions.placement,
    )

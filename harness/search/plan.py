"""What to search for and how, and the trial that tries a level. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from harness.load.match import synthetic_match
from harness.load.workload import Load
from harness.records.asked import Placement
from harness.records.search import AskedSearch, Dimension, TrialKind
from harness.search.decide import Rules, Try
from harness.search.evidence import Majority
from harness.search.levels import Scale
from harness.targets.target import Target
from harness.trial.figures.slo import Slo, parse_slo
from harness.trial.plan import TrialPlan, asked, trial_id

MANY_PER_S = 10_000.0
"""Where a search for a rate of events ends unless it is told otherwise: the reporter does not come near it."""

_POSTING_S: Mapping[TrialKind, float] = MappingProxyType({"short": 2.0, "full": 5.0, "soak": 5.0})
"""For how long a trial posts, at least, where the rate of events is searched for: a backlog must have time to grow."""

_UNITS: Mapping[Dimension, float] = MappingProxyType({"N": 1.0, "C": 1.0, "burst C": 1.0, "rate": 0.5})


OF_C: frozenset[Dimension] = frozenset({"C", "burst C"})
"""The dimensions whose level is the size of a wave."""

SUSTAINED_WAVES = 4
"""How many waves a server must bear at least, one after the other, for C to be sustained."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What to do; `default_plan` has sensible figures for each dimension.

    Of `n`, `c` and `rate_per_s`, that which is searched for is not looked at. A search for C makes `waves` waves of it,
    more if `n` is given and larger: waves follow each other until so many are connected. `events` are posted in
    a full trial before the last one, and `short_events` in a short one; where the rate is searched for they are more,
    so that posting takes its time.

    The search begins at `floor`, or near `hint`, a likely answer, if there is one, and never goes beyond `ceiling`;
    where that is None, the machine decides. `soak_s` and `budget_s` are seconds; 0 is no soak, None no budget. A fan is
    answered within `answer_timeout_s` or counts as a failure.
    """

    dimension: Dimension
    slo: Slo
    n: int | None
    c: int
    interval_s: float
    floor: float
    rate_per_s: float = 5.0
    events: int = 20
    short_events: int = 3
    ceiling: float | None = None
    hint: float | None = None
    precision: float = 0.05
    waves: int = 1
    repeats: int = 3
    soak_s: float = 0.0
    budget_s: float | None = None
    answer_timeout_s: float = 10.0
    placement: Placement = field(default_factory=Placement)


def default_plan(dimension: Dimension) -> SearchPlan:
    """Return how a dimension is searched where nothing else is asked.

    For N connections arrive gently, 800 a second in waves of 4, so that N is found and not C. For C, four waves follow
    each other as in the talk, every 250 ms, so that a server must have done with one before the next comes, or fall
    behind; for the burst it is one. For a rate of events 500 fans watch, and neither the fans nor the reporter may fall
    behind. C is confirmed by more trials than N: they are short, and it is what noise blurs.
    """
    slo = "failures=0,lost=0,p99<1s"
    if dimension in OF_C:
        waves = SUSTAINED_WAVES if dimension == "C" else 1
        return SearchPlan(dimension, parse_slo(slo), n=None, c=1, interval_s=0.25, floor=4.0, repeats=5, waves=waves)
    if dimension == "N":
        return SearchPlan(dimension, parse_slo(slo), n=None, c=4, interval_s=0.005, floor=200.0)
    slo += ",fanout_p99<1s,post_lag_p99<250ms"
    return SearchPlan(dimension, parse_slo(slo), n=500, c=4, interval_s=0.005, floor=5.0)


def rules_of(plan: SearchPlan, ceiling: float) -> Rules:
    """Return the rules of a search up to that ceiling."""
    scale = Scale(_UNITS[plan.dimension], ceiling, plan.precision)
    return Rules(
        scale=scale,
        begin=scale.at(plan.floor if plan.hint is None else plan.hint),
        stride=1.0 if plan.hint is None else plan.precision,
        majority=Majority(plan.repeats),
        soaks=plan.soak_s > 0,
    )


def connections(plan: SearchPlan, level: float) -> int:
    """Return how many connections the trial of a level makes."""
    if plan.dimension == "N":
        return int(level)
    given = plan.n or 1
    return max(given, plan.waves * int(level)) if plan.dimension in OF_C else given


def trial_of(plan: SearchPlan, step: Try, *, publishes: bool) -> TrialPlan:
    """Return the trial that tries a level; without events where they cannot be posted."""
    n = connections(plan, step.level)
    c = min(n, int(step.level) if plan.dimension in OF_C else plan.c)
    rate_per_s = step.level if plan.dimension == "rate" else plan.rate_per_s
    match = synthetic_match(trial_id(), _events(plan, step.kind, rate_per_s), rate_per_s) if publishes else None
    return TrialPlan(Load(n, c, plan.interval_s), plan.slo, match, plan.answer_timeout_s, plan.placement)


def schedule_s(trial: TrialPlan) -> float:
    """Return how many seconds a trial takes by its schedule alone, of a server that needs none."""
    return trial.load.duration_s + (trial.match.posts[-1].due_s if trial.match is not None else 0.0)


def asked_of(plan: SearchPlan, target: Target, ceiling: float) -> AskedSearch:
    """Return what the result will say was asked."""
    trial = trial_of(plan, Try(plan.floor, "full"), publishes=target.publishes)
    is_c, is_rate = plan.dimension in OF_C, plan.dimension == "rate"
    return AskedSearch(
        target=asked(trial, target).target,
        dimension=plan.dimension,
        slo=str(plan.slo),
        n=None if plan.dimension == "N" else plan.n,
        c=None if is_c else plan.c,
        interval_s=plan.interval_s,
        waves=plan.waves if is_c else None,
        rate_per_s=None if is_rate or not target.publishes else plan.rate_per_s,
        events=plan.events if target.publishes else 0,
        floor=plan.floor,
        ceiling=ceiling,
        precision=plan.precision,
        repeats=plan.repeats,
        soak_s=plan.soak_s,
        budget_s=plan.budget_s,
        placement=plan.placement,
    )


def _events(plan: SearchPlan, kind: TrialKind, rate_per_s: float) -> int:
    """Return how many events are posted before the last one."""
    if kind == "soak":
        return max(plan.events, math.ceil(plan.soak_s * rate_per_s))
    events = plan.short_events if kind == "short" else plan.events
    return max(events, math.ceil(_POSTING_S[kind] * rate_per_s)) if plan.dimension == "rate" else events

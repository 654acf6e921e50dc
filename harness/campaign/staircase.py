"""The staircase: every stage searched for N and C, measured under the same fixed loads, and under the talk's. Pure.

Each step is compared with the one before it. One of them, the last that is a single process, is measured twice a round,
and once more as a placebo, whose ratios over itself show what is chance.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import msgspec

from common.tuning.open_files import OpenFiles
from harness.campaign.bench import FULL_EFFORT, CampaignCircumstances
from harness.campaign.figures import MEASURED, compare, ratios_of_limits
from harness.campaign.findings import Findings
from harness.campaign.intervals import Estimate
from harness.campaign.plan import (
    DIMENSIONS,
    KEPT_FILES,
    Arm,
    FixedLoad,
    MeasuredServer,
    Planned,
    PlannedSearch,
    arrivals_at,
    in_rounds,
    searches_of,
)
from harness.campaign.verdicts import judged, placebo_verdicts
from harness.records.campaign import STAIRCASE, Figure, Ratio, Repeats, Staircase, StaircaseStep
from harness.records.machine import harness_version
from harness.records.search import Dimension, State
from harness.targets.peers.catalogue import peer_target
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant
from harness.units import show_load

STAGES = ("0", "1", "2.1", "2.2", "2.3", "2.4", "2.5", "3", "4")

SLO = "failures=0,lost=0,p99<1s"
"""Everyone served, nothing lost, and 99 of 100 fans with their first event within a second of their intended start."""

LIGHT = FixedLoad(n=900, c=4, interval_s=0.025, events=20, rate_per_s=5.0)
"""What every stage can serve: below the 1,024 open files and the backlog of 5 of the baseline."""

HEAVY = FixedLoad(n=8_000, c=500, interval_s=0.25, events=20, rate_per_s=5.0)
"""What stage 0 has too few open files for, and stage 1 too short an accept queue: they are shown failing."""

GLANCE = FixedLoad(n=900, c=4, interval_s=0.025, events=5, rate_per_s=5.0)
"""The light load with fewer events, for `--quick`."""

TALKS_LOADS: Mapping[str, FixedLoad] = MappingProxyType(
    {
        stage: FixedLoad(n=n, c=c, interval_s=0.25, events=5, rate_per_s=1.0)
        for stage, n, c in (
            ("0", 200, 4),
            ("1", 200, 4),
            ("2.1", 8_000, 500),
            ("2.2", 8_000, 1_000),
            ("2.3", 17_000, 5_000),
            ("2.4", 17_000, 8_000),
            ("2.5", 17_000, 8_000),
            ("3", 32_000, 8_000),
            ("4", 17_000, 8_000),
        )
    }
)
"""The talk's waves, every 250 ms as in the talk. N is the talk's, less what would not fit: at 4 fans every 250 ms its
4,000 take four minutes, one process holds some 17,000, and waves of 32,000 are no moment here. The talk has no stage
4, which is measured under the load of 2.5.
"""

GUESSES: Mapping[Dimension, float] = MappingProxyType({"N": 900, "C": 4, "burst C": 4})
"""Where the limits of the first stage may lie."""

QUICK_GUESSES: Mapping[tuple[str, Dimension], float] = MappingProxyType(
    {("0", "N"): 900, ("2.1", "N"): 4_000, ("0", "C"): 4, ("2.1", "C"): 1_000, ("2.5", "C"): 2_000}
)
"""`--quick` searches only where a limit moves, by open files and backlog (2.1) and by logging (2.5), near a guess."""

FLOOR_KEY = "floor"

DEFAULT_NODES = 4
"""Processes of a stage that has several: as many nodes as stage 3 starts if it is not told, or workers of stage 4."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Which staircase: the servers from the first step to the last, the loads of all, and how many rounds.

    `talks_loads` are those that single servers have besides, by the server's key. `twice` is whom the placebo is of,
    None where there is no placebo.
    """

    servers: tuple[MeasuredServer, ...]
    loads: tuple[FixedLoad, ...]
    talks_loads: Mapping[str, FixedLoad]
    twice: MeasuredServer | None
    rounds: int
    seed: int
    quick: bool

    @property
    def plan(self) -> tuple[Planned, ...]:
        """Everything that it is made of, in its order."""
        searches = self._guesses() if self.quick else searches_of(self.servers, DIMENSIONS, GUESSES)
        arms = [arm for server in self.servers for arm in self.arms_of(server)]
        return in_rounds([*arms, *self.placebo_arms], searches, self.rounds, self.seed)

    def arms_of(self, server: MeasuredServer) -> tuple[Arm, ...]:
        """Return a server under each of its loads."""
        own = self.talks_loads.get(server.key)
        known = {load.asked for load in self.loads}
        loads = self.loads if own is None or own.asked in known else (*self.loads, own)
        return tuple(Arm(server, load, per_round=2 if server is self.twice else 1) for load in loads)

    @property
    def placebo_arms(self) -> tuple[Arm, ...]:
        """The placebo under the loads that all have."""
        if self.twice is None:
            return ()
        placebo = replace(self.twice, key=f"{self.twice.key}-placebo")
        return tuple(Arm(placebo, load) for load in self.loads)

    def _guesses(self) -> tuple[PlannedSearch, ...]:
        by_key = {server.key: server for server in self.servers}
        return tuple(
            PlannedSearch(by_key[_stage_key(stage)], dimension, guess)
            for (stage, dimension), guess in QUICK_GUESSES.items()
            if _stage_key(stage) in by_key
        )


def stage_server(stage: str, lessons: Sequence[str], nodes: int) -> MeasuredServer:
    """Return a stage, which has these lessons, as a step; `nodes` are of one that has nodes.

    Of one whose nodes have workers it is one node, with so many.
    """
    if "workers" in lessons:
        variant = Variant(stage, workers=nodes)
    else:
        variant = Variant(stage, nodes=nodes if "nodes" in lessons else None)
    # More than open files does not fit into one process, and they are what ends a stage that may have all of them.
    files = min(OpenFiles.read().hard, FULL_EFFORT.n.ceiling)
    likely_n = files - KEPT_FILES if "open-files" in lessons and variant.processes == 1 else None
    return MeasuredServer(
        key=_stage_key(stage),
        name=variant.name,
        make=lambda: StageTarget(variant),
        arrivals=arrivals_at(lessons),
        nodes=variant.processes,
        likely_n=likely_n,
    )


def floor_server() -> MeasuredServer:
    """Return the floor, a server that does nothing else. Raise TargetError where it cannot be compiled."""
    return MeasuredServer(FLOOR_KEY, peer_target("floor").name, lambda: peer_target("floor"))


def outline(servers: Sequence[MeasuredServer], rounds: int, seed: int, *, quick: bool) -> Outline:
    """Return the outline of a full staircase, or of the rough picture that takes five minutes."""
    if quick:
        return Outline(tuple(servers), (GLANCE,), {}, None, 1, seed, quick=True)
    single = [server for server in servers if server.nodes == 1 and server.key != FLOOR_KEY]
    talks = {_stage_key(stage): load for stage, load in TALKS_LOADS.items()}
    twice = single[-1] if single else None
    return Outline(tuple(servers), (LIGHT, HEAVY), talks, twice, rounds, seed, quick=False)


def staircase(plan: Outline, findings: Findings, around: CampaignCircumstances, state: State) -> Staircase:
    """Return the summary of what was found so far; a step of which nothing was measured yet is left out."""
    measured = [server for server in plan.servers if server.key in findings.targets]
    steps = [_step(server, plan, findings) for server in measured]
    placebo = _placebo(plan, findings)
    stages = [index for index, server in enumerate(measured) if server.key != FLOOR_KEY]
    pairs = [(steps[before], steps[index]) for before, index in pairwise(stages)]
    if placebo is not None and plan.twice in measured:
        pairs.append((steps[measured.index(plan.twice)], placebo))
    ratios = _judged(pairs)
    for index, found in zip(stages[1:], ratios, strict=False):
        steps[index] = msgspec.structs.replace(steps[index], ratios=found)
    of_placebo = ratios[-1] if len(ratios) == len(stages) > 0 else ()
    return Staircase(
        schema=STAIRCASE,
        harness=harness_version(),
        started_at=min(findings.began, default=around.started_at),
        slo=str(around.conditions.slo),
        rounds=plan.rounds,
        seed=plan.seed,
        quick=plan.quick,
        steps=tuple(steps),
        placebo=None if placebo is None else msgspec.structs.replace(placebo, ratios=of_placebo),
        placebo_verdicts=placebo_verdicts(of_placebo),
        state=state,
        placement=around.conditions.placement,
        machine=around.machine,
    )


def _step(server: MeasuredServer, plan: Outline, findings: Findings) -> StaircaseStep:
    return StaircaseStep(
        target=findings.targets[server.key],
        limits=findings.limits_of(server, DIMENSIONS),
        loads=_measured(plan.arms_of(server), plan, findings),
    )


def _placebo(plan: Outline, findings: Findings) -> StaircaseStep | None:
    loads = _measured(plan.placebo_arms, plan, findings)
    return StaircaseStep(target=loads[0].target, limits=(), loads=loads) if loads else None


def _measured(arms: Sequence[Arm], plan: Outline, findings: Findings) -> tuple[Repeats, ...]:
    return tuple(found for arm in arms if (found := findings.repeats(arm, plan.rounds)) is not None)


def _common(one: StaircaseStep, other: StaircaseStep) -> Iterator[tuple[Repeats, Repeats]]:
    """Yield what both did under each load that both had."""
    theirs = {repeats.load: repeats for repeats in other.loads}
    return ((repeats, theirs[repeats.load]) for repeats in one.loads if repeats.load in theirs)


_Families = dict[Figure, dict[tuple[int, str], Estimate]]
"""What is judged together: of each figure, how every pair of steps compares under each load."""


def _judged(pairs: Sequence[tuple[StaircaseStep, StaircaseStep]]) -> list[tuple[Ratio, ...]]:
    """Return for each pair the ratios of its second step over the first; all those of a figure are judged together."""
    families: _Families = {figure: {} for figure in MEASURED}
    for number, (before, step) in enumerate(pairs):
        for repeats, same in _common(step, before):
            of = show_load(repeats.load)
            for figure, family in families.items():
                family[number, of] = compare(figure, same.trials, {of: repeats.trials})[of]
    found = [ratios_of_limits(before.limits, step.limits) if step.limits else () for before, step in pairs]
    for figure, family in families.items():
        for (number, of), ratio in judged(figure, family).items():
            found[number] += (msgspec.structs.replace(ratio, of=of),)
    return found


def _stage_key(stage: str) -> str:
    return f"stage-{stage}"

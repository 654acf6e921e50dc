"""The staircase: every stage searched for N and C, and measured under the same fixed loads. Pure.

The choices below make the whole of it fit into half an hour on two cores, and each is the same for every stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from common.tuning.open_files import OpenFiles
from harness.campaign.bench import FULL_EFFORT, Circumstances
from harness.campaign.findings import Findings
from harness.campaign.plan import (
    DIMENSIONS,
    KEPT_FILES,
    FixedLoad,
    Planned,
    PlannedSearch,
    Server,
    arrivals_at,
    interleaved,
    searches_of,
)
from harness.records.campaign import STAIRCASE, Staircase, Step
from harness.records.machine import harness_version
from harness.records.search import Dimension, State
from harness.targets.peers.catalogue import peer_target
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant

STAGES = ("0", "1", "2.1", "2.2", "2.3", "2.4", "2.5", "3")

SLO = "failures=0,lost=0,p99<1s"
"""Everyone served, nothing lost, and 99 of 100 fans with their first event within a second of their intended start."""

LIGHT = FixedLoad(n=900, c=4, interval_s=0.025, events=20, rate_per_s=5.0)
"""What every stage can serve: below the 1,024 open files and the backlog of 5 of the baseline."""

HEAVY = FixedLoad(n=8_000, c=500, interval_s=0.25, events=20, rate_per_s=5.0)
"""What stage 0 has too few open files for, and stage 1 too short an accept queue: they are shown failing."""

GLANCE = FixedLoad(n=900, c=4, interval_s=0.025, events=5, rate_per_s=5.0)
"""The light load with fewer events, for `--quick`."""

QUICK_GUESSES: Mapping[tuple[str, Dimension], float] = MappingProxyType(
    {("0", "N"): 900, ("2.1", "N"): 4_000, ("0", "C"): 4, ("2.1", "C"): 1_000, ("2.5", "C"): 2_000}
)
"""`--quick` searches only where a limit moves, by open files and backlog (2.1) and by logging (2.5), near a guess."""

DEFAULT_NODES = 4
"""Of stage 3: as many as it starts if it is not told."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Which staircase: the servers from the first step to the last, the loads, and how many trials of each."""

    servers: tuple[Server, ...]
    loads: tuple[FixedLoad, ...]
    repeats: int
    quick: bool

    @property
    def plan(self) -> tuple[Planned, ...]:
        """Everything that it is made of, in its order."""
        measured = [(server, load) for server in self.servers for load in self.loads]
        searches = (
            self._guesses() if self.quick else searches_of(self.servers, DIMENSIONS, {"N": LIGHT.n, "C": LIGHT.c})
        )
        return interleaved(measured, self.repeats, searches)

    def _guesses(self) -> tuple[PlannedSearch, ...]:
        by_key = {server.key: server for server in self.servers}
        return tuple(
            PlannedSearch(by_key[_stage_key(stage)], dimension, guess)
            for (stage, dimension), guess in QUICK_GUESSES.items()
            if _stage_key(stage) in by_key
        )


def stage_server(stage: str, lessons: Sequence[str], nodes: int) -> Server:
    """Return a stage, which has these lessons, as a step; `nodes` are of one that has nodes."""
    variant = Variant(stage, nodes=nodes if "nodes" in lessons else None)
    # More than open files does not fit into one process, and they are what ends a stage that may have all of them.
    files = min(OpenFiles.read().hard, FULL_EFFORT.n.ceiling)
    likely_n = files - KEPT_FILES if "open-files" in lessons and variant.nodes is None else None
    return Server(
        key=_stage_key(stage),
        name=variant.name,
        make=lambda: StageTarget(variant),
        arrivals=arrivals_at(lessons),
        nodes=variant.nodes or 1,
        likely_n=likely_n,
    )


def floor_server() -> Server:
    """Return the floor, a server that does nothing else. Raise TargetError where it cannot be compiled."""
    return Server("floor", peer_target("floor").name, lambda: peer_target("floor"))


def outline(servers: Sequence[Server], repeats: int, *, quick: bool) -> Outline:
    """Return the outline of a full staircase, or of the rough picture that takes five minutes."""
    if quick:
        return Outline(tuple(servers), (GLANCE,), 1, quick=True)
    return Outline(tuple(servers), (LIGHT, HEAVY), repeats, quick=False)


def staircase(plan: Outline, findings: Findings, around: Circumstances, state: State) -> Staircase:
    """Return the summary of what was found so far; a step of which nothing was measured yet is left out."""
    return Staircase(
        schema=STAIRCASE,
        harness=harness_version(),
        started_at=min(findings.began, default=around.started_at),
        slo=str(around.conditions.slo),
        repeats=plan.repeats,
        quick=plan.quick,
        steps=tuple(_step(server, plan, findings) for server in plan.servers if server.key in findings.targets),
        state=state,
        placement=around.conditions.placement,
        machine=around.machine,
    )


def _step(server: Server, plan: Outline, findings: Findings) -> Step:
    loads = (findings.repeats(server, load, plan.repeats) for load in plan.loads)
    return Step(
        target=findings.targets[server.key],
        limits=findings.limits_of(server, DIMENSIONS),
        loads=tuple(found for found in loads if found is not None),
    )


def _stage_key(stage: str) -> str:
    return f"stage-{stage}"

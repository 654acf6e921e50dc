"""From trials to what a search says: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from harness.records.machine import Machine, harness_version
from harness.records.search import SCHEMA, AskedSearch, Dimension, SearchResult, SearchTrial, State
from harness.records.trial import Bound, TrialResult
from harness.search.decide import Bracket, Try, bracket
from harness.search.evidence import Majority, Outcome, Vote
from harness.search.plan import OF_C
from harness.units import show_time


@dataclass(frozen=True, slots=True)
class Frame:
    """What does not change while a search runs."""

    asked: AskedSearch
    machine: Machine
    started_at: datetime


def search_trial(dimension: Dimension, step: Try, result: TrialResult, took_s: float) -> SearchTrial:
    """Return what a search keeps of a trial, which took so long with the start and the end of its server."""
    response, delivery = result.seen.response, result.seen.delivery
    fanout = None if delivery is None else delivery.fanout
    return SearchTrial(
        level=step.level,
        kind=step.kind,
        started_at=result.started_at,
        took_s=took_s,
        valid=result.validity.valid,
        met=result.verdict.met,
        broken=result.verdict.broken,
        bound=_bound(dimension, result),
        served=result.seen.fans.served,
        art_mean_s=None if response.art is None else response.art.mean_s,
        response_p99_s=None if response.intended is None else response.intended.p99_s,
        fanout_p99_s=None if fanout is None else fanout.p99_s,
        wave=result.wave if dimension in OF_C else None,
    )


def _bound(dimension: Dimension, result: TrialResult) -> Bound:
    """Return what bound first; where C is searched for, a generator that could not start its wave comes before all."""
    if dimension in OF_C and result.wave is not None and not result.wave.moment and result.validity.valid:
        took = show_time(result.wave.within_s)
        return Bound(name="generator", evidence=f"it took {took} to start {result.asked.load.c:,} fans: no moment")
    return result.bound


def outcomes_of(trials: Sequence[SearchTrial]) -> list[Outcome]:
    """Return the trials as the rules of the search look at them."""
    return [Outcome(trial.level, trial.kind, _vote(trial)) for trial in trials]


def _vote(trial: SearchTrial) -> Vote:
    if not (trial.valid and trial.is_moment):
        return Vote.INVALID
    return Vote.PASSED if trial.met else Vote.FAILED


def summarise(frame: Frame, trials: Sequence[SearchTrial], state: State) -> SearchResult:
    """Return the result of a search that made these trials."""
    known = bracket(outcomes_of(trials), Majority(frame.asked.repeats))
    failed = _first(trials, known.first_fail, Vote.FAILED)
    bounding = _first(trials, known.cap, Vote.INVALID) if _ends_at_generator(known) else failed
    return SearchResult(
        schema=SCHEMA,
        harness=harness_version(),
        started_at=frame.started_at,
        asked=frame.asked,
        trials=tuple(trials),
        last_pass=known.last_pass,
        first_fail=known.first_fail,
        broken=() if failed is None else failed.broken,
        bound=None if bounding is None else bounding.bound,
        at_least=_ends_at_generator(known) or (known.cap is None and state == "done"),
        state=state,
        machine=frame.machine,
    )


def _ends_at_generator(known: Bracket) -> bool:
    return known.cap is not None and known.is_open


def _first(trials: Sequence[SearchTrial], level: float | None, vote: Vote) -> SearchTrial | None:
    return next((trial for trial in trials if trial.level == level and _vote(trial) is vote), None)

"""One trial, from the start of the target to the result.

    the place is made → target starts (or answers) → a match of the trial's own is announced and kicked off → fans
    connect in waves of C until N → everyone is answered or has failed → the reporter posts numbered events, the last
    one ends the match → the server closes the fans, or all have got everything → figures

Whatever ends it, also Ctrl-C, everything is undone in the opposite order: the generator's processes end, the match is
taken back, the server that was started ends, and the place goes that was made for it. Another Ctrl-C gives up what is
waited for then: a server that takes its time is killed.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

import msgspec

from harness.interruption import interruptions_deferred
from harness.load.match import MatchPlan
from harness.load.samples import Samples
from harness.records.asked import Disturbances
from harness.records.machine import describe_machine
from harness.records.trial import TrialResult
from harness.targets.publisher import Publisher
from harness.targets.target import Target, TargetError
from harness.trial.figures.assemble import Raw, assemble
from harness.trial.measure import Watcher, measure
from harness.trial.placement.place import TrialPlace, placed
from harness.trial.plan import TrialPlan, asked, conduct_of


class TrialInterrupted(KeyboardInterrupt):
    """A trial was interrupted after fans had been started. `result` says so, and is invalid; everything is undone.

    Whoever does not ask for the result is interrupted, as by any other KeyboardInterrupt.
    """

    def __init__(self, result: TrialResult) -> None:
        super().__init__(result.validity.reasons[0])
        self.result = result


def run_trial(
    plan: TrialPlan, target: Target, watcher: Watcher, on_samples: Callable[[Samples], object] | None = None
) -> TrialResult:
    """Make one trial and return what was seen; `on_samples` is called with what each fan saw, when all is over.

    Raise HarnessError if it cannot be made: there is no such target, the match cannot be announced, the fans do not fit
    into this machine, or it cannot be made where it was asked to be. Raise TrialInterrupted, or another
    KeyboardInterrupt where there is nothing to tell: no fan had been started yet, or what they saw is not collected.
    Call it in the main thread (`harness.interruption`).
    """
    conduct_of(plan)  # refuses what cannot be done before a server is started for it
    _disturb(target, plan.disturbances)
    machine = describe_machine()
    started_at = datetime.now(UTC)
    watcher.phase("starting", 0)
    seen: Raw | None = None
    try:
        with (
            interruptions_deferred(),
            placed(plan.placement, target, plan.disturbances) as place,
            _running(target, place),
            place.for_generator(),
            _playing(target.publisher, plan.match),
        ):
            what = msgspec.structs.replace(asked(plan, target), placement=place.placement)
            seen = measure(plan, target, place, watcher)
    except KeyboardInterrupt:
        if seen is None:
            raise
        seen = replace(seen, interrupted=True)  # while everything was undone, which it is all the same
    result = assemble(seen, what, plan.slo, machine, started_at)
    if on_samples is not None:
        on_samples(seen.samples)
    if result.interrupted:
        raise TrialInterrupted(result)
    return result


@dataclass(frozen=True, slots=True)
class TrialMeasurer:
    """Makes trials of targets that `make_target` returns, each with one of its own: what a search measures with."""

    make_target: Callable[[], Target]

    def target(self) -> Target:
        """Return a new target, not yet started."""
        return self.make_target()

    def measure(self, plan: TrialPlan, target: Target, watcher: Watcher) -> TrialResult:
        """Make one trial: see `run_trial`."""
        return run_trial(plan, target, watcher)


@runtime_checkable
class Disturbable(Protocol):
    """A target whose server the harness starts, so that it can be told what else is to happen to it."""

    def disturb(self, disturbances: Disturbances) -> None:
        """Have the server's Redis so far away, and what else was asked for, when it is started. Raise TargetError."""
        ...


def _disturb(target: Target, asked: Disturbances) -> None:
    if isinstance(target, Disturbable):
        target.disturb(asked)
        return
    of_a_stage = {
        "--redis-latency": asked.redis_latency_s,
        "--open-files": asked.open_files,
        "--stop-nodes": asked.stops,
        "--faults": asked.faults,
    }
    for option, value in of_a_stage.items():
        if value:
            raise TargetError(f"{option} is for the stages, which the harness starts: leave it out for {target.name}")


@contextlib.contextmanager
def _running(target: Target, place: TrialPlace) -> Iterator[None]:
    try:
        with place.for_server():
            target.start()
        place.pin_redis_of(target.pids)
        yield
    finally:
        target.stop()


def _playing(publisher: Publisher | None, match: MatchPlan | None) -> AbstractContextManager[None]:
    return contextlib.nullcontext() if publisher is None or match is None else publisher.announced(match)

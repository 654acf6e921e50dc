"""Whether the harness and the generator in C say the same of a server: the instrument held against another.

Each load is played three times a round, each time to a server that was just started and in another order: by the
harness, by the harness again, and by the generator in C. The second is a placebo: what it differs from the first is
noise, of these minutes on this machine. Figures are medians over the rounds.

Two generators agree in a figure if they differ by at most 5 %, or by no more than the harness differs from itself.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from harness.load.c_generator import playing
from harness.load.controller import Generator
from harness.load.match import synthetic_match
from harness.load.workload import Dialogue, Endpoint, Load
from harness.targets.target import Target
from harness.trial.plan import trial_id

TOLERANCE = 0.05
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What one run says: figures in seconds, NaN where nobody was answered.

    All of the lag is the generator's own, and of the mean response `own_s`: where that is most of it, a comparison of
    responses is one of generators.
    """

    answered: int
    art_s: float
    response_s: float
    own_s: float
    lag_p99_s: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """The medians of a server at a load, by each generator, of `rounds` runs each."""

    server: str
    load: Load
    rounds: int
    harness: RunFigures
    placebo: RunFigures
    in_c: RunFigures

    def ratio(self, figure: str) -> float:
        """Return the harness's figure over that of the generator in C."""
        return float(getattr(self.harness, figure) / getattr(self.in_c, figure))

    def noise(self, figure: str) -> float:
        """Return the harness's figure over that of its placebo."""
        return float(getattr(self.harness, figure) / getattr(self.placebo, figure))

    def agrees(self, figure: str) -> bool:
        """Whether the two agree in a figure, `art_s` or `response_s`."""
        allowed = max(math.log1p(TOLERANCE), abs(math.log(self.noise(figure))))
        return abs(math.log(self.ratio(figure))) <= allowed


def compare_generators(make_target: Callable[[], Target], load: Load, rounds: int, program: Path) -> Agreement:
    """Play a load so many rounds by each generator. Raise HarnessError where the server or a generator cannot."""
    ways = (_by_harness, _by_harness, partial(_in_c, program))
    runs: list[list[RunFigures]] = [[], [], []]
    name = make_target().name
    for number in range(rounds):
        for way in (*range(number % 3, 3), *range(number % 3)):
            with _serving(make_target()) as (dialogue, endpoints):
                runs[way].append(ways[way](load, dialogue, endpoints))
    return Agreement(name, load, rounds, *map(_medians, runs))


def _medians(readings: Sequence[RunFigures]) -> RunFigures:
    return RunFigures(
        answered=min(reading.answered for reading in readings),
        art_s=median(reading.art_s for reading in readings),
        response_s=median(reading.response_s for reading in readings),
        own_s=median(reading.own_s for reading in readings),
        lag_p99_s=median(reading.lag_p99_s for reading in readings),
    )


def _by_harness(load: Load, dialogue: Dialogue, endpoints: Sequence[Endpoint]) -> RunFigures:
    with Generator(load, dialogue, endpoints, "c") as generator:
        generator.start()
        generator.wait_all_settled(_PATIENCE_S)
        samples, usage = generator.finish(0.0)
    response_s = samples.response_s()
    return RunFigures(
        len(response_s), _mean(samples.talk_s()), _mean(response_s), _mean(samples.own_s()), usage.lag_p99_s
    )


def _mean(times: Sequence[float]) -> float:
    return sum(times) / len(times) if times else math.nan


def _in_c(program: Path, load: Load, dialogue: Dialogue, endpoints: Sequence[Endpoint]) -> RunFigures:
    with playing(program, load, dialogue, endpoints) as generator:
        generator.wait_all_settled()
        played = generator.finish()
    art_s, response_s, own_s = (
        math.nan if times is None else times.mean_s for times in (played.art, played.response, played.own)
    )
    late_s = math.nan if played.late is None else played.late.p99_s
    return RunFigures(played.answered, art_s, response_s, own_s, late_s)


@contextmanager
def _serving(target: Target) -> Iterator[tuple[Dialogue, Sequence[Endpoint]]]:
    """Run a target with a match of its own; give what a fan says, and where."""
    match = synthetic_match(trial_id(), 1, 1.0)
    try:
        target.start()
        publisher = target.publisher
        with nullcontext() if publisher is None else publisher.announced(match):
            yield target.dialogue(match.match.id), target.endpoints
    finally:
        target.stop()

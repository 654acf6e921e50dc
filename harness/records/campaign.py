"""What a campaign leaves behind: a summary that points at every trial it is made from.

A campaign has a directory of results of its own (`harness.records.directory`): its trials and searches in lines, and
the summary (`staircase.json` or `ablation.json`), which is written anew after each.

It is made in rounds: each measures everything once, and what the others are compared with twice, in a random order
that `seed` tells. In each there are placebos, too: a server once more, under another name, so that one sees how far
apart two lie between which there is nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from harness.records.asked import AskedLoad, AskedTarget, Placement
from harness.records.machine import Machine
from harness.records.search import Dimension, SearchResult, State
from harness.records.section import Section
from harness.records.trial import Bound, TrialResult
from harness.records.usage import Wave

STAIRCASE: Literal["matchstream-lab/staircase/2"] = "matchstream-lab/staircase/2"
ABLATION: Literal["matchstream-lab/ablation/2"] = "matchstream-lab/ablation/2"
COMPARISON: Literal["matchstream-lab/comparison/2"] = "matchstream-lab/comparison/2"

Figure = Literal[
    "N",
    "C",
    "burst C",
    "rate",
    "served",
    "art",
    "response_p99",
    "newcomers",
    "newcomers_art",
    "fanout",
    "fanout_p99",
    "fanout_last",
    "memory",
    "server_memory",
    "server_cpu",
    "loop_lag_p99",
    "api",
    "cut",
    "recovery",
    "open_files",
    "refusal",
    "returns",
    "missed",
]
"""What is compared. `N`, `C` (sustained), `burst C` and `rate` are the last pass of a search, `served` a count of fans;
`art` (mean), `response_p99`, `newcomers` (the mean response of those who came while events flowed), `newcomers_art`
(their ART), `fanout` (mean),
`fanout_p99` and `fanout_last` seconds; `memory` bytes a connection.

`server_memory` is that of all its processes at the end of the trial, in bytes, and `server_cpu` what they used of a
core (mean); `loop_lag_p99` how late its event loop was, and `api` (mean) how long an answer of its API took, while fans
came and events flowed, in seconds. `cut` is how many fans lost their connection, and `recovery` how long after that a
new fan waited for its answer, at most, in seconds. `open_files` are those of all processes of the server just before
the last event: what it still holds.

`refusal` is how long those waited who were not answered, until they were turned away or gave up (mean), and `returns`
how long a try took of who lost its connection and was served again (mean), in seconds; `missed` is how many deliveries
such fans never got, of what was posted meanwhile."""

Judgement = Literal[
    "better", "worse", "no change seen", "too few runs", "not measured", "fails", "reference fails", "both fail"
]
"""What is said of B. It `fails` where in a valid trial of it so many fans were not answered that the percentile lies
among them, and is infinite; `reference fails` where that is so of A alone, `both fail` where of both."""


class Measurement(Section, frozen=True, kw_only=True):
    """The figures of one trial; None where it saw none. `file` is the name of its line."""

    file: str
    started_at: datetime
    valid: bool
    met: bool
    served: int
    lost: int | None
    art_mean_s: float | None
    art_p99_s: float | None
    response_mean_s: float | None
    response_p99_s: float | None
    fanout_mean_s: float | None
    fanout_p99_s: float | None
    fanout_last_s: float | None
    memory_per_connection_bytes: float | None
    cpu_mean: float | None
    bound: Bound
    wave: Wave | None = None
    server_memory_bytes: int | None = None
    loop_lag_p99_s: float | None = None
    api_mean_s: float | None = None
    cut: int = 0
    recovery_s: float | None = None
    newcomers_mean_s: float | None = None
    newcomers_art_mean_s: float | None = None
    open_files_held: int | None = None
    refusal_mean_s: float | None = None
    returns_mean_s: float | None = None
    missed: int | None = None


class Repeats(Section, frozen=True, kw_only=True):
    """One target at one load, measured again and again."""

    target: AskedTarget
    load: AskedLoad
    rate_per_s: float | None
    trials: tuple[Measurement, ...]


class FoundLimit(Section, frozen=True, kw_only=True):
    """The limit of a server as all its searches have it; `files` are the names of their lines. See SearchResult.

    `last_pass` is the median of their last passes, and the fields down to `state` are those of that search. The ranges
    are over all of them: from the lowest last pass to the highest, and the highest first fail. None of these is a
    limit where a search saw no such level: nothing passed, or nobody knows how far up it goes.
    """

    files: tuple[str, ...]
    dimension: Dimension
    last_pass: float | None
    first_fail: float | None
    broken: tuple[str, ...]
    bound: Bound | None
    at_least: bool
    state: State
    lowest_pass: float | None
    highest_pass: float | None
    highest_fail: float | None


class Ratio(Section, frozen=True, kw_only=True):
    """B's figure over A's, of `figure`, with its 95 % interval, and the judgement on B.

    `value`, `low` and `high` are None where it was not measured on both sides, or is infinite on one, or A has nothing
    and the ratio would be infinite; `low` and `high` also where a side has too few runs, or nothing. `p` is that of the
    ratio alone, and `adjusted_p`, by which it is judged, that among all that was compared by this figure: so an
    interval may exclude 1 where the judgement is "no change seen". Limits have neither. `of` is what was compared where
    results have several parts, such as `stage 2.1, N=900, C=4`.
    """

    figure: Figure
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    adjusted_p: float | None
    a_count: int
    b_count: int
    judgement: Judgement
    of: str | None = None


class PlaceboVerdicts(Section, frozen=True, kw_only=True):
    """How many ratios of placebos were judged, and how many of them, falsely, as better or worse."""

    compared: Annotated[int, msgspec.Meta(ge=0)]
    false: Annotated[int, msgspec.Meta(ge=0)]


class StaircaseStep(Section, frozen=True, kw_only=True):
    """One stage of the staircase, or the floor beside it: its limits, and what it did at the fixed loads.

    `ratios` compare it with the step before, load by load and limit by limit; none of the first one and of the floor.
    """

    target: AskedTarget
    limits: tuple[FoundLimit, ...]
    loads: tuple[Repeats, ...]
    ratios: tuple[Ratio, ...] = ()


class Staircase(Section, frozen=True, kw_only=True):
    """Every stage at the same loads, and each at its own of the talk's.

    `rounds` is how many were asked for. The `placebo` is one of the steps once more, and its ratios are over that one;
    None where none was measured yet.
    """

    schema: Literal["matchstream-lab/staircase/2"]
    harness: str
    started_at: datetime
    slo: str
    rounds: Annotated[int, msgspec.Meta(ge=1)]
    seed: int
    quick: bool
    steps: tuple[StaircaseStep, ...]
    placebo: StaircaseStep | None
    placebo_verdicts: PlaceboVerdicts
    state: State
    placement: Placement
    machine: Machine


class Reference(Section, frozen=True, kw_only=True):
    """What lessons are compared with: a stage in a scenario. None of what was not measured yet.

    `placebo` is the same stage under another name, and `ratios` are its over the reference: what is not 1 is chance.
    """

    stage: str
    scenario: str
    measured: Repeats | None
    placebo: Repeats | None
    ratios: tuple[Ratio, ...]


class LessonWorth(Section, frozen=True, kw_only=True):
    """What one lesson is worth in a scenario: the stage without it, or the baseline with it, over the reference.

    `stage` and `scenario` are those of its reference; `scenario` is None where no scenario was run that exercises the
    lesson: then nothing is said of it. `change` is what was done. `refused` is why the server would not do that, if it
    would not; then nothing was measured.
    """

    lesson: str
    change: Literal["left out", "added"]
    stage: str
    scenario: str | None
    refused: str | None
    measured: Repeats | None
    ratios: tuple[Ratio, ...]


class Ablation(Section, frozen=True, kw_only=True):
    """Each lesson left out of the stage that introduces it and of `stage`, and added alone to the baseline.

    `rounds` is how many were asked for.
    """

    schema: Literal["matchstream-lab/ablation/2"]
    harness: str
    started_at: datetime
    stage: str
    slo: str
    rounds: Annotated[int, msgspec.Meta(ge=1)]
    seed: int
    references: tuple[Reference, ...]
    lessons: tuple[LessonWorth, ...]
    placebo_verdicts: PlaceboVerdicts
    state: State
    placement: Placement
    machine: Machine


class Comparison(Section, frozen=True, kw_only=True):
    """B over A. `warnings` say, a sentence each, why the two may not be comparable."""

    schema: Literal["matchstream-lab/comparison/2"]
    a: str
    b: str
    ratios: tuple[Ratio, ...]
    warnings: tuple[str, ...]


def measurement(result: TrialResult, file: str) -> Measurement:
    """Return the figures of a trial."""
    response, delivery, server = result.seen.response, result.seen.delivery, result.server
    unanswered, reconnects = response.unanswered, result.seen.reconnects
    art, intended, newcomers, api = response.art, response.intended, response.newcomers, result.seen.api
    fanout = None if delivery is None else delivery.fanout
    return Measurement(
        file=file,
        started_at=result.started_at,
        valid=result.validity.valid,
        met=result.verdict.met,
        served=result.seen.fans.served,
        lost=None if delivery is None else delivery.lost,
        art_mean_s=None if art is None else art.mean_s,
        art_p99_s=None if art is None else art.p99_s,
        response_mean_s=None if intended is None else intended.mean_s,
        response_p99_s=None if intended is None else intended.p99_s,
        fanout_mean_s=None if fanout is None else fanout.mean_s,
        fanout_p99_s=None if fanout is None else fanout.p99_s,
        fanout_last_s=None if delivery is None else delivery.last_mean_s,
        memory_per_connection_bytes=None if server is None else server.memory_per_connection_bytes,
        cpu_mean=None if server is None else server.cpu_mean,
        bound=result.bound,
        wave=result.wave,
        server_memory_bytes=None if server is None else server.rss_end_bytes,
        loop_lag_p99_s=result.loop_lag_p99_s,
        api_mean_s=None if api is None or api.answers is None else api.answers.mean_s,
        cut=result.seen.fans.failures.get("cut", 0) + result.seen.fans.failures.get("closed_early", 0),
        recovery_s=result.seen.recovery_s,
        newcomers_mean_s=None if newcomers is None else newcomers.mean_s,
        newcomers_art_mean_s=None if response.newcomers_art is None else response.newcomers_art.mean_s,
        open_files_held=None if server is None else server.open_files_held,
        refusal_mean_s=None if unanswered is None else unanswered.mean_s,
        returns_mean_s=None if reconnects is None or reconnects.took is None else reconnects.took.mean_s,
        missed=None if reconnects is None else reconnects.missed,
    )


def found_limit(searches: Mapping[str, SearchResult]) -> FoundLimit:
    """Return the limit that these searches of one server found, each by the name of its file; there is one at least."""
    ordered = sorted(searches.values(), key=lambda search: search.last_pass or 0.0)
    middle = ordered[(len(ordered) - 1) // 2]
    fails = [search.first_fail for search in ordered]
    return FoundLimit(
        files=tuple(searches),
        dimension=middle.asked.dimension,
        last_pass=middle.last_pass,
        first_fail=middle.first_fail,
        broken=middle.broken,
        bound=middle.bound,
        at_least=middle.at_least,
        state=middle.state,
        lowest_pass=ordered[0].last_pass,
        highest_pass=ordered[-1].last_pass,
        highest_fail=None if None in fails else max(fail for fail in fails if fail is not None),
    )

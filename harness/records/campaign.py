"""What a campaign leaves behind: a summary that points at every trial it is made from.

A campaign has a directory of its own: `<trial>.json` for each trial, as `harness measure` writes them, a search's as
`harness search` writes it, and the summary (`staircase.json` or `ablation.json`), which is written anew after each.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from harness.records.machine import Machine
from harness.records.search import Dimension, SearchResult, State
from harness.records.trial import AskedLoad, AskedTarget, Bound, Placement, Section, TrialResult, Wave

STAIRCASE: Literal["matchstream-lab/staircase/1"] = "matchstream-lab/staircase/1"
ABLATION: Literal["matchstream-lab/ablation/1"] = "matchstream-lab/ablation/1"
COMPARISON: Literal["matchstream-lab/comparison/1"] = "matchstream-lab/comparison/1"

Figure = Literal["N", "C", "rate", "served", "art", "response_p99", "fanout", "fanout_last", "memory"]
"""What is compared. `N`, `C` and `rate` are the last pass of a search, `served` a count of fans; `art` (mean),
`response_p99`, `fanout` (mean) and `fanout_last` seconds; `memory` bytes a connection."""

Judgement = Literal["better", "worse", "no change seen", "not measured"]


class Measurement(Section, frozen=True, kw_only=True):
    """The figures of one trial; None where it saw none. `file` is the name of its result, beside the summary."""

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


class Repeats(Section, frozen=True, kw_only=True):
    """One target at one load, measured again and again."""

    target: AskedTarget
    load: AskedLoad
    rate_per_s: float | None
    trials: tuple[Measurement, ...]


class FoundLimit(Section, frozen=True, kw_only=True):
    """The essence of a search; `file` is the name of its result. See SearchResult."""

    file: str
    dimension: Dimension
    last_pass: float | None
    first_fail: float | None
    broken: tuple[str, ...]
    bound: Bound | None
    at_least: bool
    state: State


class Step(Section, frozen=True, kw_only=True):
    """One stage of the staircase, or the floor beside it: its limits, and what it did at the fixed loads."""

    target: AskedTarget
    limits: tuple[FoundLimit, ...]
    loads: tuple[Repeats, ...]


class Staircase(Section, frozen=True, kw_only=True):
    """Every stage at the same loads, repeats interleaved over the stages."""

    schema: Literal["matchstream-lab/staircase/1"]
    harness: str
    started_at: datetime
    slo: str
    repeats: Annotated[int, msgspec.Meta(ge=1)]
    quick: bool
    steps: tuple[Step, ...]
    state: State
    placement: Placement
    machine: Machine


class Ratio(Section, frozen=True, kw_only=True):
    """B's figure over A's, of `figure`, with its 95 % bootstrap interval and the judgement on B.

    `value`, `low` and `high` are None where it was not measured on both sides, or A has nothing and the ratio would be
    infinite; `low` and `high` also where a side has too few runs. `of` is what was compared where results have several
    parts, such as `stage 2.1, N=900, C=4`.
    """

    figure: Figure
    value: float | None
    low: float | None
    high: float | None
    a_count: int
    b_count: int
    judgement: Judgement
    of: str | None = None


class LessonWorth(Section, frozen=True, kw_only=True):
    """What one lesson is worth: the stage without it, or the baseline with it, over the same without that change.

    `change` is what was done. `refused` is why the server would not do that, if it would not; then nothing was
    measured. `ratios` compare `measured` with the reference of that change.
    """

    lesson: str
    change: Literal["left out", "added"]
    refused: str | None
    measured: Repeats | None
    limits: tuple[FoundLimit, ...]
    ratios: tuple[Ratio, ...]


class Ablation(Section, frozen=True, kw_only=True):
    """Each lesson of a stage left out of it, and each added alone to the baseline.

    `whole` and `baseline` are the references: the stage as it is, and the stage without any lesson.
    """

    schema: Literal["matchstream-lab/ablation/1"]
    harness: str
    started_at: datetime
    stage: str
    slo: str
    repeats: Annotated[int, msgspec.Meta(ge=1)]
    whole: Repeats
    whole_limits: tuple[FoundLimit, ...]
    baseline: Repeats
    baseline_limits: tuple[FoundLimit, ...]
    lessons: tuple[LessonWorth, ...]
    state: State
    placement: Placement
    machine: Machine


class Comparison(Section, frozen=True, kw_only=True):
    """B over A. `warnings` say, a sentence each, why the two may not be comparable."""

    schema: Literal["matchstream-lab/comparison/1"]
    a: str
    b: str
    ratios: tuple[Ratio, ...]
    warnings: tuple[str, ...]


def measurement(result: TrialResult, file: str) -> Measurement:
    """Return the figures of a trial."""
    response, delivery, server = result.seen.response, result.seen.delivery, result.server
    art, honest = response.art, response.honest
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
        response_mean_s=None if honest is None else honest.mean_s,
        response_p99_s=None if honest is None else honest.p99_s,
        fanout_mean_s=None if fanout is None else fanout.mean_s,
        fanout_p99_s=None if fanout is None else fanout.p99_s,
        fanout_last_s=None if delivery is None else delivery.last_mean_s,
        memory_per_connection_bytes=None if server is None else server.memory_per_connection_bytes,
        cpu_mean=None if server is None else server.cpu_mean,
        bound=result.bound,
        wave=result.wave,
    )


def found_limit(search: SearchResult, file: str) -> FoundLimit:
    """Return the essence of a search."""
    return FoundLimit(
        file=file,
        dimension=search.asked.dimension,
        last_pass=search.last_pass,
        first_fail=search.first_fail,
        broken=search.broken,
        bound=search.bound,
        at_least=search.at_least,
        state=search.state,
    )

"""B over A, for any two results of the same kind. Pure.

A result is taken apart into its parts: a trial, or the repeats of one, are a single part, a staircase has a part for
each stage and load and one for the limits of each stage. Parts of the same name are compared, and all their ratios of a
figure are judged together. One run each, or two, are never called better or worse.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from harness.campaign.figures import MEASURED
from harness.campaign.figures import compare as compare_by
from harness.campaign.intervals import FEWEST_RUNS
from harness.campaign.verdicts import has_too_few_runs, judged, ratio_of_limits
from harness.errors import HarnessError
from harness.records.asked import Placement
from harness.records.campaign import (
    COMPARISON,
    Ablation,
    Comparison,
    FoundLimit,
    Measurement,
    Ratio,
    Repeats,
    Staircase,
    found_limit,
    measurement,
)
from harness.records.machine import Machine
from harness.records.machines import differences
from harness.records.search import SearchResult
from harness.records.trial import TrialResult
from harness.units import show_load

Comparable = tuple[TrialResult, ...] | SearchResult | Staircase | Ablation
"""One or more trials of one server under one load, or a result of another kind."""


_TOO_FEW = f"too few runs: a judgement needs {FEWEST_RUNS} valid ones on each side"


class ComparisonError(HarnessError):
    """Two results that cannot be compared; the message says why, and what could."""


@dataclass(frozen=True, slots=True)
class Side:
    """A result, and where it is from."""

    source: str
    result: Comparable


def compare(a: Side, b: Side) -> Comparison:
    """Return B over A by every figure that they have. Raise ComparisonError for different kinds, or loads."""
    found, told = _compared(a, b)
    return Comparison(
        schema=COMPARISON,
        a=_label(a),
        b=_label(b),
        ratios=tuple(found),
        warnings=(*told, *_conditions(a, b), *differences(_machine(a.result), _machine(b.result))),
    )


def _kind(result: Comparable) -> str:
    if isinstance(result, tuple):
        return "trials"
    return f"a {type(result).__name__.removesuffix('Result').lower()}"


def _compared(a: Side, b: Side) -> tuple[list[Ratio], list[str]]:
    """Return the ratios, and what has to be said of them."""
    match a.result, b.result:
        case tuple(), tuple():
            return _trials(a, b)
        case SearchResult() as one, SearchResult() as other:
            return _searches(one, other), [_TOO_FEW]
        case Staircase() as one, Staircase() as other:
            return _parts(_parts_of_staircase(one), _parts_of_staircase(other))
        case Ablation() as one, Ablation() as other:
            return _parts(_parts_of_ablation(one), _parts_of_ablation(other))
    kinds = f"{a.source} is {_kind(a.result)} and {b.source} {_kind(b.result)}"
    raise ComparisonError(f"{kinds}: compare two of the same kind")


def _trials(a: Side, b: Side) -> tuple[list[Ratio], list[str]]:
    of_a, of_b = _valid(a), _valid(b)
    if of_a[0].asked.load != of_b[0].asked.load:
        loads = " and ".join(show_load(one.asked.load) for one in (of_a[0], of_b[0]))
        raise ComparisonError(f"the loads differ, {loads}: compare trials under the same load")
    told = [_TOO_FEW] if min(len(of_a), len(of_b)) < FEWEST_RUNS else []
    found = _judged({"": (_measurements(of_a), _measurements(of_b))})
    return [msgspec.structs.replace(ratio, of=None) for ratio in found], told


def _valid(side: Side) -> list[TrialResult]:
    trials = side.result if isinstance(side.result, tuple) else ()
    if len({(trial.asked.target.name, trial.asked.load) for trial in trials}) > 1:
        raise ComparisonError(f"{side.source} has trials of several servers or loads: give those of one")
    valid = [trial for trial in trials if trial.validity.valid]
    if not valid:
        raise ComparisonError(f"{side.source} has no valid trial, so there is nothing to compare: measure again")
    return valid


def _measurements(trials: Sequence[TrialResult]) -> list[Measurement]:
    return [measurement(trial, "") for trial in trials]


def _searches(a: SearchResult, b: SearchResult) -> list[Ratio]:
    if a.asked.dimension != b.asked.dimension:
        raise ComparisonError(f"A is a search for {a.asked.dimension}, B for {b.asked.dimension}: compare the same")
    return [ratio_of_limits(a.asked.dimension, found_limit({"": a}), found_limit({"": b}))]


_Part = Repeats | FoundLimit


def _parts(a: Mapping[str, _Part], b: Mapping[str, _Part]) -> tuple[list[Ratio], list[str]]:
    repeats: dict[str, tuple[Sequence[Measurement], Sequence[Measurement]]] = {}
    found: list[Ratio] = []
    for name, of_a in a.items():
        of_b = b.get(name)
        if isinstance(of_a, Repeats) and isinstance(of_b, Repeats):
            repeats[name] = of_a.trials, of_b.trials
        elif isinstance(of_a, FoundLimit) and isinstance(of_b, FoundLimit):
            found.append(msgspec.structs.replace(ratio_of_limits(of_a.dimension, of_a, of_b), of=name))
    found += _judged(repeats)
    if not found:
        raise ComparisonError("the two have nothing in common that was measured in both")
    told = [f"only A has {name}" for name in a if name not in b]
    told += [f"only B has {name}" for name in b if name not in a]
    if any(has_too_few_runs(ratio) for ratio in found):
        told.append(_TOO_FEW)
    return found, told


def _judged(parts: Mapping[str, tuple[Sequence[Measurement], Sequence[Measurement]]]) -> list[Ratio]:
    """Return the ratios of B over A of every part by every figure, those of a figure judged together."""
    by_part: dict[str, list[Ratio]] = {name: [] for name in parts}
    for figure in MEASURED:
        family = {name: compare_by(figure, a, {name: b})[name] for name, (a, b) in parts.items()}
        for name, ratio in judged(figure, family).items():
            by_part[name].append(msgspec.structs.replace(ratio, of=name))
    return [ratio for ratios in by_part.values() for ratio in ratios]


def _parts_of_staircase(result: Staircase) -> dict[str, _Part]:
    return dict(pair for step in result.steps for pair in _pairs(step.target.name, step.limits, step.loads))


def _parts_of_ablation(result: Ablation) -> dict[str, _Part]:
    measured = [(one.scenario, one.measured) for one in result.references]
    measured += [(one.scenario or "", one.measured) for one in result.lessons]
    return {f"{repeats.target.name}, {scenario}": repeats for scenario, repeats in measured if repeats is not None}


def _pairs(name: str, limits: Sequence[FoundLimit], loads: Sequence[Repeats]) -> Iterator[tuple[str, _Part]]:
    for limit in limits:
        yield f"{name}, limit of {limit.dimension}", limit
    for repeats in loads:
        yield f"{name}, {show_load(repeats.load)}", repeats


def _conditions(a: Side, b: Side) -> Iterator[str]:
    """Tell in what differs how the two were measured."""
    for what, one, other in zip(
        ("servers", "SLOs", "events"), _circumstances(a.result), _circumstances(b.result), strict=True
    ):
        if one != other:
            yield f"the {what} differ: {one} in A, {other} in B"
    if _placement(a.result) != _placement(b.result):
        yield "they ran in different places: another network, or on other CPUs, or under other kernel settings"


def _circumstances(result: Comparable) -> tuple[str, str, str]:
    """Return the server, the SLO and the events, each as people read it; empty where a result has several."""
    if isinstance(result, tuple):
        asked = result[0].asked
        events = asked.events
        posted = "none" if events is None else f"{events.count} {events.script or f'at {events.rate_per_s:g}/s'}"
        return asked.target.name, asked.slo, posted
    if isinstance(result, SearchResult):
        return result.asked.target.name, result.asked.slo, str(result.asked.events)
    return "", result.slo, ""


def _placement(result: Comparable) -> Placement:
    if isinstance(result, tuple):
        return result[0].asked.placement
    return result.asked.placement if isinstance(result, SearchResult) else result.placement


def _machine(result: Comparable) -> Machine:
    return result[0].machine if isinstance(result, tuple) else result.machine


def _label(side: Side) -> str:
    commit = _machine(side.result).commit
    return side.source if commit is None else f"{side.source} (commit {commit[:7]}{'+' * commit.endswith('+')})"

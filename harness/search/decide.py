"""What a search does next, from the trials that it has made. Pure, and without any other memory.

So a search that was interrupted goes on from its trials alone.

    begin at the floor, or near a hint → away from it in growing strides until the limit lies between two levels →
    bisect until they are close → confirm the lower one in full → find a clear fail above it → hold the lower one (soak)

Trials are short until a full one refutes a level, which says that short ones are too kind to this server. From then on
the search trusts full trials alone: it steps down from candidate to candidate until one is confirmed, and bisects from
there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records.search import TrialKind
from harness.search.evidence import LevelState, Majority, Outcome, Vote, level_states
from harness.search.first_fail import next_level, upper_end
from harness.search.levels import Scale

_LONGEST_STRIDE_DOWN = 0.5


@dataclass(frozen=True, slots=True)
class Rules:
    """How to search. `begin` is the first level; the first step away from it is by `stride` of it.

    Strides double from step to step until a step doubles the level: a stride of 1.0 does so from the first on, and a
    search near a hint begins with that of its precision. `soaks` says whether the answer is to be held at the end.
    """

    scale: Scale
    begin: float
    stride: float
    majority: Majority
    soaks: bool


@dataclass(frozen=True, slots=True)
class Try:
    """Make a trial of this kind at this level."""

    level: float
    kind: TrialKind


@dataclass(frozen=True, slots=True)
class Bracket:
    """What is known of the limit.

    `last_pass` was confirmed in full, and at `first_fail` and above nothing passed. `cap` is the lowest level that
    failed, or that the generator cannot do; None where there is none. It lies below `first_fail` where the server
    passed and failed by turns. `reached` is the highest level below it that passed, be it only in short. `is_open` says
    that no fail of the server bounds the limit from above: it is at least `last_pass`.
    """

    last_pass: float | None
    first_fail: float | None
    cap: float | None
    reached: float | None
    is_open: bool


def bracket(outcomes: Sequence[Outcome], majority: Majority) -> Bracket:
    """Return what the trials so far say of the limit."""
    known = level_states(outcomes, majority)
    cap = _cap(known)
    passed = {level: state for level, state in known.items() if state.is_pass and (cap is None or level < cap)}
    return Bracket(
        last_pass=max((level for level, state in passed.items() if state is LevelState.GOOD), default=None),
        first_fail=_first_fail(known, outcomes, majority),
        cap=cap,
        reached=max(passed, default=None),
        is_open=cap is None or not known[cap].is_fail,
    )


def next_trial(rules: Rules, outcomes: Sequence[Outcome]) -> Try | None:
    """Return the trial to make after these, or None where the search is over."""
    known = level_states(outcomes, rules.majority)
    repeated = _again(known, outcomes)
    if repeated is not None:
        return repeated
    cap = _cap(known)
    below = {level: state for level, state in known.items() if cap is None or level < cap}
    for level, state in below.items():
        if state is LevelState.CONFIRMING:
            return Try(level, "full")
        if state is LevelState.CONTRADICTED:
            return Try(level, "short")
    lower = max((level for level, state in below.items() if state.is_pass), default=None)
    if lower is None:
        return _find_a_pass(rules, known, cap)
    return _narrow(rules, known, lower, cap) or _settle(rules, known, outcomes, lower, cap)


def _again(known: Mapping[float, LevelState], outcomes: Sequence[Outcome]) -> Try | None:
    """Return the trial that was made last, if it was not valid and there is hope."""
    if not outcomes or outcomes[-1].vote is not Vote.INVALID:
        return None
    last = outcomes[-1]
    return None if known[last.level].is_cap else Try(last.level, last.kind)


def _first_fail(known: Mapping[float, LevelState], outcomes: Sequence[Outcome], majority: Majority) -> float | None:
    """Return the upper end; where everything above has passed once, the lowest level that a majority failed."""
    clear = upper_end(known, outcomes, majority).first_fail
    return min((level for level, state in known.items() if state.is_fail), default=None) if clear is None else clear


def _cap(known: Mapping[float, LevelState]) -> float | None:
    return min((level for level, state in known.items() if state.is_cap), default=None)


def _kind(known: Mapping[float, LevelState]) -> TrialKind:
    return "full" if LevelState.REFUTED in known.values() else "short"


def _stride(rules: Rules, known: Mapping[float, LevelState]) -> float:
    return min(1.0, rules.stride * 2.0 ** max(len(known) - 1, 0))


def _find_a_pass(rules: Rules, known: Mapping[float, LevelState], cap: float | None) -> Try | None:
    if cap is None:
        return Try(rules.begin, _kind(known))
    if cap > rules.scale.smallest:
        return Try(rules.scale.below(cap, min(_stride(rules, known), _LONGEST_STRIDE_DOWN)), _kind(known))
    return _make_sure(known, cap)


def _narrow(rules: Rules, known: Mapping[float, LevelState], lower: float, cap: float | None) -> Try | None:
    """Return the trial that brings the two ends closer; None where they are close, or there is nothing above."""
    scale, kind = rules.scale, _kind(known)
    if kind == "full" and known[lower] is not LevelState.GOOD:
        return Try(lower, "full")
    if cap is None:
        return None if lower >= scale.largest else Try(scale.above(lower, _stride(rules, known)), kind)
    return None if scale.is_close(lower, cap) else Try(scale.between(lower, cap), kind)


def _settle(
    rules: Rules, known: Mapping[float, LevelState], outcomes: Sequence[Outcome], lower: float, cap: float | None
) -> Try | None:
    """Return the trial that makes the answer sure; None where it is."""
    if known[lower] is not LevelState.GOOD:
        return Try(lower, "full")
    doubted = None if cap is None else _make_sure(known, cap) or _clear_fail(rules, known, outcomes, cap)
    if doubted is not None:
        return doubted
    if rules.soaks and Outcome(lower, "soak", Vote.PASSED) not in outcomes:
        return Try(lower, "soak")
    return None


def _clear_fail(rules: Rules, known: Mapping[float, LevelState], outcomes: Sequence[Outcome], cap: float) -> Try | None:
    """Return the trial that finds the level from which on nothing passes; None where it is known, or out of reach."""
    level = None
    if known[cap].is_fail:
        level = next_level(rules.scale, known, upper_end(known, outcomes, rules.majority))
    return None if level is None else Try(level, _kind(known))


def _make_sure(known: Mapping[float, LevelState], cap: float) -> Try | None:
    return Try(cap, "short") if known[cap] is LevelState.DOUBTED else None

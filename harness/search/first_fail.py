"""The upper end of the answer: the lowest level at which every trial failed, and above which nothing passed. Pure.

Near its limit a server passes one trial and fails the next, over a range of levels that is as wide as its noise. A
majority is enough to confirm the lower end. Were it enough for the upper one as well, each search would end somewhere
in that range, and two of the same server need have nothing in common. So a level that some trials passed, and most
failed, is neither end: it lies inside the answer, which is as wide as the noise is, or as the precision if that is
more. MLRsearch (draft-ietf-bmwg-mlrsearch, on RFC 2544's throughput) has the same question, of trials of one load that
contradict each other, and answers it by the share of them that may fail.

Measured on stage 2.5, searched for C five times with the defaults (2 cores, the generator on the same machine; p99 of
one level has a standard deviation of 4 % there): 10,172-12,097, 10,623-12,097, 11,093-12,097 twice and 10,172-11,646.
All five share 11,093-11,646. With the lowest level that a majority failed as first fail, five searches of an earlier
stage 2.5 shared one level at a precision of 25 %, and none at 10 %.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records.search import TrialKind
from harness.search.evidence import LevelState, Majority, Outcome, Vote
from harness.search.levels import Scale


@dataclass(frozen=True, slots=True)
class UpperEnd:
    """What the trials say of it.

    `first_fail` is None where no level failed above all that passed. `is_sure` says that as many trials failed there as
    would be made to confirm a pass. `passed` is the highest level with a trial that passed, 0 if there is none.
    """

    first_fail: float | None
    is_sure: bool
    passed: float


def upper_end(known: Mapping[float, LevelState], outcomes: Sequence[Outcome], majority: Majority) -> UpperEnd:
    """Return what the trials say of the upper end; `known` is what became of their levels.

    Short trials may be too kind to a server. Where full ones fail at a level that no trial passed, what short ones
    passed above it does not count. A soak that failed is sure at once, and nothing that passed there, or above, counts.
    """
    soaked = min((outcome.level for outcome in outcomes if _failed(outcome, "soak")), default=math.inf)
    passed_once = {outcome.level for outcome in outcomes if outcome.vote is Vote.PASSED}
    too_kind = min(
        (outcome.level for outcome in outcomes if _failed(outcome, "full") and outcome.level not in passed_once),
        default=math.inf,
    )
    below = {"short": min(soaked, too_kind), "full": soaked, "soak": soaked}
    passes = [o.level for o in outcomes if o.vote is Vote.PASSED and o.level < below[o.kind]]
    passed = max(passes, default=0.0)
    failed = [level for level, state in known.items() if state.is_fail and level > passed]
    if not failed:
        return UpperEnd(None, is_sure=False, passed=passed)
    first_fail = min(failed)
    fails = sum(outcome.level == first_fail and outcome.vote is Vote.FAILED for outcome in outcomes)
    return UpperEnd(first_fail, is_sure=fails >= majority.repeats or first_fail == soaked, passed=passed)


def next_level(scale: Scale, known: Mapping[float, LevelState], end: UpperEnd) -> float | None:
    """Return the level to try so that the upper end is sure and next to what passed; None where it is, or can't be."""
    above = scale.above(end.passed, scale.precision) if end.first_fail is None else end.first_fail
    if any(state is LevelState.BEYOND_GENERATOR and end.passed < level <= above for level, state in known.items()):
        return None
    if end.first_fail is None:
        return above if above > end.passed else None
    if not scale.is_close(end.passed, end.first_fail):
        return scale.between(end.passed, end.first_fail)
    return None if end.is_sure else end.first_fail


def _failed(outcome: Outcome, kind: TrialKind) -> bool:
    return outcome.kind == kind and outcome.vote is Vote.FAILED

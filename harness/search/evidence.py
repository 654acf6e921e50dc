"""What the trials of a search say of the levels that they tried. Pure.

Trials are votes on a level. A short one that passes makes it a candidate and no more; only full trials make it good, by
a majority of those that would confirm it. A short one that fails makes it bad, but in doubt: before the search ends on
it, it is tried in short again, until a majority is one way or the other. Otherwise one hiccup of the machine, halfway
down, would be the answer. Full trials that fail refute a level, and so does a soak. The first fail has stricter rules
of its own (`harness.search.first_fail`).

A trial that was not valid is no vote, nor is one for C whose wave was no moment. Two of the same kind at the same level
say that the generator cannot do it, which bounds the search, but says nothing against the server.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from harness.records.search import TrialKind


class Vote(Enum):
    """What a trial says of its level."""

    PASSED = auto()
    FAILED = auto()
    INVALID = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial, as far as the search looks at it."""

    level: float
    kind: TrialKind
    vote: Vote


@dataclass(frozen=True, slots=True)
class Majority:
    """`repeats` full trials would be made of a level; fewer, if they decide it."""

    repeats: int

    @property
    def votes(self) -> int:
        """How many votes carry it."""
        return self.repeats // 2 + 1

    @property
    def veto(self) -> int:
        """How many full trials that fail leave no majority that could pass."""
        return self.repeats - self.votes + 1


class LevelState(Enum):
    """What became of a level so far."""

    UNTRIED = auto()
    """Its only trial was not valid."""
    CANDIDATE = auto()
    """It passed in short."""
    CONFIRMING = auto()
    """Some full trials were made, too few to decide."""
    GOOD = auto()
    """A majority of full trials passed."""
    DOUBTED = auto()
    """It failed in short, and was not tried again."""
    CONTRADICTED = auto()
    """Short trials say this and that, too few to decide."""
    BAD = auto()
    """A majority of short trials failed."""
    REFUTED = auto()
    """It failed in full, or the soak."""
    BEYOND_GENERATOR = auto()
    """The generator failed twice to make the same trial."""

    @property
    def is_fail(self) -> bool:
        """Whether it counts against the server."""
        return self in {LevelState.DOUBTED, LevelState.BAD, LevelState.REFUTED}

    @property
    def is_cap(self) -> bool:
        """Whether the search has nothing to look for at this level, and above it."""
        return self.is_fail or self is LevelState.BEYOND_GENERATOR

    @property
    def is_pass(self) -> bool:
        """Whether the limit is taken to lie above it."""
        return self in {LevelState.CANDIDATE, LevelState.GOOD}


_Votes = Counter[tuple[TrialKind, Vote]]


def level_states(outcomes: Iterable[Outcome], majority: Majority) -> Mapping[float, LevelState]:
    """Return what became of every level that was tried."""
    votes: dict[float, _Votes] = {}
    for outcome in outcomes:
        votes.setdefault(outcome.level, Counter())[outcome.kind, outcome.vote] += 1
    return {level: _state(counted, majority) for level, counted in votes.items()}


def _state(votes: _Votes, majority: Majority) -> LevelState:
    if votes["soak", Vote.FAILED] or votes["full", Vote.FAILED] >= majority.veto:
        return LevelState.REFUTED
    if votes["short", Vote.FAILED] >= majority.votes:
        return LevelState.BAD
    if any(count > 1 for (_, vote), count in votes.items() if vote is Vote.INVALID):
        return LevelState.BEYOND_GENERATOR
    if votes["full", Vote.PASSED] >= majority.votes:
        return LevelState.GOOD
    if votes["full", Vote.PASSED] or votes["full", Vote.FAILED]:
        return LevelState.CONFIRMING
    return _state_in_short(votes["short", Vote.PASSED], votes["short", Vote.FAILED], majority)


def _state_in_short(passed: int, failed: int, majority: Majority) -> LevelState:
    if passed and failed and passed < majority.votes:
        return LevelState.CONTRADICTED
    if passed:
        return LevelState.CANDIDATE
    return LevelState.DOUBTED if failed else LevelState.UNTRIED

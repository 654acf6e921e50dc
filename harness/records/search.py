"""What a search leaves behind: the interval in which the limit lies, every trial that led there, and what bound."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from harness.records.asked import AskedTarget, Placement
from harness.records.machine import Machine
from harness.records.section import Section
from harness.records.trial import Bound
from harness.records.usage import Wave

SCHEMA: Literal["matchstream-lab/search/2"] = "matchstream-lab/search/2"

Dimension = Literal["N", "C", "burst C", "rate"]
"""What is searched for: connections held, connections started at once, events a second.

`C` is the *sustained* one, the talk's: waves of that size follow each other up to N, four of them at least. `burst C`
is a single wave on an empty server.
"""

TrialKind = Literal["short", "full", "soak"]
State = Literal["done", "out of budget", "interrupted"]


class AskedSearch(Section, frozen=True, kw_only=True):
    """What was searched for and how. Whatever of `n`, `c`, `rate_per_s` is the dimension itself is None.

    In a search for C a trial makes `waves` waves, N = `waves` * C, more where `n` asks for more; None otherwise.

    `floor` is where the doubling begins and `ceiling` beyond which it does not go; `precision` is the relative width
    at which the bisection ends; `repeats` how many full trials confirm a bound, a majority of which must pass.
    """

    target: AskedTarget
    dimension: Dimension
    slo: str
    n: int | None
    c: int | None
    interval_s: float
    rate_per_s: float | None
    waves: Annotated[int, msgspec.Meta(ge=1)] | None
    events: int
    floor: float
    ceiling: float
    precision: float
    repeats: Annotated[int, msgspec.Meta(ge=1)]
    soak_s: float
    budget_s: float | None
    placement: Placement = Placement()


class SearchTrial(Section, frozen=True, kw_only=True):
    """One trial of the search; `level` is its N, its C, or its events a second.

    `response_p99_s` is None where more than 1 % were not answered, `fanout_p99_s` where nothing was posted or more than
    1 % of the deliveries did not arrive. A trial that is not `valid` proves nothing against the server: the generator
    was at its end. Nor does one prove a C whose `wave` was no moment; `wave` is None where it is not a C that is
    searched.
    """

    level: float
    kind: TrialKind
    started_at: datetime
    took_s: float
    valid: bool
    met: bool
    broken: tuple[str, ...]
    bound: Bound
    served: int
    art_mean_s: float | None
    response_p99_s: float | None
    fanout_p99_s: float | None
    wave: Wave | None = None

    @property
    def passed(self) -> bool:
        """Whether the trial is valid, its wave a moment where C is searched for, and its SLO met."""
        return self.valid and self.is_moment and self.met

    @property
    def is_moment(self) -> bool:
        """Whether the wave was one, or need not be: for N and the rate of events fans come as they come."""
        return self.wave is None or self.wave.moment


class SearchResult(Section, frozen=True, kw_only=True):
    """The limit lies in `[last_pass, first_fail]`; either is None where the search did not see one.

    `broken` are the SLO's terms that failed at `first_fail`, and `bound` is what bound there. `at_least` says that the
    generator or the search's own ceiling ended it, so that the server may be better than `last_pass`.
    """

    schema: Literal["matchstream-lab/search/2"]
    harness: str
    started_at: datetime
    asked: AskedSearch
    trials: tuple[SearchTrial, ...]
    last_pass: float | None
    first_fail: float | None
    broken: tuple[str, ...]
    bound: Bound | None
    at_least: bool
    state: State
    machine: Machine

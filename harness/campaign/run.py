"""Makes what a campaign planned, one after the other, and keeps its summary up to date.

What is in the journal already is not made again. Before everything else the machine is to be at rest. After everything
the summary is written anew, with the state that it would have if the campaign ended there: `interrupted`, until it is
over. What ends it early, Ctrl-C or its budget, costs what is being measured at that moment and nothing else.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.campaign.findings import Findings
from harness.campaign.plan import Planned, PlannedSearch, PlannedTrial
from harness.records.search import SearchResult, State
from harness.records.trial import TrialResult
from harness.targets.target import TargetError


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What a campaign makes next: the `number`th of `total`; all that is left takes `left_s`, if it can tell."""

    number: int
    total: int
    title: str
    left_s: float | None


class CampaignWatcher(Protocol):
    """Whoever tells a user how far a campaign is."""

    def begin(self, upcoming: Upcoming) -> None:
        """Tell what is made next."""
        ...

    def say(self, line: str) -> None:
        """Tell what the user should know, in a sentence."""
        ...


class Bench(Protocol):
    """Who measures: the real one starts servers and generators."""

    def stored(self, planned: Planned) -> TrialResult | SearchResult | None:
        """Return the result that is there already, or None."""
        ...

    def trial(self, planned: PlannedTrial) -> TrialResult:
        """Make a trial and store its result. Raise HarnessError if it cannot be made."""
        ...

    def search(self, planned: PlannedSearch, hint: float | None) -> SearchResult:
        """Make a search and store its result; `hint` is where its limit may lie. Raise HarnessError."""
        ...

    def wait_until_quiet(self) -> tuple[str, ...]:
        """Return when the machine is at rest, or what disturbs it still."""
        ...


@dataclass(frozen=True, slots=True)
class CampaignTerms:
    """How a campaign is run.

    After `budget_s` seconds, if it is not None, nothing more is begun, nor what would probably not be over by then.
    `tolerates` are the keys of the servers that may refuse to start: that is a finding then, and else an error.
    """

    budget_s: float | None = None
    tolerates: frozenset[str] = frozenset()
    now: Callable[[], float] = time.monotonic


class Campaign:
    """A plan, and how far it was made. `summarize` is called with the state after every step."""

    def __init__(  # noqa: PLR0913, PLR0917 -- its parts, each of another kind
        self,
        plan: Sequence[Planned],
        bench: Bench,
        findings: Findings,
        summarize: Callable[[State], None],
        watcher: CampaignWatcher,
        terms: CampaignTerms,
    ) -> None:
        self._plan = plan
        self._bench = bench
        self._findings = findings
        self._summarize = summarize
        self._watcher = watcher
        self._terms = terms
        self._took_s: dict[type[Planned], list[float]] = {PlannedTrial: [], PlannedSearch: []}

    def run(self) -> State:
        """Make what is not there yet, and return how it ended. Raise HarnessError, KeyboardInterrupt.

        Whatever is raised, the summary has what was measured until then.
        """
        began_s = self._terms.now()
        missing = self._missing()
        state: State = "done"
        self._summarize("interrupted")
        for index, planned in enumerate(missing):
            if planned.server.key in self._findings.refusals:
                continue
            if not self._fits(planned, self._terms.now() - began_s):
                state = "out of budget"
                break
            number = len(self._plan) - len(missing) + index + 1
            left_s = self._left_s(missing[index:])
            self._watcher.begin(Upcoming(number, len(self._plan), title_of(planned), left_s))
            self._make(planned)
            self._summarize("interrupted")
        self._summarize(state)
        return state

    def _missing(self) -> list[Planned]:
        """Take what is there already, and return the rest."""
        missing = [planned for planned in self._plan if not self._take(planned, self._bench.stored(planned))]
        there = len(self._plan) - len(missing)
        if there:
            self._watcher.say(f"{there} of {len(self._plan)} are there already and are kept: --fresh measures anew")
        return missing

    def _take(self, planned: Planned, result: TrialResult | SearchResult | None) -> bool:
        if isinstance(planned, PlannedTrial) and isinstance(result, TrialResult):
            self._findings.add_trial(planned, result)
            return True
        if isinstance(planned, PlannedSearch) and isinstance(result, SearchResult):
            self._findings.add_search(planned, result)
            return True
        return False

    def _make(self, planned: Planned) -> None:
        for disturbance in self._bench.wait_until_quiet():
            self._watcher.say(f"the machine is not at rest: {disturbance}; {title_of(planned)} goes on")
        began_s = self._terms.now()
        try:
            self._take(planned, self._measure(planned))
        except TargetError as error:
            if planned.server.key not in self._terms.tolerates:
                raise
            # What the server said for itself, without what the harness says of how it ended.
            self._findings.refused(planned.server, str(error).rpartition("matchstream: ")[2])
        else:
            self._took_s[type(planned)].append(self._terms.now() - began_s)

    def _measure(self, planned: Planned) -> TrialResult | SearchResult:
        if isinstance(planned, PlannedTrial):
            return self._bench.trial(planned)
        return self._bench.search(planned, self._hint(planned))

    def _hint(self, planned: PlannedSearch) -> float | None:
        hint = planned.hint
        while isinstance(hint, PlannedSearch):
            known = self._findings.searches.get(hint.file)
            if known is not None and known.last_pass is not None:
                # N is looked for where as many servers as there are nodes would have it. C shares the machine's CPUs.
                more = planned.server.nodes / hint.server.nodes if planned.dimension == "N" else 1
                return known.last_pass * more
            hint = hint.hint
        return hint

    def _fits(self, planned: Planned, elapsed_s: float) -> bool:
        """Whether it would probably be over within the budget, to judge by the longest of its kind."""
        budget_s = self._terms.budget_s
        longest_s = max(self._took_s[type(planned)], default=0.0)
        return budget_s is None or elapsed_s + longest_s < budget_s

    def _left_s(self, missing: Sequence[Planned]) -> float | None:
        """Return what is left by the median of each kind; None while there is none of a kind that is still to come."""
        left_s = 0.0
        for planned in missing:
            took_s = self._took_s[type(planned)]
            if not took_s:
                return None
            left_s += statistics.median(took_s)
        return left_s


def title_of(planned: Planned) -> str:
    """Return what people call a step of a campaign."""
    name = planned.server.name
    if isinstance(planned, PlannedSearch):
        return f"{name}, search {planned.repeat} for {planned.dimension}"
    return f"{name}, N={planned.load.n:,}, C={planned.load.c:,}, repeat {planned.repeat}"

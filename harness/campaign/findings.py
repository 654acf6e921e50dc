"""What a campaign has found so far, from which its summary is made, again and again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from harness.campaign.plan import SEARCHES, Arm, MeasuredServer, PlannedSearch, PlannedTrial
from harness.records.asked import AskedTarget
from harness.records.campaign import FoundLimit, Measurement, Repeats, found_limit, measurement
from harness.records.search import Dimension, SearchResult
from harness.records.trial import TrialResult


@dataclass(slots=True)
class Findings:
    """The essence of each result by its file, whom it was of and why somebody refused, by the server's key."""

    trials: dict[str, Measurement] = field(default_factory=dict)
    searches: dict[str, SearchResult] = field(default_factory=dict)
    targets: dict[str, AskedTarget] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    began: list[datetime] = field(default_factory=list)

    def add_trial(self, planned: PlannedTrial, result: TrialResult) -> None:
        """Take the result of a trial."""
        self.trials[planned.file] = measurement(result, planned.file)
        self._saw(planned.server, result.asked.target, result)

    def add_search(self, planned: PlannedSearch, result: SearchResult) -> None:
        """Take the result of a search."""
        self.searches[planned.file] = result
        self._saw(planned.server, result.asked.target, result)

    def refused(self, server: MeasuredServer, reason: str) -> None:
        """Take it that a server would not start."""
        self.refusals[server.key] = reason

    def repeats(self, arm: Arm, rounds: int) -> Repeats | None:
        """Return the trials of a server under a load so far, or None if there is none."""
        numbers = range(1, rounds * arm.per_round + 1)
        files = (PlannedTrial(arm.server, arm.load, repeat).file for repeat in numbers)
        found = tuple(self.trials[file] for file in files if file in self.trials)
        if not found:
            return None
        target = self.targets[arm.server.key]
        return Repeats(target=target, load=arm.load.asked, rate_per_s=arm.load.rate_per_s, trials=found)

    def limits_of(self, server: MeasuredServer, dimensions: Iterable[Dimension]) -> tuple[FoundLimit, ...]:
        """Return the limits of a server that were searched so far."""
        return tuple(found_limit(found) for dimension in dimensions if (found := self._searches_of(server, dimension)))

    def _searches_of(self, server: MeasuredServer, dimension: Dimension) -> dict[str, SearchResult]:
        repeats = range(1, SEARCHES[dimension] + 1)
        files = (PlannedSearch(server, dimension, repeat=repeat).file for repeat in repeats)
        return {file: self.searches[file] for file in files if file in self.searches}

    def _saw(self, server: MeasuredServer, target: AskedTarget, result: TrialResult | SearchResult) -> None:
        self.targets.setdefault(server.key, target)
        self.began.append(result.started_at)

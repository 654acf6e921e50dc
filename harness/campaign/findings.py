"""What a campaign has found so far, from which its summary is made, again and again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from harness.campaign.plan import FixedLoad, PlannedSearch, PlannedTrial, Server, search_file
from harness.records.campaign import FoundLimit, Measurement, Repeats, found_limit, measurement
from harness.records.search import Dimension, SearchResult
from harness.records.trial import AskedTarget, TrialResult


@dataclass(slots=True)
class Findings:
    """The essence of each result by its file, whom it was of and why somebody refused, by the server's key."""

    trials: dict[str, Measurement] = field(default_factory=dict)
    limits: dict[str, FoundLimit] = field(default_factory=dict)
    targets: dict[str, AskedTarget] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    commits: set[str | None] = field(default_factory=set)
    began: list[datetime] = field(default_factory=list)

    def add_trial(self, planned: PlannedTrial, result: TrialResult) -> None:
        """Take the result of a trial."""
        self.trials[planned.file] = measurement(result, planned.file)
        self._saw(planned.server, result.asked.target, result)

    def add_search(self, planned: PlannedSearch, result: SearchResult) -> None:
        """Take the result of a search."""
        self.limits[planned.file] = found_limit(result, planned.file)
        self._saw(planned.server, result.asked.target, result)

    def refused(self, server: Server, reason: str) -> None:
        """Take it that a server would not start."""
        self.refusals[server.key] = reason

    def repeats(self, server: Server, load: FixedLoad, repeats: int) -> Repeats | None:
        """Return the trials of a server under a load so far, or None if there is none."""
        files = (PlannedTrial(server, load, repeat).file for repeat in range(1, repeats + 1))
        found = tuple(self.trials[file] for file in files if file in self.trials)
        if not found:
            return None
        target = self.targets[server.key]
        return Repeats(target=target, load=load.asked, rate_per_s=load.rate_per_s, trials=found)

    def limits_of(self, server: Server, dimensions: Iterable[Dimension]) -> tuple[FoundLimit, ...]:
        """Return the limits of a server that were searched so far."""
        files = (search_file(server.key, dimension) for dimension in dimensions)
        return tuple(self.limits[file] for file in files if file in self.limits)

    def _saw(self, server: Server, target: AskedTarget, result: TrialResult | SearchResult) -> None:
        self.targets.setdefault(server.key, target)
        self.commits.add(result.machine.commit)
        self.began.append(result.started_at)

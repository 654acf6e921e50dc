"""Whom a search needs: one who makes its trials, and one who is told how far it is."""

from typing import Protocol

from harness.records.trial import TrialResult
from harness.search.decide import Bracket, Try
from harness.targets.target import Target
from harness.trial.measure import Watcher
from harness.trial.plan import TrialPlan


class Measurer(Protocol):
    """Makes the trials, as MLRsearch's measurer does: the search decides, and knows nothing of how that is done."""

    def target(self) -> Target:
        """Return whom the next trial measures, not yet started."""
        ...

    def measure(self, plan: TrialPlan, target: Target, watcher: Watcher) -> TrialResult:
        """Make one trial and return what was seen. Raise HarnessError where it cannot be made."""
        ...


class SearchWatcher(Watcher, Protocol):
    """Whoever shows a user how far a search is, and each of its trials."""

    def trying(self, step: Try, known: Bracket, trials: int) -> None:
        """Show that the next trial begins; before it there were so many, which say what is known of the limit."""
        ...

    def note(self, text: str) -> None:
        """Tell something that a user should know, in one line."""
        ...

"""Whom a search needs: one who makes its trials, one who writes it down, and one who is told how far it is."""

from pathlib import Path
from typing import Protocol

from harness.records.search import SearchResult
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


class SearchJournal(Protocol):
    """Where a search is written down after each of its trials, so that it goes on after an interruption."""

    @property
    def path(self) -> Path:
        """Where that is, as people are told."""
        ...

    def earlier(self) -> SearchResult | None:
        """Return what was written before, or None where nothing was. Raise ResultError."""
        ...

    def save(self, result: SearchResult) -> None:
        """Write what is known now, in place of what was known before. Raise ResultError."""
        ...

"""What a user sees of a search while it runs."""

from rich.console import Console

from harness.records.search import Dimension
from harness.search.decide import Bracket, Try
from harness.show.progress import Bars, Silent
from harness.show.search import show_dimension, show_level
from harness.show.terminal import say


class SilentSearch(Silent):
    """Shows no progress; its notes go to standard error."""

    def trying(self, step: Try, known: Bracket, trials: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Print the line on standard error."""
        say(text, err=True)


class SearchBars(Bars):
    """Two lines: what is tried, between which levels the limit is, how many trials it took; and the trial's phase."""

    def __init__(self, console: Console, dimension: Dimension) -> None:
        super().__init__(console)
        self._dimension = dimension
        self._search = self._progress.add_task("search", total=None, count="", note="")

    def trying(self, step: Try, known: Bracket, trials: int) -> None:
        """Show the level, the kind of the trial, and what is known."""
        ends = (show_level(self._dimension, end) for end in (known.reached, known.cap))
        self._progress.update(
            self._search,
            count=f"{show_dimension(self._dimension)} = {show_level(self._dimension, step.level)}, {step.kind}",
            note=f"between {' and '.join(ends)} after {trials} trials",
        )

    def phase(self, name: str, total: int) -> None:
        """Begin the bar of a phase in place of that of the phase before."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total or None, count="", note="")

    def note(self, text: str) -> None:
        """Print the line above the bars."""
        self._progress.console.print(text, markup=False, highlight=False)

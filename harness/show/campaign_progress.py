"""How far a campaign is, on standard error: a bar for a person who waits, a line a step for a log."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from common.durations import show_duration
from harness.campaign.run import Upcoming
from harness.load.reporter import Posted
from harness.load.samples import Progress as FansProgress
from harness.search.decide import Bracket, Try
from harness.show.progress import Silent


class Lines(Silent):
    """A line for each step, and nothing of what happens in it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: there is nothing to give back."""

    def begin(self, upcoming: Upcoming) -> None:
        """Print what is made next."""
        self.say(f"{upcoming.number} of {upcoming.total}: {upcoming.title}{_left(upcoming.left_s)}")

    def trying(self, step: Try, known: Bracket, trials: int) -> None:
        """Show nothing."""

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print what a search has to tell."""
        self.say(text)


class Bar:
    """One bar for the whole campaign, and beside it what is made and how far that is; a context manager, as `Bars`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
        )
        self._task = self._progress.add_task("", total=None, left="", note="")
        self._phase = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, upcoming: Upcoming) -> None:
        """Move the bar to the step."""
        self._progress.update(
            self._task,
            description=upcoming.title,
            completed=upcoming.number - 1,
            total=upcoming.total,
            left=_left(upcoming.left_s).removeprefix(", "),
            note="",
        )

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False)

    def note(self, text: str) -> None:
        """Print what a search has to tell."""
        self.say(text)

    def trying(self, step: Try, known: Bracket, trials: int) -> None:
        """Show the level that a search tries."""
        self._note(f"at {step.level:,g}, {step.kind}")

    def phase(self, name: str, total: int) -> None:
        """Show the phase of a trial."""
        self._phase = name
        self._note(name)

    def fans(self, progress: FansProgress) -> None:
        """Show how many fans are settled."""
        self._note(f"{self._phase} {progress.settled:,}")

    def posted(self, post: Posted) -> None:
        """Show how many events are posted."""
        self._note(f"{self._phase} {post.sequence:,}")

    def _note(self, text: str) -> None:
        self._progress.update(self._task, note=text)


def show_of(console: Console) -> Bar | Lines:
    """Return what suits the console."""
    return Bar(console) if console.is_terminal else Lines(console)


def _left(left_s: float | None) -> str:
    return "" if left_s is None else f", {show_duration(left_s)} left"

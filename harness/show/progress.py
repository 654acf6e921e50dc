"""How far a trial is, on standard error: a bar for a person who waits, nothing for a program."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from harness.load.reporter import Posted
from harness.load.samples import Progress as FansProgress


class Silent:
    """Shows nothing."""

    def phase(self, name: str, total: int) -> None:
        """Show nothing."""

    def fans(self, progress: FansProgress) -> None:
        """Show nothing."""

    def posted(self, post: Posted) -> None:
        """Show nothing."""


class Bars:
    """A bar for each phase; a context manager, since a live display hides the cursor and must give it back."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, name: str, total: int) -> None:
        """Finish the bar of the phase before and begin a new one; it only pulses where the total is not known (0)."""
        if self._task is not None:
            done = self._progress.tasks[-1].completed or 1
            self._progress.update(self._task, total=done, completed=done)
        self._task = self._progress.add_task(name, total=total or None, count="", note="")

    def fans(self, progress: FansProgress) -> None:
        """Move the bar to the number of fans that are settled."""
        note = f"{progress.failed:,} failed" if progress.failed else ""
        self._update(progress.settled, note)

    def posted(self, post: Posted) -> None:
        """Move the bar to the number of posts."""
        self._update(post.sequence, post.error or "")

    def _update(self, completed: int, note: str) -> None:
        if self._task is not None:
            total = self._progress.tasks[-1].total or 0
            count = f"{completed:,} of {total:,.0f}"
            self._progress.update(self._task, completed=completed, count=count, note=note)

"""Where the result of one trial is put: a file of its own with its chart, or a line of a directory of results."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.campaign.journal import Journal
from harness.commands.options import AskedError
from harness.records.asked import Asked
from harness.records.directory import TRIALS_FILE, ResultsDirectory, make_directory
from harness.records.files import file_stem, write_new
from harness.records.machine import describe_machine
from harness.records.trial import TrialResult
from harness.show.disturbances import show_disturbances

DEFAULT_RATE = 5.0
"""Events a second, unless it is said."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A result that is at `path`, which `how` tells; its chart is to be drawn at `chart`, if it has one."""

    how: str
    path: Path
    chart: Path | None = None


class TrialStore(Protocol):
    """Where a result is put."""

    def earlier(self, asked: Asked) -> TrialResult | None:
        """Return the result of the same trial if it is there already: then it is not made again. Raise ResultError."""
        ...

    def prepare(self) -> None:
        """Make sure that a result can be put there, before a trial is made for it. Raise HarnessError."""
        ...

    def put(self, result: TrialResult) -> Stored | None:
        """Write the result, unless it is the earlier one, or half of one is not wanted. Raise HarnessError."""
        ...


def trial_store(out: Path | None, keep: Path | None, repeat: int | None) -> TrialStore:
    """Return what --out, --keep and --repeat say. Raise AskedError, ResultError."""
    if keep is None:
        if repeat is not None:
            raise AskedError("--repeat goes with --keep: without it every result has a file of its own")
        return WholeFiles(Path("out") if out is None else out)
    if out is not None:
        raise AskedError("give --out for a whole result with its chart, or --keep for a line, not both")
    return ResultLines(Journal(ResultsDirectory(keep, describe_machine())), keep, repeat or 1)


class WholeFiles:
    """Each result as a JSON file with everything in it, and its chart beside it, in `out`, which is made."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def earlier(self, asked: Asked) -> None:
        """Return None: every result has a name of its own."""

    def prepare(self) -> None:
        """Make the directory, and try it; see TrialStore."""
        make_directory(self._out)

    def put(self, result: TrialResult) -> Stored:
        """Write the JSON file, also beside that of a trial that was made in the same second; see TrialStore."""
        stem = f"{_stem(result.asked)}-{result.started_at:%Y%m%dT%H%M%SZ}"
        file = write_new(self._out / f"{stem}.json", result)
        return Stored("result", file, file.with_suffix(".png"))


@dataclass(frozen=True, slots=True)
class ResultLines:
    """A line for each result in a directory of results.

    The name of one says its server, its load, an uncommon rate of events, what else happened, and which repeat it is.
    """

    journal: Journal
    path: Path
    repeat: int

    def earlier(self, asked: Asked) -> TrialResult | None:
        """Return the same repeat of the same trial, if it is there; see TrialStore."""
        return self.journal.trial(self._name(asked), asked)

    def prepare(self) -> None:
        """Make the directory, and try it; see TrialStore."""
        make_directory(self.path)

    def put(self, result: TrialResult) -> Stored | None:
        """Add the line, unless the trial was interrupted; see TrialStore."""
        if result.interrupted:
            return None
        if self.earlier(result.asked) == result:
            return Stored("measured before, and kept in", self.path)
        self.journal.keep(self._name(result.asked), result)
        return Stored("kept in", self.path / TRIALS_FILE)

    def _name(self, asked: Asked) -> str:
        return f"{_stem(asked)}{_besides(asked)}-{self.repeat}"


def _stem(asked: Asked) -> str:
    return f"{file_stem(asked.target.name)}-n{asked.load.n}-c{asked.load.c}"


def _besides(asked: Asked) -> str:
    """Return what tells trials of one server and one load apart; nothing of common ones."""
    parts = []
    rate = None if asked.events is None else asked.events.rate_per_s
    if rate is not None and rate != DEFAULT_RATE:
        parts.append(f"rate{rate:g}")
    if asked.hold_s:
        parts.append(f"hold{asked.hold_s:g}")
    if what := show_disturbances(asked.disturbances):
        parts.append(file_stem(what))
    return "".join(f"-{part}" for part in parts)

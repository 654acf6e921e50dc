"""What the notebooks are written with: they read stored records and show charts, and measure nothing."""

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from IPython.display import Image, Markdown, display

from harness.records.asked import AskedLoad
from harness.records.kinds import Record, load_record, load_records
from harness.records.trial import TrialResult
from harness.show.charts.chart import NOTEBOOK_DPI, Chart
from harness.show.charts.floor import floors_in
from harness.show.charts.peers import loads_measured

_Kind = TypeVar("_Kind")


def say(text: str) -> None:
    """Show text, as Markdown."""
    display(Markdown(text))


def show(chart: Chart) -> None:
    """Show a chart, its finding, and where the data are from."""
    display(Image(chart.png(captioned=False, dpi=NOTEBOOK_DPI), alt=chart.finding))
    say(f"**{chart.finding}** <small>{chart.source}</small>" if chart.source else f"**{chart.finding}**")


def read(path: Path, kind: type[_Kind], command: str) -> _Kind | None:
    """Return a stored record; where there is none, show the command that makes it, and return None."""
    if path.exists():
        record = load_record(path)
        if isinstance(record, kind):
            return record
    _missing(path, command)
    return None


def read_trials(directory: Path, command: str) -> tuple[TrialResult, ...]:
    """Return the trials stored in a directory, in the order of their names.

    Where there are none, show the command that makes them.
    """
    trials = tuple(record for _, record in _stored(directory) if isinstance(record, TrialResult))
    if not trials:
        _missing(directory, command)
    return trials


def read_floors(*directories: Path) -> tuple[TrialResult, ...]:
    """Return the trials of the floor stored in directories, for the charts of others; there may be none."""
    floors = floors_in([record for directory in directories for _, record in _stored(directory)])
    return tuple(floor for floor in floors if isinstance(floor, TrialResult))


def _stored(directory: Path) -> list[tuple[str, Record]]:
    return sorted(load_records(directory), key=itemgetter(0)) if directory.is_dir() else []


def loads(trials: Sequence[TrialResult]) -> tuple[AskedLoad, ...]:
    """Return the loads at which two servers or more were measured, the one with most of them first."""
    servers = {load: {trial.asked.target.name for trial in at(load, trials)} for load in loads_measured(trials)}
    return tuple(load for load, names in servers.items() if len(names) > 1)


def at(load: AskedLoad, trials: Sequence[TrialResult]) -> tuple[TrialResult, ...]:
    """Return the trials of one load."""
    return tuple(trial for trial in trials if trial.asked.load == load)


def heaviest(trials: Sequence[TrialResult]) -> TrialResult | None:
    """Return the valid trial with the largest load, or None where there is none."""
    valid = [trial for trial in trials if trial.validity.valid]
    return max(valid, key=lambda trial: (trial.asked.load.n, trial.asked.load.c, trial.started_at), default=None)


def _missing(path: Path, command: str) -> None:
    say(f"Nothing is stored in `{path}` yet. This makes it: `{command}`")

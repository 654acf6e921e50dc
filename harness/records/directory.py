"""A directory of results: what is measured again and again, and kept in git, a line a trial.

    machine.json      the machine and the commit that all of it was measured with
    trials.jsonl      a line for each trial: what was asked, figures, histograms, verdict, bound
    searches.jsonl    a line for each search, with its trials in short
    staircase.json …  the summary of a campaign, which names its trials and searches

A line is a record as `harness.records.trial` or `search` has it, under a name, with two things left out: the machine,
which is that of the directory, and what a trial was from moment to moment, which is most of its size. Who wants to see
that keeps the whole record (`harness measure --out`).

So a directory holds one commit and one machine: a result of another is refused. Below `reports/results` of this
checkout, where results are for others to read, it is a commit that everybody can check out: a changed tree is refused.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from harness.records import search, trial
from harness.records.files import ResultError, as_record, encode, load, replace_file, try_directory
from harness.records.machine import CHECKOUT, Machine, describe_machine
from harness.records.machines import differences
from harness.records.search import SearchResult
from harness.records.section import Section
from harness.records.trial import TrialResult

MACHINE: Literal["matchstream-lab/machine/1"] = "matchstream-lab/machine/1"
MACHINE_FILE = "machine.json"
TRIALS_FILE = "trials.jsonl"
PUBLISHED = CHECKOUT / "reports" / "results"
"""Where the results lie that the README and the notebooks show."""

Kept = TrialResult | SearchResult
_Record = TypeVar("_Record", TrialResult, SearchResult)


class MeasuredOn(Section, frozen=True, kw_only=True):
    """The content of `machine.json`."""

    schema: Literal["matchstream-lab/machine/1"]
    machine: Machine


class _Line(msgspec.Struct, frozen=True):
    """A line of a file; `result` is a record without its machine."""

    name: str
    result: msgspec.Raw


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of record that is kept in lines: its file, type and schema."""

    file: str
    record: type[Kept]
    schema: str


_TRIALS = _Kind(TRIALS_FILE, TrialResult, trial.SCHEMA)
_SEARCHES = _Kind("searches.jsonl", SearchResult, search.SCHEMA)
_KINDS = (_TRIALS, _SEARCHES)


class ResultsDirectory:
    """The results in `path`, to which those measured on `machine` are added; nothing is written before the first.

    `fresh` removes what is there. Raise ResultError for a directory that is another commit's or machine's, that is to
    be published and the tree is not as committed, or that cannot be read.
    """

    def __init__(self, path: Path, machine: Machine, *, fresh: bool = False) -> None:
        check_place(path, machine)
        self.path = path
        self._machine = machine
        if fresh:
            for file in (MACHINE_FILE, *(kind.file for kind in _KINDS)):
                (path / file).unlink(missing_ok=True)
        if (path / MACHINE_FILE).exists():
            _check_same(path, _machine_of(path), machine)
        self._lines = {kind.file: dict(_lines_of(path / kind.file)) for kind in _KINDS}

    def keep(self, name: str, result: Kept) -> None:
        """Add a result under a name, in place of the one that has it. Raise ResultError."""
        _check_same(self.path, self._machine, result.machine)
        kind = _TRIALS if isinstance(result, TrialResult) else _SEARCHES
        lines = self._lines[kind.file]
        lines[name] = _encoded(name, result)
        _make(self.path)
        if not (self.path / MACHINE_FILE).exists():
            replace_file(self.path / MACHINE_FILE, encode(MeasuredOn(schema=MACHINE, machine=self._machine)))
        replace_file(self.path / kind.file, b"".join(lines.values()))

    def trial(self, name: str) -> TrialResult | None:
        """Return the trial of that name, or None. Raise ResultError for a line that cannot be read."""
        return self._found(_TRIALS, name, TrialResult)

    def search(self, name: str) -> SearchResult | None:
        """Return the search of that name, or None. Raise ResultError for a line that cannot be read."""
        return self._found(_SEARCHES, name, SearchResult)

    def _found(self, kind: _Kind, name: str, record: type[_Record]) -> _Record | None:
        line = self._lines[kind.file].get(name)
        if line is None:
            return None
        return as_record(
            _fields(self.path / kind.file, line, self._machine), record, kind.schema, self.path / kind.file
        )


def make_directory(path: Path) -> None:
    """Make a directory for results, if it is not there, and try whether it takes them: before they are measured.

    Raise ResultError where that, or keeping them, cannot be.
    """
    if _is_published(path):
        check_place(path, describe_machine())
    _make(path)
    try_directory(path)


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(
            f"{path}: cannot be made a directory for results ({error.strerror}): choose another --out"
        ) from error


def check_place(path: Path, machine: Machine) -> None:
    """Raise ResultError where results of this tree are not to be kept: among those that others read, if it changed."""
    if not _is_published(path):
        return
    if machine.commit is None:
        raise ResultError(f"{path}: what is kept there names its commit, and here is none: choose another directory")
    if machine.commit.endswith("+"):
        raise ResultError(
            f"{path}: what is kept there is from a clean commit, and files differ from {machine.commit[:7]}: "
            "commit them, or choose another directory"
        )


def read_results(path: Path) -> Iterator[tuple[str, Kept]]:
    """Give the results of a directory with their names, trials first, or of one of its files of lines.

    Raise ResultError for what cannot be read.
    """
    directory = path if path.is_dir() else path.parent
    files = [directory / kind.file for kind in _KINDS] if path.is_dir() else [path]
    machine = _machine_of(directory)
    for file in files:
        kind = next((kind for kind in _KINDS if kind.file == file.name), None)
        if kind is None:
            names = " and ".join(kind.file for kind in _KINDS)
            raise ResultError(f"{file}: is no file of results in lines: they are called {names}")
        for name, line in _lines_of(file):
            yield name, as_record(_fields(file, line, machine), kind.record, kind.schema, file)


def is_results(path: Path) -> bool:
    """Whether a directory keeps its results in lines, or a file is one of lines."""
    return (path / MACHINE_FILE).exists() if path.is_dir() else path.suffix == ".jsonl"


def _is_published(path: Path) -> bool:
    return path.resolve().is_relative_to(PUBLISHED)


def _encoded(name: str, result: Kept) -> bytes:
    fields = msgspec.to_builtins(result.without_time_lines() if isinstance(result, TrialResult) else result)
    fields["machine"] = MACHINE_FILE
    return msgspec.json.encode({"name": name, "result": fields}) + b"\n"


def _fields(file: Path, line: bytes, machine: Machine) -> dict[str, Any]:
    """Return the fields of the record in a line, with the machine in its place."""
    try:
        fields = msgspec.json.decode(msgspec.json.decode(line, type=_Line).result, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultError(f"{file}: has a line that is no result: {error}") from error
    return fields | {"machine": msgspec.to_builtins(machine)}


def _lines_of(file: Path) -> Iterable[tuple[str, bytes]]:
    """Give the lines of a file with their names; there are none where there is no file."""
    try:
        content = file.read_bytes() if file.exists() else b""
    except OSError as error:
        raise ResultError(f"{file}: cannot be read: {error.strerror}") from error
    for line in content.splitlines(keepends=True):
        try:
            yield msgspec.json.decode(line, type=_Line).name, line
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ResultError(f"{file}: has a line that is no result: {error}") from error


def _machine_of(directory: Path) -> Machine:
    return load(directory / MACHINE_FILE, MeasuredOn, MACHINE).machine


def _check_same(path: Path, there: Machine, here: Machine) -> None:
    """Raise ResultError unless two results may lie in one directory."""
    if there.commit != here.commit:
        commits = " and this is ".join(
            "no commit" if one is None else one[:7] + "+" * one.endswith("+") for one in (there.commit, here.commit)
        )
        raise ResultError(f"{path}: holds results of {commits}: remove it to measure anew, or choose another directory")
    found = differences(there, here)
    if found:
        raise ResultError(
            f"{path}: holds results of another machine (A; this is B: {found[0]}): "
            "remove it to measure anew, or choose another directory"
        )

"""What a lesson was worth, left out of a stage or added to one: read from the summaries of `harness ablate`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from stages.worth import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE: Final = "ablation.json"
_SAID: Final = {
    "worse": "worse",
    "better": "better",
    "fails": "infinite",
    "reference fails": "infinite in the unchanged stage alone",
    "both fail": "infinite in both",
    "no change seen": "no change seen",
    "too few runs": "too few runs",
}
"""What is said of the changed stage, in the order in which it is told; what was not measured is not told."""


class Ratio(msgspec.Struct, frozen=True):
    """The changed stage's figure over the unchanged one's, its 95 % interval, and what that is judged to be."""

    figure: str
    value: float | None
    low: float | None
    high: float | None
    judgement: str


class Worth(msgspec.Struct, frozen=True):
    """What came of leaving one lesson out of a stage, or adding it to one, in a scenario.

    `scenario` is None where none was run that exercises it; `refused` is why no such stage can be.
    """

    lesson: str
    change: Literal["left out", "added"]
    stage: str
    scenario: str | None
    refused: str | None
    ratios: tuple[Ratio, ...]

    @property
    def done(self) -> str:
        """What was done: left out of stage 2.1, waves."""
        where = "" if self.scenario is None else f", {self.scenario}"
        return f"{self.change} {'of' if self.change == 'left out' else 'to'} stage {self.stage}{where}"

    @property
    def came_of_it(self) -> str:
        """What came of it, in a line."""
        if self.scenario is None:
            return "not exercised"
        if self.refused is not None:
            return f"not by itself, for {self.refused}"
        return "; ".join(self._judged()) or "not measured"

    def _judged(self) -> Iterator[str]:
        order = [*_SAID]
        told = sorted(
            (one for one in self.ratios if one.judgement in _SAID), key=lambda one: order.index(one.judgement)
        )
        for judgement, ratios in groupby(told, key=lambda one: one.judgement):
            shown = _in_full if judgement in {"worse", "better"} else _name
            yield f"{_SAID[judgement]}: {', '.join(map(shown, ratios))}"


class _Ablation(msgspec.Struct, frozen=True):
    schema: Literal["matchstream-lab/ablation/2"]
    lessons: tuple[Worth, ...]


def summaries_in(directory: Path) -> list[Path]:
    """Return the summaries in a directory, and in the directories of it."""
    return [*sorted(directory.glob(_FILE)), *sorted(directory.glob(f"*/{_FILE}"))]


def read_worths(lesson: str, directory: Path) -> tuple[Worth, ...]:
    """Return what the ablations in `directory`, or in directories of it, say of a lesson.

    What was exercised comes first. Raise ResultsError: there is none, or one cannot be read.
    """
    files = summaries_in(directory)
    if not files:
        raise ResultsError(
            f"{directory} has no {_FILE}, nor has a directory in it: harness ablate --out {directory} makes one"
        )
    found = [one for file in files for one in _read(file).lessons if one.lesson == lesson]
    return tuple(sorted(found, key=lambda one: one.scenario is None))


def _read(file: Path) -> _Ablation:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Ablation)
    except (OSError, msgspec.DecodeError) as error:
        raise ResultsError(f"{file} is no summary of harness ablate: {error}") from error


def _name(ratio: Ratio) -> str:
    return ratio.figure.replace("_", " ")


def _in_full(ratio: Ratio) -> str:
    value = "from none" if ratio.value is None else f"\N{MULTIPLICATION SIGN}{ratio.value:.2g}"
    interval = "" if ratio.low is None or ratio.high is None else f" [{ratio.low:.2g}, {ratio.high:.2g}]"
    return f"{_name(ratio)} {value}{interval}"

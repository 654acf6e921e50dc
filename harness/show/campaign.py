"""Campaigns and comparisons as tables: for people, and as Markdown for a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

from harness.campaign.figures import MEASURED, has_too_few_runs, mean, values
from harness.campaign.plan import DIMENSIONS
from harness.records.campaign import (
    Ablation,
    Comparison,
    Figure,
    FoundLimit,
    LessonWorth,
    Measurement,
    Ratio,
    Repeats,
    Staircase,
)
from harness.records.search import Dimension
from harness.records.trial import AskedLoad
from harness.units import GENERATORS, NOTHING, show_bytes, show_load, show_time

TITLES: dict[Figure, str] = {
    "N": "N",
    "C": "C",
    "rate": "events/s",
    "served": "served",
    "art": "ART",
    "response_p99": "response p99",
    "fanout": "fan-out",
    "fanout_last": "fan-out, last fan",
    "memory": "a connection",
}
"""What people call the figures."""

_TOO_FEW = "too few runs"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table before anyone has drawn it: cells are text, and the first column is the name of its row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def drawn(self) -> Table:
        """Return it for a terminal."""
        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for index, column in enumerate(self.columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Return it in GitHub's Markdown, its title above it, with a newline at its end."""
        ruler = ("---", *("---:" for _ in self.columns[1:]))
        lines = (self.columns, ruler, *self.rows)
        cells = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines)
        return f"{self.title}\n\n" + "".join(f"| {line} |\n" for line in cells)


def show_ratio(found: Ratio) -> str:
    """Return a ratio, behind a sign of times, with its interval and its judgement: 1.76 [1.70, 1.82] worse.

    Where there are too few runs for an interval, it says so in place of the judgement.
    """
    if found.judgement == "not measured":
        return NOTHING
    if has_too_few_runs(found):
        return f"{_times(found.value)} {_TOO_FEW}"
    return f"{_times(found.value)} [{_number(found.low)}, {_number(found.high)}] {found.judgement}"


def show_limit(limit: FoundLimit | None) -> str:
    """Return a limit as people read it: `7,900 … 8,200`, `≥ 20,000` or `< 4`."""
    if limit is None or (limit.last_pass is None and limit.first_fail is None):
        return NOTHING
    if limit.last_pass is None:
        return f"< {limit.first_fail:,.0f}"
    if limit.first_fail is None:
        return f"≥ {limit.last_pass:,.0f}"
    return f"{limit.last_pass:,.0f} … {limit.first_fail:,.0f}"


def staircase_sheets(found: Staircase) -> tuple[Sheet, ...]:
    """Return the limits of every step, and a table for each load."""
    limits = Sheet(
        f"Limits under {found.slo}: last pass … first fail",
        ("server", "N", "N: broke", "N: bound", "C", "C: broke", "C: bound"),
        tuple(
            (step.target.name, *_limit_cells(step.limits, "N"), *_limit_cells(step.limits, "C")) for step in found.steps
        ),
    )
    return (limits, *(_load_sheet(found, load) for load in _loads(found)))


def ablation_sheets(found: Ablation) -> tuple[Sheet, ...]:
    """Return a table of the references, one of what was left out, and one of what was added."""
    references = Sheet(
        "What the lessons are compared with: means over the valid trials",
        ("server", "load", *_MEASURED_COLUMNS),
        tuple((one.target.name, show_load(one.load), *_measured_cells(one)) for one in (found.whole, found.baseline)),
    )
    return (
        references,
        _worth_sheet(f"Left out of stage {found.stage}: without the lesson, over with it", found.lessons, "left out"),
        _worth_sheet("Added alone to the baseline: with the lesson, over without it", found.lessons, "added"),
    )


def comparison_sheet(found: Comparison) -> Sheet:
    """Return the ratios of a comparison, a row for each."""
    return Sheet(
        f"B over A, with 95 % intervals. A: {found.a}; B: {found.b}",
        ("of", "figure", "runs", "B / A", "interval", "B is"),
        tuple(
            (
                one.of or "all",
                TITLES[one.figure],
                f"{one.a_count} / {one.b_count}",
                NOTHING if one.judgement == "not measured" else _times(one.value),
                NOTHING if one.low is None and one.high is None else f"[{_number(one.low)}, {_number(one.high)}]",
                _TOO_FEW if has_too_few_runs(one) else one.judgement,
            )
            for one in found.ratios
        ),
    )


_MEASURED_COLUMNS = (
    "served",
    "lost",
    "ART",
    "response p99",
    "fan-out mean / last",
    "a connection",
    "valid",
    "bound first",
)


def _loads(found: Staircase) -> Iterable[AskedLoad]:
    return dict.fromkeys(repeats.load for step in found.steps for repeats in step.loads)


def _load_sheet(found: Staircase, load: AskedLoad) -> Sheet:
    measured = (repeats for step in found.steps for repeats in step.loads if repeats.load == load)
    return Sheet(
        f"{show_load(load)}: means over the valid trials",
        ("server", *_MEASURED_COLUMNS),
        tuple((one.target.name, *_measured_cells(one)) for one in measured),
    )


def _limit_cells(limits: Sequence[FoundLimit], dimension: Dimension) -> tuple[str, str, str]:
    limit = next((one for one in limits if one.dimension == dimension), None)
    if limit is None:
        return NOTHING, NOTHING, NOTHING
    broke = ", ".join(term.partition(" (")[0] for term in limit.broken)
    return show_limit(limit), broke or NOTHING, NOTHING if limit.bound is None else limit.bound.name


def _measured_cells(measured: Repeats) -> tuple[str, ...]:
    trials = measured.trials
    valid = [trial for trial in trials if trial.valid]
    served, each = mean(trials, "served"), mean(trials, "memory")
    lost = [trial.lost for trial in valid if trial.lost is not None]
    fanout = f"{show_time(mean(trials, 'fanout'))} / {show_time(mean(trials, 'fanout_last'))}"
    return (
        NOTHING if served is None else f"{served:,.0f}",
        NOTHING if not lost else f"{sum(lost) / len(lost):,.0f}",
        _spread(trials, "art"),
        _spread(trials, "response_p99") + (GENERATORS if any(map(_is_no_moment, valid)) else ""),
        fanout,
        NOTHING if each is None else show_bytes(each),
        f"{len(valid)} of {len(trials)}",
        ", ".join(dict.fromkeys(trial.bound.name for trial in valid)) or NOTHING,
    )


def _is_no_moment(trial: Measurement) -> bool:
    return trial.wave is not None and not trial.wave.moment


def _spread(trials: Sequence[Measurement], figure: Figure) -> str:
    """Return the mean of a time, and behind it the smallest and largest where there are several."""
    found = values(trials, figure)
    if len(found) < 2:
        return show_time(mean(trials, figure))
    return f"{show_time(mean(trials, figure))} ({show_time(min(found))} to {show_time(max(found))})"


def _worth_sheet(title: str, lessons: Sequence[LessonWorth], change: str) -> Sheet:
    these = [one for one in lessons if one.change == change]
    compared = {ratio.figure for one in these for ratio in one.ratios if ratio.judgement != "not measured"}
    figures = [figure for figure in (*DIMENSIONS, *MEASURED) if figure in compared]
    return Sheet(
        title,
        ("lesson", *(TITLES[figure] for figure in figures), "runs"),
        tuple((one.lesson, *_worth_cells(one, figures)) for one in these),
    )


def _worth_cells(one: LessonWorth, figures: Sequence[Figure]) -> tuple[str, ...]:
    if one.refused is not None:
        return (f"refused: {one.refused}", *("" for _ in figures))
    found = {ratio.figure: show_ratio(ratio) for ratio in one.ratios}
    valid = 0 if one.measured is None else sum(trial.valid for trial in one.measured.trials)
    return (*(found.get(figure, NOTHING) for figure in figures), str(valid))


def _times(value: float | None) -> str:
    return f"\N{MULTIPLICATION SIGN}{_number(value)}"


def _number(value: float | None) -> str:
    return "∞" if value is None else f"{value:,.2f}" if value < 99.5 else f"{value:,.0f}"

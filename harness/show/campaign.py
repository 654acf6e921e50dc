"""Campaigns and comparisons as tables: for people, and as Markdown for a page."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from harness.campaign.figures import mean, values
from harness.campaign.verdicts import is_a_failure
from harness.records.asked import AskedLoad
from harness.records.campaign import (
    Ablation,
    Comparison,
    Figure,
    FoundLimit,
    LessonWorth,
    Measurement,
    PlaceboVerdicts,
    Ratio,
    Repeats,
    Staircase,
)
from harness.records.search import Dimension
from harness.units import GENERATORS, NOTHING, show_growth, show_load, show_time

TITLES: dict[Figure, str] = {
    "N": "N",
    "C": "sustained C",
    "burst C": "burst C",
    "rate": "events/s",
    "served": "served",
    "art": "ART",
    "response_p99": "response p99",
    "newcomers": "newcomers",
    "newcomers_art": "newcomers' ART",
    "fanout": "fan-out",
    "fanout_p99": "fan-out p99",
    "fanout_last": "fan-out, last fan",
    "memory": "a connection",
    "server_memory": "server memory",
    "server_cpu": "server CPU",
    "loop_lag_p99": "loop lag p99",
    "api": "API answer",
    "cut": "fans cut",
    "recovery": "recovery",
    "open_files": "open files held",
    "refusal": "until refused",
    "returns": "coming back",
    "missed": "events missed",
}
"""What people call the figures."""

_JUDGED_TOGETHER = "all ratios of a figure are judged together, so an interval may exclude 1 and no change be seen"


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
    """Return a ratio, behind a sign of times, with its interval and its judgement: 1.76 [1.70, 1.82] worse."""
    if found.judgement == "not measured":
        return NOTHING
    if is_a_failure(found):
        return found.judgement
    return " ".join(part for part in (show_factor(found), _interval(found), found.judgement) if part)


def show_factor(found: Ratio) -> str:
    """Return the ratio alone; a dash where there is none.

    `none` where B has nothing, `from none` where only A has nothing.
    """
    if found.judgement == "not measured" or is_a_failure(found):
        return NOTHING
    if found.value is None:
        return "from none"
    return f"\N{MULTIPLICATION SIGN}{_number(found.value)}" if found.value else "none"


def _interval(found: Ratio) -> str:
    return "" if found.low is None and found.high is None else f"[{_number(found.low)}, {_number(found.high)}]"


def show_limit(limit: FoundLimit | None) -> str:
    """Return a limit as people read it: `7,900 … 8,200`, `≥ 20,000` or `< 4`; then the range of several last passes."""
    if limit is None or (limit.last_pass is None and limit.first_fail is None):
        return NOTHING
    if limit.last_pass is None:
        found = f"< {limit.first_fail:,.0f}"
    elif limit.first_fail is None:
        found = f"≥ {limit.last_pass:,.0f}"
    else:
        found = f"{limit.last_pass:,.0f} … {limit.first_fail:,.0f}"
    if len(limit.files) < 2:
        return found
    return f"{found} ({limit.lowest_pass or 0:,.0f} to {limit.highest_pass or 0:,.0f})"


def staircase_sheets(found: Staircase) -> tuple[Sheet, ...]:
    """Return the limits of every step, a table for each load, and how each step compares with the one before."""
    limits = Sheet(
        f"Limits under {found.slo}: last pass … first fail of the median search (and the range of last passes)",
        ("server", "N", "N: broke", "N: bound", "sustained C", "C: broke", "C: bound", "burst C"),
        tuple(
            (
                step.target.name,
                *limit_cells(step.limits, "N"),
                *limit_cells(step.limits, "C"),
                limit_cells(step.limits, "burst C")[0],
            )
            for step in found.steps
        ),
    )
    return (limits, *(_load_sheet(found, load) for load in _loads(found)), *_step_sheets(found))


def ablation_sheets(found: Ablation) -> tuple[Sheet, ...]:
    """Return a table of the references, one of what was left out, and one of what was added; placebos in each."""
    measured = [(one, one.measured) for one in found.references if one.measured is not None]
    references = Sheet(
        f"What the lessons are compared with: means over the valid trials. {show_placebos(found.placebo_verdicts)}",
        ("scenario", "server", "load", *_MEASURED_COLUMNS),
        tuple((one.scenario, of.target.name, show_load(of.load), *_measured_cells(of)) for one, of in measured),
    )
    return (
        references,
        _worth_sheet(f"Left out: without the lesson, over with it; {_JUDGED_TOGETHER}", found, "left out"),
        _worth_sheet(f"Added alone to the baseline: with it, over without; {_JUDGED_TOGETHER}", found, "added"),
    )


def comparison_sheet(found: Comparison) -> Sheet:
    """Return the ratios of a comparison, a row for each."""
    return Sheet(
        f"B over A, with 95 % intervals; {_JUDGED_TOGETHER}. A: {found.a}; B: {found.b}",
        ("of", "figure", "runs", "B / A", "interval", "B is"),
        tuple(
            (
                one.of or "all",
                TITLES[one.figure],
                f"{one.a_count} / {one.b_count}",
                show_factor(one),
                _interval(one) or NOTHING,
                one.judgement,
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
    "SLO",
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


def limit_cells(limits: Sequence[FoundLimit], dimension: Dimension) -> tuple[str, str, str]:
    """Return a limit as people read it, what of the SLO broke beyond it, and what bound there."""
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
        NOTHING if each is None else show_growth(each, measured.load.n),
        f"{len(valid)} of {len(trials)}",
        _slo(valid),
        ", ".join(dict.fromkeys(trial.bound.name for trial in valid)) or NOTHING,
    )


def _slo(valid: Sequence[Measurement]) -> str:
    """Return whether the row bears the SLO of its page: a load that a server does not bear is no C of it."""
    broke = sum(not trial.met for trial in valid)
    if not broke:
        return "met" if valid else NOTHING
    return f"BROKEN in {broke} of {len(valid)}"


def _is_no_moment(trial: Measurement) -> bool:
    return trial.wave is not None and not trial.wave.moment


def _spread(trials: Sequence[Measurement], figure: Figure) -> str:
    """Return the mean of a time, and behind it the smallest and largest where there are several."""
    found = values(trials, figure)
    if len(found) < 2:
        return show_time(mean(trials, figure))
    return f"{show_time(mean(trials, figure))} ({show_time(min(found))} to {show_time(max(found))})"


def show_placebos(found: PlaceboVerdicts) -> str:
    """Return in a sentence how often chance was called a change."""
    if not found.compared:
        return "No placebo was judged yet."
    return f"Of {found.compared} ratios of placebos, which can only be 1, {found.false} were called better or worse."


def _step_sheets(found: Staircase) -> Iterator[Sheet]:
    """Yield a table of the ratios of every step to the one before, the placebo's last; none where there are none."""
    steps = [(step.target.name, step.ratios) for step in found.steps]
    if found.placebo is not None:
        steps.append((f"placebo: {found.placebo.target.name} again", found.placebo.ratios))
    figures = _compared(ratio for _, ratios in steps for ratio in ratios)
    rows = [
        (name, of or "limits", *_ratio_cells([ratio for ratio in ratios if ratio.of == of], figures))
        for name, ratios in steps
        for of in dict.fromkeys(ratio.of for ratio in ratios)
    ]
    if rows:
        title = f"Each step over the one before; {_JUDGED_TOGETHER}. {show_placebos(found.placebo_verdicts)}"
        yield Sheet(title, ("server", "of", *(TITLES[figure] for figure in figures)), tuple(rows))


def _worth_sheet(title: str, found: Ablation, change: str) -> Sheet:
    these = [one for one in found.lessons if one.change == change]
    where = {(one.stage, one.scenario) for one in these}
    placebos = [one for one in found.references if (one.stage, one.scenario) in where and one.placebo is not None]
    compared = [*(one.ratios for one in these), *(one.ratios for one in placebos)]
    figures = _compared(ratio for ratios in compared for ratio in ratios)
    rows = [(one.lesson, one.stage, one.scenario or NOTHING, *_worth_cells(one, figures)) for one in these]
    rows += [
        ("placebo", one.stage, one.scenario, *_ratio_cells(one.ratios, figures), _valid(one.placebo))
        for one in placebos
    ]
    columns = ("lesson", "stage", "scenario", *(TITLES[figure] for figure in figures), "runs")
    return Sheet(title, columns, tuple(rows))


def _compared(ratios: Iterable[Ratio]) -> list[Figure]:
    """Return the figures by which anything was compared, in the order of their titles."""
    found = {ratio.figure for ratio in ratios if ratio.judgement != "not measured"}
    return [figure for figure in TITLES if figure in found]


def _worth_cells(one: LessonWorth, figures: Sequence[Figure]) -> tuple[str, ...]:
    if one.scenario is None:
        return ("not exercised", *("" for _ in figures))
    if one.refused is not None:
        return (f"refused: {one.refused}", *("" for _ in figures))
    return (*_ratio_cells(one.ratios, figures), _valid(one.measured))


def _ratio_cells(ratios: Iterable[Ratio], figures: Sequence[Figure]) -> tuple[str, ...]:
    found = {ratio.figure: show_ratio(ratio) for ratio in ratios}
    return tuple(found.get(figure, NOTHING) for figure in figures)


def _valid(measured: Repeats | None) -> str:
    return str(0 if measured is None else sum(trial.valid for trial in measured.trials))


def _number(value: float | None) -> str:
    if value is None:
        return "∞"
    if value < 0.095:
        return f"{value:.2g}"
    return f"{value:,.2f}" if value < 99.5 else f"{value:,.0f}"

"""The tables of a page of prose: short enough for it, while `harness table` shows all that is known."""

from collections.abc import Sequence

from harness.records.asked import AskedLoad
from harness.records.campaign import Judgement, LessonWorth, Staircase
from harness.records.distribution import Distribution, merge
from harness.records.trial import TrialResult
from harness.show.campaign import TITLES, limit_cells
from harness.units import NOTHING, show_growth, show_percentile, show_time

BROKEN = "†"
"""Behind the name of a server that broke the SLO of its trials in most of them."""

_TIMES = "\N{MULTIPLICATION SIGN}"

_Cells = tuple[str, ...]


def trials_table(trials: Sequence[TrialResult]) -> str:
    """Return a row for each server and load, over the valid trials; a column that says the same of all is left out."""
    grouped: dict[tuple[str, AskedLoad], list[TrialResult]] = {}
    for trial in trials:
        if trial.validity.valid:
            grouped.setdefault((trial.asked.target.name, trial.asked.load), []).append(trial)
    rows = [_row(name, load, same) for (name, load), same in grouped.items()]
    heads = (
        "server",
        "N",
        "C",
        "every",
        "served",
        "ART mean / p99",
        "response mean / p99",
        "event to a fan / to the last",
    )
    return _markdown((*heads, "a connection"), rows, always={"server"})


def lessons_table(worths: Sequence[LessonWorth]) -> str:
    """Return a row for each lesson: in which scenarios it was left out, and which figures are worse or better without.

    Stages are those that introduce a lesson, and the one that the ablation is of.
    """
    names = list(dict.fromkeys(worth.lesson for worth in worths))
    rows = [_lesson(name, [worth for worth in worths if worth.lesson == name]) for name in names]
    return _markdown(("lesson", "where", "worse without it", "better without it"), rows, always=set())


def limits_table(staircase: Staircase) -> str:
    """Return a row for each server: its limits, and what bound first where C ends."""
    rows = [
        (
            step.target.name,
            limit_cells(step.limits, "N")[0],
            limit_cells(step.limits, "C")[0],
            limit_cells(step.limits, "C")[2],
            limit_cells(step.limits, "burst C")[0],
        )
        for step in staircase.steps
    ]
    heads = ("server", "N", "sustained C", "what bound it", "burst C")
    return _markdown(heads, rows, always={*heads})


def _row(name: str, load: AskedLoad, trials: Sequence[TrialResult]) -> _Cells:
    broken = sum(not trial.verdict.met for trial in trials) * 2 > len(trials)
    served = min(trial.seen.fans.served for trial in trials)
    deliveries = [trial.seen.delivery for trial in trials if trial.seen.delivery is not None]
    spread = merge([each.fanout for each in deliveries if each.fanout is not None])
    last = [each.last_mean_s for each in deliveries if each.last_mean_s is not None]
    memory = [
        value for trial in trials if trial.server and (value := trial.server.memory_per_connection_bytes) is not None
    ]
    return (
        f"{name} {BROKEN}" if broken else name,
        f"{load.n:,}",
        f"{load.c:,}",
        show_time(load.interval_s),
        "all" if served == load.n else f"{served:,}",
        _mean_and_p99([trial.seen.response.art for trial in trials]),
        _mean_and_p99([trial.seen.response.intended for trial in trials]),
        f"{show_time(spread.mean_s)} / {show_time(sum(last) / len(last))}" if spread and last else NOTHING,
        show_growth(sum(memory) / len(memory), load.n) if memory else NOTHING,
    )


def _mean_and_p99(times: Sequence[Distribution | None]) -> str:
    merged = merge([each for each in times if each is not None])
    return NOTHING if merged is None else f"{show_time(merged.mean_s)} / {show_percentile(merged.p99_s)}"


def _lesson(name: str, worths: Sequence[LessonWorth]) -> _Cells:
    run = [worth for worth in worths if worth.change == "left out" and worth.scenario is not None]
    if not run:
        return (f"`{name}`", "not exercised", NOTHING, NOTHING)
    where = ", ".join(dict.fromkeys(str(worth.scenario) for worth in run))
    if all(worth.refused is not None for worth in run):
        return (f"`{name}`", where, "cannot be left out alone", NOTHING)
    return (f"`{name}`", where, _judged(run, "worse", "fails"), _judged(run, "better", "reference fails"))


def _judged(run: Sequence[LessonWorth], judgement: Judgement, failure: Judgement) -> str:
    """Return the figures of that judgement, and of that failure: of those there is no ratio."""
    found = [
        f"{TITLES[ratio.figure]} {ratio.judgement if ratio.value is None else _times(ratio.value)} "
        f"({worth.scenario}, {worth.stage})"
        for worth in run
        for ratio in worth.ratios
        if ratio.judgement in {judgement, failure}
    ]
    if found:
        return "; ".join(found)
    judged = {ratio.judgement for worth in run for ratio in worth.ratios} - {"too few runs", "not measured"}
    return "no change seen" if judged else "too few runs"


def _times(factor: float) -> str:
    return f"{_TIMES}{factor:.2g}" if factor < 99.5 else f"{_TIMES}{factor:,.0f}"


def _markdown(heads: _Cells, rows: Sequence[_Cells], always: set[str]) -> str:
    """Return a table in GitHub's Markdown without the columns that say the same in each of several rows."""
    kept = [
        index
        for index, head in enumerate(heads)
        if head in always or len(rows) < 2 or len({row[index] for row in rows}) > 1
    ]
    numbers = ["---" if index == 0 else "---:" for index in kept]
    lines = ([heads[index] for index in kept], numbers, *([row[index] for index in kept] for row in rows))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

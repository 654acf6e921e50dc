"""A search as a table and a sentence for people."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.durations import show_duration
from harness.records.search import Dimension, SearchResult, SearchTrial
from harness.search.decide import bracket
from harness.search.evidence import Majority
from harness.search.summary import outcomes_of
from harness.units import show_percentile, show_time


def show_search(result: SearchResult) -> RenderableType:
    """Return the table of the trials in the order in which they were made, and what they say below it."""
    asked = result.asked
    table = Table(
        title=f"{asked.target.name}: {show_dimension(asked.dimension)} under {asked.slo}",
        title_justify="left",
        box=None,
    )
    for heading in (asked.dimension, "trial"):
        table.add_column(heading, justify="right" if heading == asked.dimension else "left", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=20)
    for heading in ("ART", "p99", "fan-out p99", "took"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("bound", min_width=8)
    for trial in result.trials:
        table.add_row(*_cells(result, trial), style="dim" if not trial.valid else "")
    style = "bold green" if result.last_pass is not None else "bold red"
    return Group(table, Text(sentence(result), style=style))


def show_dimension(dimension: Dimension) -> str:
    """Return what was searched for as people call it: C is the sustained one unless it is called the burst."""
    return "sustained C" if dimension == "C" else dimension


def show_level(dimension: Dimension, level: float | None) -> str:
    """Return a level as people read it: `8,000`, for a rate `12.5/s`; a question mark where none is known."""
    if level is None:
        return "?"
    return f"{level:,g}/s" if dimension == "rate" and level < 1e5 else f"{level:,.0f}"


def _cells(result: SearchResult, trial: SearchTrial) -> tuple[str, ...]:
    times = (show_time(trial.art_mean_s), show_percentile(trial.response_p99_s), show_time(trial.fanout_p99_s))
    return (
        show_level(result.asked.dimension, trial.level),
        trial.kind,
        verdict(trial),
        *times,
        show_duration(trial.took_s),
        trial.bound.name,
    )


def verdict(trial: SearchTrial) -> str:
    """Return what became of a trial, in a word, and what it broke."""
    if not trial.valid:
        return "invalid"
    if not trial.is_moment:
        return "no moment"
    return "passed" if trial.met else f"broke {', '.join(trial.broken)}"


def sentence(result: SearchResult) -> str:
    """Return what the search found, in words, and if it did not come to its end why not."""
    found = _found(result)
    if result.state == "done":
        return found
    end = "its time is up" if result.state == "out of budget" else "it was interrupted"
    return f"{found}; the search is not over: {end} after {len(result.trials)} trials, the same command goes on with it"


def _found(result: SearchResult) -> str:
    who, name, dimension = result.asked.target.name, show_dimension(result.asked.dimension), result.asked.dimension
    low, high = (show_level(dimension, level) for level in (result.last_pass, result.first_fail))
    bound = "" if result.bound is None else f"; {result.bound.name} bound: {result.bound.evidence}"
    if result.last_pass is None:
        return f"{_nothing_confirmed(result)}{bound}"
    if result.at_least:
        why = "the search was to end there (--ceiling)"
        if result.bound is not None:
            why = f"the generator was at its end ({result.bound.evidence})"
        return f"{who} holds {name} = {low} at least: {why}"
    if result.first_fail is None:
        return f"{who} holds {name} = {low}, and nothing failed so far"
    ends = f"last pass … first fail{_contradiction(result)}"
    return f"{who} holds {name} = {low} … {high} ({ends}); {', '.join(result.broken)} broke{bound}"


def _contradiction(result: SearchResult) -> str:
    """Return from which level on the trials said this and that, if they did."""
    known = bracket(outcomes_of(result.trials), Majority(result.asked.repeats))
    if known.cap is None or known.cap == known.first_fail:
        return ""
    return f"; from {show_level(result.asked.dimension, known.cap)} on some trials passed and some failed"


def _nothing_confirmed(result: SearchResult) -> str:
    who, name, dimension = result.asked.target.name, show_dimension(result.asked.dimension), result.asked.dimension
    high = show_level(dimension, result.first_fail)
    if result.state == "done" and result.first_fail is not None:
        return f"{who} does not hold {name} = {high}; {', '.join(result.broken)} broke"
    passed = bracket(outcomes_of(result.trials), Majority(result.asked.repeats)).reached
    seen = "" if passed is None else f", though short trials passed up to {show_level(dimension, passed)}"
    failed = "" if result.first_fail is None else f"; {high} failed: {', '.join(result.broken)} broke"
    return f"no {name} of {who} was confirmed{seen}{failed}"

"""Records of every kind as tables: for people, and as Markdown."""

from collections.abc import Sequence

from rich.console import RenderableType

from harness.records.campaign import Ablation, Comparison, Staircase
from harness.records.distribution import Distribution
from harness.records.http import HttpResult
from harness.records.kinds import Record
from harness.records.search import SearchResult, SearchTrial
from harness.records.trial import TrialResult
from harness.show.campaign import Sheet, ablation_sheets, comparison_sheet, staircase_sheets
from harness.show.http import show_http
from harness.show.search import sentence, show_search, verdict
from harness.show.trials import markdown as trials_markdown
from harness.show.trials import show_results
from harness.units import NOTHING, show_percentile, show_time

Summary = SearchResult | Staircase | Ablation | Comparison | HttpResult
"""A record of more than one trial, or of other requests."""


def drawn(records: Sequence[Record]) -> list[RenderableType]:
    """Return the tables for a terminal: all trials in one, then the others in their order."""
    trials, others = _apart(records)
    shown: list[RenderableType] = [show_results(trials)] if trials else []
    for record in others:
        if isinstance(record, SearchResult):
            shown.append(show_search(record))
        elif isinstance(record, HttpResult):
            shown.append(show_http(record))
        else:
            shown += [sheet.drawn() for sheet in sheets_of(record)]
    return shown


def markdown(records: Sequence[Record]) -> str:
    """Return the same tables in GitHub's Markdown, an empty line between them."""
    trials, others = _apart(records)
    parts = [trials_markdown(trials)] if trials else []
    parts += [sheet.markdown() for record in others for sheet in sheets_of(record)]
    return "\n".join(parts)


def _apart(records: Sequence[Record]) -> tuple[list[TrialResult], list[Summary]]:
    trials = [record for record in records if isinstance(record, TrialResult)]
    return trials, [record for record in records if not isinstance(record, TrialResult)]


def sheets_of(record: Summary) -> tuple[Sheet, ...]:
    """Return the tables of a record."""
    match record:
        case Staircase():
            return staircase_sheets(record)
        case Ablation():
            return ablation_sheets(record)
        case Comparison():
            return (comparison_sheet(record),)
        case SearchResult():
            return (_search_sheet(record),)
        case HttpResult():
            return (_http_sheet(record),)


def _search_sheet(search: SearchResult) -> Sheet:
    columns = (search.asked.dimension, "trial", "verdict", "ART", "response p99", "fan-out p99", "bound")
    return Sheet(f"{sentence(search)}.", columns, tuple(map(_search_row, search.trials)))


def _search_row(trial: SearchTrial) -> tuple[str, ...]:
    times = (show_time(trial.art_mean_s), show_percentile(trial.response_p99_s), show_time(trial.fanout_p99_s))
    return (f"{trial.level:,.6g}", trial.kind, verdict(trial), *times, trial.bound.name)


def _http_sheet(load: HttpResult) -> Sheet:
    asked, seen, times = load.asked, load.seen, load.seen.response
    columns = ("server", "request", "n", "c", "load", "succeeded", "requests/s", "mean", "p99", "max", "valid")
    row = (
        asked.target.name,
        f"{asked.method} {asked.path}",
        f"{asked.requests:,}",
        f"{asked.concurrency:,}",
        "closed" if asked.rate_per_s is None else f"{asked.rate_per_s:g} a second",
        f"{seen.succeeded:,}",
        f"{seen.requests_per_s:,.0f}",
        *_mean_p99_max(times),
        "yes" if load.validity.valid else "INVALID",
    )
    return Sheet("HTTP requests", columns, (row,))


def _mean_p99_max(times: Distribution | None) -> tuple[str, str, str]:
    if times is None:
        return NOTHING, NOTHING, NOTHING
    return (
        show_time(times.mean_s),
        show_percentile(times.p99_s),
        show_percentile(None if times.missing else times.max_s),
    )

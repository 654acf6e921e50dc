"""Figures in a page of prose: each says in a comment which results it is from, and is filled in from them.

    <!-- stages/stage-2.5-n17000-c8000-* art -->614 ms<!-- / -->
    <!-- ratio hibernate 2.5 waves memory -->1.80 [1.75, 1.85] worse<!-- / -->
    <!-- table peers -->
    | server | … |
    <!-- / -->

The first is a figure over all results whose names fit the pattern in a directory of results: `FIGURES` of trials, whose
histograms are merged, or the `limit` of searches. The second is a lesson left out of a stage in a scenario, as an
ablation found it. The third is a table of a directory's trials (`harness.show.page_tables`), or that of the `lessons`,
or the `limits` of the staircase.
A page that is filled in again from the same results stays as it is: so a test can tell whether its figures are true.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Final

from harness.errors import HarnessError
from harness.records.campaign import ABLATION, STAIRCASE, Ablation, LessonWorth, Staircase
from harness.records.directory import Kept, read_results
from harness.records.distribution import Distribution, merge
from harness.records.files import load
from harness.records.search import SearchResult
from harness.records.trial import TrialResult
from harness.show.campaign import show_ratio
from harness.show.page_tables import lessons_table, limits_table, trials_table
from harness.units import show_growth, show_percentile, show_time

_MARKED: Final = re.compile(r"<!-- (?P<asked>[^/ ][^>]*?) -->(?P<shown>(?:(?!<!--).)*)<!-- / -->", re.DOTALL)


class PageError(HarnessError):
    """A mark in a page names no result or no figure; the message says which."""


def filled(page: str, results: Path) -> str:
    """Return a page with every marked figure as the results in that directory have it. Raise PageError, ResultError."""
    known: dict[str, list[tuple[str, Kept]]] = {}

    def of(directory: str) -> list[tuple[str, Kept]]:
        if directory not in known:
            known[directory] = list(read_results(results / directory))
        return known[directory]

    def shown(mark: re.Match[str]) -> str:
        asked = mark["asked"]
        return f"<!-- {asked} -->{_shown(asked.split(), of, results)}<!-- / -->"

    return _MARKED.sub(shown, page)


def _shown(words: Sequence[str], of: Callable[[str], list[tuple[str, Kept]]], results: Path) -> str:
    match words:
        case ["table", "lessons"]:
            return f"\n{lessons_table(_worths(results))}"
        case ["table", "limits"]:
            return f"\n{limits_table(load(results / 'staircase' / 'staircase.json', Staircase, STAIRCASE))}"
        case ["table", directory]:
            return f"\n{trials_table([each for _, each in of(directory) if isinstance(each, TrialResult)])}"
        case ["ratio", lesson, stage, scenario, figure]:
            return _ratio(_worths(results), (lesson, stage, scenario), figure)
        case [pattern, figure] if "/" in pattern:
            directory, _, name = pattern.partition("/")
            found = [each for each_name, each in of(directory) if fnmatchcase(each_name, name)]
            return _figure(found, figure, pattern)
    raise PageError(f"nobody knows what is to be shown for {' '.join(words)!r}: see harness/show/page_figures.py")


def _figure(found: Sequence[Kept], figure: str, pattern: str) -> str:
    trials = [each for each in found if isinstance(each, TrialResult) and (each.validity.valid or figure in FACTS)]
    searches = [each for each in found if isinstance(each, SearchResult) and each.last_pass is not None]
    if figure == "limit" and searches:
        return _limit(searches)
    shown = FIGURES[figure](trials) if figure in FIGURES and trials else None
    if shown is None:
        raise PageError(f"there is no {figure} in any valid result called {pattern}: measure it, or change the page")
    return shown


def _limit(searches: Sequence[SearchResult]) -> str:
    """Return the range of last passes; "at least" where one of the searches saw no end."""
    passes = [each.last_pass for each in searches if each.last_pass is not None]
    low, high = f"{min(passes):,.0f}", f"{max(passes):,.0f}"
    is_open = any(each.at_least or each.first_fail is None for each in searches)
    return f"{'at least ' * is_open}{low if low == high else f'{low} to {high}'}"


def _worths(results: Path) -> list[LessonWorth]:
    """Return what all ablations say of lessons, of which there may be several, each of some. Raise PageError."""
    files = sorted(results.glob("ablation*/ablation.json"))
    if not files:
        raise PageError(f"{results}: has no ablation: make lab-ablation")
    return [worth for file in files for worth in load(file, Ablation, ABLATION).lessons]


def _ratio(worths: Sequence[LessonWorth], of: tuple[str, str, str], figure: str) -> str:
    for worth in worths:
        if worth.change == "left out" and (worth.lesson, worth.stage, worth.scenario) == of:
            for ratio in worth.ratios:
                if ratio.figure == figure:
                    return show_ratio(ratio)
    raise PageError(f"the ablation has no {figure} without {of[0]} in stage {of[1]}, scenario {of[2]}")


def _mean(pick: Callable[[TrialResult], Distribution | None]) -> Callable[[Sequence[TrialResult]], str | None]:
    def shown(trials: Sequence[TrialResult]) -> str | None:
        times = merge(_present(map(pick, trials)))
        return None if times is None else show_time(times.mean_s)

    return shown


def _p99(pick: Callable[[TrialResult], Distribution | None]) -> Callable[[Sequence[TrialResult]], str | None]:
    def shown(trials: Sequence[TrialResult]) -> str | None:
        times = merge(_present(map(pick, trials)))
        return None if times is None else show_percentile(times.p99_s)

    return shown


def _number(
    pick: Callable[[TrialResult], float | None], show: Callable[[float], str]
) -> Callable[[Sequence[TrialResult]], str | None]:
    """Return what shows the mean of a figure over the trials that have it."""

    def shown(trials: Sequence[TrialResult]) -> str | None:
        values = [value for trial in trials if (value := pick(trial)) is not None]
        return show(sum(values) / len(values)) if values else None

    return shown


def _present(times: Iterable[Distribution | None]) -> list[Distribution]:
    return [each for each in times if each is not None]


def _fanout(trial: TrialResult) -> Distribution | None:
    return None if trial.seen.delivery is None else trial.seen.delivery.fanout


def _last(trial: TrialResult) -> float | None:
    return None if trial.seen.delivery is None else trial.seen.delivery.last_mean_s


def _delivered(trial: TrialResult) -> float | None:
    """Return how many deliveries there were, if none was lost."""
    delivery = trial.seen.delivery
    return None if delivery is None or delivery.lost else delivery.received


def _memory(trials: Sequence[TrialResult]) -> str | None:
    servers = [trial.server for trial in trials if trial.server is not None]
    values = [each for server in servers if (each := server.memory_per_connection_bytes) is not None]
    return show_growth(sum(values) / len(values), min(trial.asked.load.n for trial in trials)) if values else None


def _count(value: float) -> str:
    return f"{value:,.0f}"


FIGURES: Final[Mapping[str, Callable[[Sequence[TrialResult]], str | None]]] = MappingProxyType(
    {
        "n": _number(lambda trial: trial.asked.load.n, _count),
        "c": _number(lambda trial: trial.asked.load.c, _count),
        "served": _number(lambda trial: trial.seen.fans.served, _count),
        "delivered": _number(_delivered, _count),
        "art": _mean(lambda trial: trial.seen.response.art),
        "art_p99": _p99(lambda trial: trial.seen.response.art),
        "response": _mean(lambda trial: trial.seen.response.intended),
        "response_p99": _p99(lambda trial: trial.seen.response.intended),
        "newcomers_art": _mean(lambda trial: trial.seen.response.newcomers_art),
        "newcomers_art_p99": _p99(lambda trial: trial.seen.response.newcomers_art),
        "fanout": _mean(_fanout),
        "fanout_p99": _p99(_fanout),
        "fanout_last": _number(_last, show_time),
        "memory": _memory,
    }
)
"""What can be said of trials, by name."""

FACTS: Final = frozenset({"n", "c", "served", "delivered"})
"""What is true of invalid trials as well: who was served and what arrived is no matter of how late a generator was."""

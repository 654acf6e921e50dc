"""`harness search`: the largest N, C or rate of events under an SLO, from trial to trial."""

import dataclasses
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from common.durations import parse_duration
from harness.campaign.plan import arrivals_at
from harness.commands.grouped import grouped
from harness.commands.options import AskedError, WhereAndWhence
from harness.commands.pages import ReportOption, write_page
from harness.commands.target_options import Whom, target_of
from harness.records.directory import make_directory
from harness.records.files import ResultError, encode
from harness.records.search import Dimension, SearchResult
from harness.search.journal import Journal
from harness.search.plan import SearchPlan, default_plan
from harness.search.run import run_search
from harness.show.search import show_search
from harness.show.search_progress import SearchBars, SilentSearch
from harness.show.terminal import Terminal
from harness.targets.lessons import lessons_of
from harness.targets.target import Target
from harness.trial.figures.slo import parse_slo
from harness.trial.run import TrialMeasurer


@grouped
def search(  # noqa: PLR0913 -- each is an option of the command
    *,
    wanted: Annotated[
        Literal["N", "C", "rate"], typer.Option("--for", help="What to search for: N, C, or the rate of events.")
    ],
    burst: Annotated[
        bool,
        typer.Option("--burst", help="Search for the burst C, one wave on an empty server. Default: the sustained C."),
    ] = False,
    whom: Whom,
    n: Annotated[
        int | None,
        typer.Option("-N", min=1, help="Connections. Default for C: four waves, one with --burst; for the rate: 500."),
    ] = None,
    c: Annotated[
        int | None,
        typer.Option(
            "-C",
            min=1,
            help="Connections started at the same moment. Default: 4, with a short accept queue 1.",
        ),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            help="Seconds from one wave to the next. Default: 0.005, with a short accept queue 0.02, for C 0.25."
        ),
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Events a second. Default: 5.")] = None,
    events: Annotated[int | None, typer.Option(min=0, help="Events of a full trial. Default: 20.")] = None,
    slo: Annotated[
        str | None,
        typer.Option(
            metavar="TERMS",
            help="What must be met. Default: failures=0,lost=0,p99<1s; for the rate the fan-out and the posts, too.",
        ),
    ] = None,
    floor: Annotated[
        float | None, typer.Option(min=0.5, help="Where to begin. Default: N=200, C=4, 5 events/s.")
    ] = None,
    ceiling: Annotated[
        float | None, typer.Option(min=0.5, help="The highest level to try. Default: what the machine allows.")
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.9, help="How narrow the answer must be, relative to itself. Default: 0.05."),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, help="Full trials of which a majority confirms the answer. Default: 3, for C 5."),
    ] = None,
    soak: Annotated[
        str | None, typer.Option(metavar="TIME", help="For how long the answer must hold at the end, such as 60s.")
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="Longest time to search, such as 10m.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds within which a fan must be answered. Default: 10.")
    ] = None,
    where: WhereAndWhence,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory for the result; a search that is there goes on.")
    ] = Path("out"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, also where a search was interrupted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and no table.")] = False,
    page: ReportOption = None,
) -> None:
    """Search for the largest N, C or rate of events under which an SLO is met, and say what breaks and bounds above it.

    The sustained C is the size of waves that the server bears one after the other, four at least, every 250 ms; the
    burst C is that of a single wave on an empty server.

    Every trial has a server of its own. The result is written after each, and the same command goes on with a search
    that was interrupted, or whose time was up.

    The exit status is 0 if an answer was confirmed, 1 if not, 2 if the search could not be made, and 130 if it was
    interrupted: what was found until then is written, too.
    """
    named = target_of(whom)
    dimension = _dimension(wanted, burst=burst)
    _check(wanted, {"N": n, "C": c, "rate": rate}, {"--rate": rate, "--events": events}, publishes=named.publishes)
    plan = _plan(
        dimension,
        named,
        n=n,
        c=c,
        interval_s=interval,
        rate_per_s=rate,
        events=events,
        slo=None if slo is None else parse_slo(slo),
        floor=floor,
        ceiling=ceiling,
        precision=precision,
        repeats=repeats,
        soak_s=None if soak is None else parse_duration(soak),
        budget_s=None if budget is None else parse_duration(budget),
        answer_timeout_s=timeout,
        placement=where.placement(),
    )
    make_directory(out)
    journal = Journal.beside(out, named.name, dimension, fresh=fresh)
    try:
        result = _run(plan, whom, journal, as_json=as_json)
    except ResultError:  # what was found is told, also where it cannot be kept
        if journal.latest is not None:
            _print(journal.latest, as_json=as_json)
        raise
    _print(result, as_json=as_json)
    if not as_json:
        Terminal().print(f"result: {journal.path}", soft_wrap=True)
    write_page(page, result)
    if result.last_pass is None:
        raise typer.Exit(1)


def _print(result: SearchResult, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(encode(result).decode())
    else:
        Terminal().print(show_search(result))


def _dimension(wanted: Literal["N", "C", "rate"], *, burst: bool) -> Dimension:
    """Return what is searched for. Raise AskedError for a burst of anything but C."""
    if not burst:
        return wanted
    if wanted != "C":
        raise AskedError(f"--burst is for C: leave it out, or search for C instead of {wanted} (--for C)")
    return "burst C"


def _check(
    dimension: Dimension, levels: Mapping[str, float | None], posting: Mapping[str, float | None], *, publishes: bool
) -> None:
    """Raise AskedError for options that do not go together."""
    if levels[dimension] is not None:
        option = "--rate" if dimension == "rate" else f"-{dimension}"
        raise AskedError(f"{option} is what is searched for: leave it out, or say where to begin with --floor")
    given = [option for option, value in posting.items() if value is not None]
    if given and not publishes:
        raise AskedError(
            f"{given[0]} is for events, which nobody takes there: give the API with --http, "
            "or [publish] in a file that describes the server"
        )


def _plan(dimension: Dimension, target: Target, **given: Any) -> SearchPlan:
    """Return the default plan with what was given in its place."""
    known = {name: value for name, value in given.items() if value is not None}
    if dimension == "N" and not known.keys() & {"c", "interval_s"}:
        known |= _arrivals(target)
    return dataclasses.replace(default_plan(dimension), **known)


def _arrivals(target: Target) -> Mapping[str, float]:
    """Return how gently fans arrive at a stage whose accept queue is short; of other servers that is not known."""
    variant = target.variant
    if variant is None:
        return {}
    lessons = {*lessons_of(variant.stage), *variant.with_lessons} - {*variant.without_lessons}
    found = arrivals_at(tuple(lessons))
    return {"c": found.c, "interval_s": found.interval_s}


def _run(plan: SearchPlan, whom: Whom, journal: Journal, *, as_json: bool) -> SearchResult:
    with ExitStack() as stack:
        console = Terminal(stderr=True)
        shows = console.is_terminal and not as_json
        watcher = stack.enter_context(SearchBars(console, plan.dimension)) if shows else SilentSearch()
        try:
            return run_search(plan, TrialMeasurer(lambda: target_of(whom)), watcher, journal)
        except KeyboardInterrupt:
            watcher.note(f"{journal.path}: has what was found so far; the same command goes on from there")
            raise

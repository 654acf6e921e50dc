"""`harness measure`: one trial, from a stage's name or an address to a table, a JSON file and a chart."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.domain.script import load_script
from common.durations import parse_duration
from harness.commands.disturbing import Disturbing
from harness.commands.exits import exit_status
from harness.commands.grouped import grouped
from harness.commands.options import AskedError, IntervalOption, SloOption, WhereAndWhence
from harness.commands.pages import ReportOption, extra_file
from harness.commands.printing import chart_or_reason
from harness.commands.target_options import Whom, target_of
from harness.commands.trial_store import DEFAULT_RATE, TrialStore, trial_store
from harness.load.match import MatchPlan, script_match, synthetic_match
from harness.load.samples import Samples
from harness.load.workload import Load
from harness.records.files import replace_file
from harness.records.trial import TrialResult, encode_result
from harness.show.junit import junit
from harness.show.live.trial import LiveTrial, TerminalScreen
from harness.show.live.web import WebScreen, parse_web_address
from harness.show.progress import Bars, Silent
from harness.show.terminal import Terminal, say
from harness.show.trial import show_result
from harness.show.trial_page import check_charts, page_title, trial_page
from harness.targets.target import Target
from harness.trial.figures.slo import DEFAULT_SLO, parse_slo
from harness.trial.plan import TrialPlan, asked, trial_id
from harness.trial.receipts import check_room, write_receipts
from harness.trial.run import TrialInterrupted, run_trial
from harness.units import show_bytes

if TYPE_CHECKING:
    from harness.trial.measure import Watcher

DEFAULT_EVENTS = 20
DEFAULT_SPEED = 60.0


@dataclass(frozen=True, slots=True)
class _Posting:
    """The options of the events phase, None where they were not given."""

    events: int | None
    rate: float | None
    play: str | None
    speed: float | None


@dataclass(frozen=True, slots=True)
class _Shown:
    """Who looks on: a program that reads JSON, a terminal, or a browser at that address."""

    as_json: bool
    live: bool
    web: str | None


@grouped
def measure(  # noqa: PLR0913 -- each is an option of the command
    *,
    n: Annotated[int, typer.Option("-N", min=1, help="Connections to hold.")],
    c: Annotated[int, typer.Option("-C", min=1, help="Connections started at the same moment: a wave.")],
    interval: IntervalOption = 0.25,
    whom: Whom,
    events: Annotated[
        int | None, typer.Option(min=0, help=f"Events to post before the last one. Default: {DEFAULT_EVENTS}.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help=f"Events a second. Default: {DEFAULT_RATE:g}.")] = None,
    play: Annotated[
        str | None, typer.Option(metavar="FILE", help="A match script whose events to post instead, or its name.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help=f"Speed of the script, in times real time. Default: {DEFAULT_SPEED:g}."),
    ] = None,
    slo: SloOption = DEFAULT_SLO,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds within which a fan must be answered.")] = 60.0,
    hold: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Hold the N so long when all are settled, and watch the server's own events."
        ),
    ] = None,
    disturbing: Disturbing,
    where: WhereAndWhence,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory for the result and its chart. Default: out.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the result as a line in this directory, without its time lines. A trial that is there is shown, "
            "and not measured again.",
        ),
    ] = None,
    repeat: Annotated[
        int | None, typer.Option(min=1, help="Which repeat of the same trial this is, with --keep. Default: 1.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and no table.")] = False,
    page: ReportOption = None,
    junit_file: Annotated[
        Path | None, extra_file("--junit", "FILE", "Write the verdict as JUnit XML, too, for CI.")
    ] = None,
    raw: Annotated[
        Path | None,
        extra_file("--raw", "FILE.npz", "Keep what every fan saw and received, too, as numpy's arrays."),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Show fans, events and the server's actors meanwhile.")] = False,
    web: Annotated[
        str | None,
        typer.Option("--web", metavar="[HOST]:PORT", help="Show that as a page, with a button that ends the trial."),
    ] = None,
) -> None:
    """Measure N, C and ART of a stage, of another server, or of one that runs already.

    The exit status is 0 if the trial is valid and its SLO was met, 1 if that was missed, 3 if the trial is invalid, 2
    if it could not be made, and 130 if it was interrupted: what was seen until then is written, but not with --keep.
    """
    if page is not None or web is not None:
        check_charts()
    measured = target_of(whom)
    plan = TrialPlan(
        load=Load(n, c, interval),
        slo=parse_slo(slo),
        match=_match(_Posting(events, rate, play, speed), can_post=measured.publishes),
        answer_timeout_s=timeout,
        placement=where.placement(),
        watches_loop=True,
        disturbances=disturbing.disturbances(),
        hold_s=0.0 if hold is None else parse_duration(hold),
        keeps_receipts=raw is not None,
    )
    if raw is not None:
        say(f"--raw: some {show_bytes(check_room(plan))} of memory, as far as events are known", err=True)
    store = trial_store(out, keep, repeat)
    earlier = store.earlier(asked(plan, measured))
    if earlier is None:
        store.prepare()
    interrupted = False
    samples: list[Samples] = []
    try:
        result = _run(plan, measured, _Shown(as_json, live, web), samples.append) if earlier is None else earlier
    except TrialInterrupted as interruption:
        result, interrupted = interruption.result, True
    except KeyboardInterrupt:
        typer.echo("harness: no result: no fan had been started yet, or their reports were not in", err=True)
        raise
    _tell(result, store, as_json=as_json)
    if page is not None:
        replace_file(page, trial_page(result).encode(), "choose another --report")
    if raw is not None and samples:
        write_receipts(raw, samples[0])
    if junit_file is not None:
        replace_file(junit_file, junit(result), "choose another --junit")
    if interrupted:
        raise KeyboardInterrupt
    raise typer.Exit(exit_status(result))


def _run(plan: TrialPlan, target: Target, shown: _Shown, on_samples: Callable[[Samples], object]) -> TrialResult:
    console = Terminal(stderr=True)
    if shown.live and shown.web is not None:
        raise AskedError("--live draws on a terminal, and --web in a browser: give one of the two")
    if shown.live and not console.is_terminal:
        raise AskedError("--live draws on a terminal, and standard error is none: leave it out")
    if shown.web is not None:
        return _run_on_the_web(plan, target, parse_web_address(shown.web), on_samples)
    with ExitStack() as stack:
        watcher: Watcher = Silent()
        if shown.live:
            screen = stack.enter_context(TerminalScreen(console, target.name, plan.load.n))
            watcher = LiveTrial(screen, target)
        elif console.is_terminal and not shown.as_json:
            watcher = stack.enter_context(Bars(console))
        return run_trial(plan, target, watcher, on_samples)


def _run_on_the_web(
    plan: TrialPlan, target: Target, address: tuple[str, int], on_samples: Callable[[Samples], object]
) -> TrialResult:
    title = page_title(target.name, asked(plan, target).load)
    with WebScreen(address, target.name, plan.load.n, title) as screen:
        say(f"see {screen.url}", err=True)
        try:
            result = run_trial(plan, target, LiveTrial(screen, target), on_samples)
        except TrialInterrupted as interruption:
            screen.conclude(trial_page(interruption.result))
            raise
        screen.conclude(trial_page(result))
        return result


def _match(asked: _Posting, *, can_post: bool) -> MatchPlan | None:
    """Return the match to play; None where nobody can post. Raise AskedError for options that do not go together."""
    synthetic = asked.events is not None or asked.rate is not None
    if not can_post:
        if synthetic or asked.play is not None or asked.speed is not None:
            raise AskedError(
                "nobody takes events there: give the API with --http, or [publish] in a file that describes the server"
            )
        return None
    if asked.play is not None:
        if synthetic:
            raise AskedError("--play has its own events: leave --events and --rate out, and use --speed")
        return script_match(load_script(asked.play), asked.play, asked.speed or DEFAULT_SPEED)
    if asked.speed is not None:
        raise AskedError("--speed goes with --play; use --rate for the events that the harness makes")
    count = DEFAULT_EVENTS if asked.events is None else asked.events
    return synthetic_match(trial_id(), count, asked.rate or DEFAULT_RATE)


def _tell(result: TrialResult, store: TrialStore, *, as_json: bool) -> None:
    """Have the result kept, then print it, and then draw its chart: each of them whatever becomes of the next."""
    console = Terminal()
    try:
        stored = store.put(result)
    finally:  # what was seen is told, also where it cannot be kept
        if as_json:
            sys.stdout.write(encode_result(result).decode())
        else:
            console.print(show_result(result))
    if stored is None:
        return
    told = {stored.how: stored.path}
    if stored.chart is not None:
        with chart_or_reason():
            # Matplotlib takes half a second to import, which a command that only refuses its input should not cost.
            from harness.show.charts.trial import draw_trial  # noqa: PLC0415 -- see above

            draw_trial(result, stored.chart)
            told["chart"] = stored.chart
    if not as_json:
        for how, path in told.items():
            console.print(f"{how}: {path}", soft_wrap=True)

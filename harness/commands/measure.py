"""`harness measure`: one trial, from a stage's name or an address to a table, a JSON file and a chart."""

import re
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.domain.script import load_script
from harness.errors import HarnessError
from harness.events import MatchPlan, script_match, synthetic_match
from harness.progress import Bars, Silent
from harness.result import TrialResult, encode_result
from harness.slo import DEFAULT_SLO, parse_slo
from harness.table import show_result
from harness.targets.address import AddressTarget
from harness.targets.stage import StageTarget
from harness.targets.target import Target
from harness.targets.variant import Topology, Variant
from harness.trial import TrialPlan, run_trial, trial_id
from harness.workload import Load

DEFAULT_EVENTS = 20
DEFAULT_RATE = 5.0
DEFAULT_SPEED = 60.0


class AskedError(HarnessError):
    """Options that do not go together, or a place where nothing can be written."""


@dataclass(frozen=True, slots=True)
class _Whom:
    """The options that say whom to measure, None or empty where they were not given."""

    stage: str | None
    with_lessons: tuple[str, ...]
    without_lessons: tuple[str, ...]
    nodes: int | None
    topology: Topology | None
    address: str | None
    http: str | None


@dataclass(frozen=True, slots=True)
class _Posting:
    """The options of the events phase, None where they were not given."""

    events: int | None
    rate: float | None
    play: str | None
    speed: float | None


def measure(  # noqa: PLR0913, PLR0917 -- each is an option of the command
    n: Annotated[int, typer.Option("-N", min=1, help="Connections to hold.")],
    c: Annotated[int, typer.Option("-C", min=1, help="Connections started at the same moment: a wave.")],
    interval: Annotated[float, typer.Option(help="Seconds from one wave to the next.")] = 0.25,
    stage: Annotated[str | None, typer.Option(help="The stage to start and measure, e.g. 0.")] = None,
    with_lessons: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="LESSON", help="A lesson the stage is to have too; repeatable."),
    ] = None,
    without_lessons: Annotated[
        list[str] | None, typer.Option("--without", metavar="LESSON", help="One it is not to have; repeatable.")
    ] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Node processes of the stage, if it has nodes.")] = None,
    topology: Annotated[Topology | None, typer.Option(help="Whether its nodes tell each other.")] = None,
    target: Annotated[
        str | None, typer.Option(metavar="HOST:PORT[-PORT]", help="A server that runs already, to measure instead.")
    ] = None,
    http: Annotated[str | None, typer.Option(metavar="URL", help="The API of --target, to post events.")] = None,
    events: Annotated[
        int | None, typer.Option(min=0, help=f"Events to post before the last one. Default: {DEFAULT_EVENTS}.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help=f"Events a second. Default: {DEFAULT_RATE:g}.")] = None,
    play: Annotated[
        str | None, typer.Option(metavar="FILE", help="A match script whose events to post instead, or its name.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(min=0.001, help=f"How many times real time. Default: {DEFAULT_SPEED:g}.")
    ] = None,
    slo: Annotated[
        str, typer.Option(metavar="TERMS", help="What must be met, such as failures=0,p99<1s,fanout_p99<500ms.")
    ] = DEFAULT_SLO,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds within which a fan must be answered.")] = 60.0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the result and its chart go.")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and no table.")] = False,
) -> None:
    """Measure N, C and ART of a stage, or of a server that runs already.

    The exit status is 0 if the trial is valid and its SLO was met, 1 if not, 2 if the trial could not be made.
    """
    whom = _Whom(
        stage=stage,
        with_lessons=tuple(with_lessons or ()),
        without_lessons=tuple(without_lessons or ()),
        nodes=nodes,
        topology=topology,
        address=target,
        http=http,
    )
    measured = _target(whom)
    plan = TrialPlan(
        load=Load(n, c, interval),
        slo=parse_slo(slo),
        match=_match(_Posting(events, rate, play, speed), can_post=stage is not None or http is not None),
        answer_timeout_s=timeout,
    )
    _make_directory(out)
    with ExitStack() as stack:
        console = Console(stderr=True)
        shows = console.is_terminal and not as_json
        watcher = stack.enter_context(Bars(console)) if shows else Silent()
        result = run_trial(plan, measured, watcher)
    files = _store(result, out)
    if as_json:
        sys.stdout.write(encode_result(result).decode())
    else:
        _print(result, files)
    if not result.passed:
        raise typer.Exit(1)


def _target(whom: _Whom) -> Target:
    """Return what to measure. Raise AskedError for options that do not go together, TargetError for no address."""
    if whom.address is None:
        if whom.stage is None:
            raise AskedError("whom to measure? give --stage 0, or --target HOST:PORT for a server that runs already")
        if whom.http is not None:
            raise AskedError("--http goes with --target: a stage that the harness starts has its own API")
        return StageTarget(Variant(whom.stage, whom.with_lessons, whom.without_lessons, whom.nodes, whom.topology))
    if whom.stage is not None:
        raise AskedError("give --stage or --target, not both")
    of_stages = {
        "--with": whom.with_lessons,
        "--without": whom.without_lessons,
        "--nodes": whom.nodes,
        "--topology": whom.topology,
    }
    given = [option for option, value in of_stages.items() if value]
    if given:
        raise AskedError(f"{given[0]} goes with --stage: a server that runs already is what it is")
    return AddressTarget(whom.address, whom.http)


def _match(asked: _Posting, *, can_post: bool) -> MatchPlan | None:
    """Return the match to play; None where nobody can post. Raise AskedError for options that do not go together."""
    synthetic = asked.events is not None or asked.rate is not None
    if not can_post:
        if synthetic or asked.play is not None or asked.speed is not None:
            raise AskedError("events can be posted through an API only: give its URL with --http")
        return None
    if asked.play is not None:
        if synthetic:
            raise AskedError("--play has its own events: leave --events and --rate out, and use --speed")
        return script_match(load_script(asked.play), asked.play, asked.speed or DEFAULT_SPEED)
    if asked.speed is not None:
        raise AskedError("--speed goes with --play; use --rate for the events that the harness makes")
    count = DEFAULT_EVENTS if asked.events is None else asked.events
    return synthetic_match(trial_id(), count, asked.rate or DEFAULT_RATE)


def _make_directory(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AskedError(
            f"{out}: cannot be made a directory for results ({error.strerror}): choose another --out"
        ) from error


def _store(result: TrialResult, out: Path) -> tuple[Path, Path]:
    """Write the result and its chart, and return where they are."""
    # Matplotlib takes half a second to import, which a command that only refuses its input should not cost.
    from harness.charts.trial import draw_trial  # noqa: PLC0415 -- see above

    load = result.asked.load
    whom = re.sub(r"[^a-z0-9.]+", "-", result.asked.target.name.lower()).strip("-")
    stem = f"{whom}-n{load.n}-c{load.c}-{result.started_at:%Y%m%dT%H%M%SZ}"
    files = out / f"{stem}.json", out / f"{stem}.png"
    try:
        files[0].write_bytes(encode_result(result))
        draw_trial(result, files[1])
    except OSError as error:
        raise AskedError(f"{out}: the result cannot be written ({error.strerror}): choose another --out") from error
    return files


def _print(result: TrialResult, files: tuple[Path, Path]) -> None:
    console = Console(highlight=False)
    console.print(show_result(result))
    for name, path in zip(("result", "chart"), files, strict=True):
        console.print(f"{name}: {path}", soft_wrap=True, markup=False)

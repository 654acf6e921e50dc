"""The command `matchstream`: serve a stage, play a match, watch one."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.addresses import AddressError
from common.command_line import Commands, run_app, show_version
from common.domain.script import ScriptError, load_script
from common.durations import DurationError, parse_duration
from common.http.client import ApiError, ApiUnreachableError
from common.http.play import ScriptConflictError, StepRefusedError
from common.http.token import TOKEN_VARIABLE, TokenError, given_token
from common.listening import CannotListenError
from common.process_start import open_standard_streams
from common.store.endpoint import RedisEndpoint
from common.store.errors import RedisNotFoundError, RedisStartError, RedisUrlError, StoreUnavailableError
from common.store.presence import SharedRedisError
from common.terminal import harmless
from common.tuning.open_files import OpenFilesError
from stages.catalogue import STAGES, UnknownStageError, find_stage
from stages.checks import check_faults, check_nodes, check_use, check_workers
from stages.config import Check, Config, Source, config_file, source_of, told_where
from stages.config import app as config
from stages.doctor import as_json, examine, show, warning_of
from stages.elsewhere import load_elsewhere
from stages.explained import UnknownLessonError, explain
from stages.lesson_page import page_lines
from stages.lessons import LessonError
from stages.listing import lesson_lines, part_lines
from stages.nginx import FANS, FEWEST_OPEN_FILES, HTTP, LISTEN_FANS, LISTEN_HTTP, Front, NginxError, configuration
from stages.options import Options, Slow, Topology
from stages.play import play_match
from stages.redis_url import read_redis_url, shows_password
from stages.serve import PlayedMatch, ServerEndedError, serve
from stages.stage0.faults import FaultsError
from stages.stage0.server import NoNodesError
from stages.stage3.node_process import NodeStartError
from stages.stage4.worker_process import WorkerStartError
from stages.tour.course import CourseError
from stages.tour.tourist import NobodyAnswersError, take_tour
from stages.tour.trial import TrialFailedError
from stages.watch import WatchEndedError, WatchError, watch_match
from stages.worth import RESULTS, ResultsError
from stages.worth.ablations import read_worths, summaries_in
from stages.worth.doors import read_costs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from stages.worth.ablations import Worth

_USER_ERRORS = (
    AddressError,
    ApiError,
    ApiUnreachableError,
    CannotListenError,
    DurationError,
    FaultsError,
    OpenFilesError,
    RedisNotFoundError,
    RedisStartError,
    RedisUrlError,
    ScriptConflictError,
    ScriptError,
    SharedRedisError,
    StepRefusedError,
    StoreUnavailableError,
    TokenError,
    LessonError,
    NginxError,
    NodeStartError,
    NoNodesError,
    ResultsError,
    UnknownLessonError,
    UnknownStageError,
    WatchError,
    WorkerStartError,
)
"""What a user can mend: it is said in one line."""


class MatchStream(Commands):
    """Its options mean the same in every command, so `--port` is `MATCHSTREAM_PORT`."""

    prefix = "MATCHSTREAM"
    by_command = False


app = typer.Typer(
    cls=MatchStream,
    help="Stream a soccer match to very many fans.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version("matchstream"), is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that no command has."""


Port = Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The first port for fans; 0: any.")]
HttpPort = Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The first port of the API; 0: any.")]
Speed = Annotated[
    float, typer.Option(min=0.001, metavar="TIMES", help="How many times real time; 60 plays a minute a second.")
]
_PORTS = "HOST:PORT[-PORT]"
_URL = "URL|@FILE"
_SHOWN = (
    "matchstream: everyone on this machine can read the password in --{name}: "
    "give the URL by MATCHSTREAM_{variable}, or in a file by --{name} @FILE"
)
ScriptArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="A match script, or the name of one that is included.")
]


@app.command(name="serve")
def serve_command(  # noqa: PLR0913, PLR0917  # one argument an option
    context: typer.Context,
    stage: Annotated[str, typer.Option(metavar="STAGE", help="The stage to serve, e.g. 2.3.")],
    added: Annotated[
        list[str], typer.Option("--with", metavar="LESSON", help="Add a lesson of a later stage; may be repeated.")
    ] = [],  # noqa: B006  # Typer's
    left_out: Annotated[
        list[str], typer.Option("--without", metavar="LESSON", help="Leave a lesson out; may be repeated.")
    ] = [],  # noqa: B006
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen on; :: is all of them.")
    ] = "127.0.0.1",
    port: Port = 9999,
    http_port: HttpPort = 8888,
    browser_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port for browsers, 0: any; in stage 4.  [default: none]"),
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(metavar=_URL, help="The URL of a Redis, or a file that has it; without, one is started."),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="PROCESSES",
            help="How many node processes to start; from stage 3 on.  [default: as many as the stage has]",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PROCESSES",
            help="Worker processes of each node, 0: none; from stage 4 on.  [default: one a core]",
        ),
    ] = None,
    join: Annotated[
        str | None, typer.Option(metavar=_URL, help="Join the system on this Redis as one more node; from stage 3 on.")
    ] = None,
    topology: Annotated[
        Topology | None, typer.Option(help="How nodes learn of each other's events.  [default: connected]")
    ] = None,
    play: Annotated[str | None, typer.Option(metavar="FILE", help="A match script to play on the server.")] = None,
    speed: Speed = 60.0,
    loop: Annotated[bool, typer.Option("--loop", help="Play the match again and again.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Cancel a match that has the same id first.")] = False,
    slow: Annotated[
        Slow | None, typer.Option(help="What becomes of fans that read too slowly; in stage 4.  [default: close]")
    ] = None,
    max_fans: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="FANS",
            help="Fans that each node takes at most; in stage 4.  [default: as its open files allow]",
        ),
    ] = None,
    max_rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1e6,
            metavar="FANS/S",
            help="Fans a second that each node takes; in stage 4.  [default: any]",
        ),
    ] = None,
    grace: Annotated[str, typer.Option(metavar="DURATION", help="How long fans may take to read the goodbye.")] = "5s",
    expect: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="FANS",
            help="Fans that are expected: there are workers for them, and it is said if they cannot fit.",
        ),
    ] = None,
    config: Config = None,
    faults: Annotated[str, typer.Option(hidden=True, help="What to break: see stages.stage0.faults.")] = "",
) -> None:
    """Serve a stage until SIGTERM or Ctrl-C."""
    del config  # its callback has read it
    said_by = {name: source_of(context, name) for name in ("redis", "join")}
    if said_by["redis"] > said_by["join"]:
        join = None
    elif said_by["join"] > said_by["redis"]:
        redis = None
    for name, url in (("redis", redis), ("join", join)):
        if said_by[name] is Source.FLAG and url is not None and shows_password(url):
            typer.echo(_SHOWN.format(name=name, variable=name.upper()), err=True)
    try:
        given_token(os.environ)
        options = Options(
            host=host,
            port=port,
            http_port=http_port,
            browser_port=browser_port,
            redis_url=_redis_of(redis, join),
            nodes=1 if nodes is None and join is not None else nodes,
            topology=topology or Topology.CONNECTED,
            workers=workers,
            expected_fans=expect or 0,
            grace_s=parse_duration(grace),
            slow=slow or Slow.CLOSE,
            max_fans=max_fans,
            max_rate=max_rate,
            faults=faults,
        )
        found = find_stage(stage, added=added, left_out=left_out)
        check_nodes(found, join, topology)
        check_faults(found, faults)
        check_workers(found, workers)
        check_use(found, {"slow": slow, "max-fans": max_fans, "max-rate": max_rate, "browser-port": browser_port})
        playing = None if play is None else PlayedMatch(load_script(play), speed, loop, replace)
        if expect is not None:
            _, diagnosis = examine(
                found, nodes=options.nodes, workers=workers, port=port, http_port=http_port, expected=expect
            )
            if not diagnosis.is_met:
                _say_aside(warning_of(diagnosis))
    except _USER_ERRORS as error:
        _refuse(error, where=told_where(context, error))
    if isinstance(context.command, Check):
        return
    file = config_file(context)
    if file is not None and file.token is not None:
        os.environ.setdefault(TOKEN_VARIABLE, file.token)  # where the server, and each of its nodes, looks for it
    with found.parts.log():
        _run(serve(found, options, playing), found.parts.vm.new_event_loop)


config.command(
    name="check",
    cls=Check,
    help="Say what `matchstream serve` would run with the same words, and by whom each of its settings is given; "
    "what is wrong is a line each, and exit status 2.",
)(serve_command)
app.add_typer(config, name="config")


@app.command(name="doctor")
def doctor_command(  # noqa: PLR0913, PLR0917  # one argument an option
    stage: Annotated[str, typer.Option(help="The stage to be served.")] = [*STAGES][-1],
    nodes: Annotated[int | None, typer.Option(min=1, help="How many node processes; from stage 3 on.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes for the fans of each node; from stage 4 on.")
    ] = None,
    port: Port = 9999,
    http_port: HttpPort = 8888,
    expect: Annotated[int | None, typer.Option(min=1, metavar="FANS", help="Fans that are expected.")] = None,
    config: Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say how many fans fit in here, what bounds that first, and what raises it; exit status 1 if they do not fit."""
    del config  # its callback has read it
    try:
        found = find_stage(stage)
        check_workers(found, workers)
        needs, diagnosis = examine(found, nodes=nodes, workers=workers, port=port, http_port=http_port, expected=expect)
    except _USER_ERRORS as error:
        _refuse(error)
    if json:
        typer.echo(as_json(found, needs, diagnosis))
    else:
        show(found, needs, diagnosis)
    if not diagnosis.is_met:
        raise typer.Exit(1)


@app.command(name="lessons")
def lessons_command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Tell all that is known of this lesson.")] = None,
    of: Annotated[str | None, typer.Option("--stage", help="List the lessons of this stage.")] = None,
    parts_of: Annotated[
        str | None, typer.Option("--parts", metavar="STAGE", help="List what each part of this stage is made of.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What was measured, for NAME.  [default: that of this checkout]"),
    ] = None,
) -> None:
    """List the lessons by the stage that adds them; with NAME tell of one: cause, slide, code, what it is worth."""
    try:
        if name is not None:
            _check_alone(of, parts_of)
            found, worths, costs = explain(name), _worths(name, results), read_costs(name, results or RESULTS)
            lines = page_lines(found, load_elsewhere().get(name), worths, costs)
        elif parts_of is not None:
            lines = part_lines(find_stage(parts_of), STAGES["0"])
        elif of is not None:
            lines = (f"{lesson.name:17} {lesson.teaches}" for lesson in find_stage(of).lessons)
        else:
            lines = lesson_lines(STAGES.values())
    except _USER_ERRORS as error:
        _refuse(error)
    for line in lines:
        typer.echo(harmless(line))


@app.command(name="play")
def play_command(  # noqa: PLR0913, PLR0917  # one argument an option
    script: ScriptArgument,
    url: Annotated[str, typer.Option(help="The API of the server.")] = "http://127.0.0.1:8888",
    speed: Speed = 60.0,
    loop: Annotated[bool, typer.Option("--loop", help="Play the match again and again.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Cancel a match that has the same id first.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a match where it stands.")] = False,
    patience: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to keep trying while the server is away.")
    ] = "5m",
) -> None:
    """Be the reporter: announce a match, and post its events when they are due."""
    if replace and resume:
        _refuse(ScriptConflictError("give --replace to begin anew or --resume to go on, not both"))
    _run(play_match(script, url, speed, patience, loop=loop, replace=replace, resume=resume, note=_say_aside))


@app.command(name="watch")
def watch_command(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where fans connect.")],
    user: Annotated[str, typer.Option(help="Your user id.")] = "fan",
    match: Annotated[str | None, typer.Option(metavar="ID", help="The match; else the current one.")] = None,
    reconnect: Annotated[
        bool, typer.Option("--reconnect", help="Connect again whenever the connection ends, until the match is over.")
    ] = False,
) -> None:
    """Be a fan: watch a match in colour until it ends; exit status 1 if it breaks off."""
    _run(watch_match(address, user, match, reconnect=reconnect, note=_say_aside))


@app.command(name="tour")
def tour_command(
    begin: Annotated[
        str | None, typer.Option("--from", metavar="LESSON", help="Begin with this step; else where you were last.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="LESSON", help="Take this step, and no other.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: print the tour as a script, with its measurements.")
    ] = False,
) -> None:
    """Take a tour through the stages: see each break, name the cause, read what mends it, foretell, and see.

    It takes an hour, or as long as you like: Ctrl-C ends it, and the same command goes on where you were. Each trial is
    a command of the harness, which is shown.
    """
    try:
        take_tour(begin=begin, only=only, asks=not yes)
    except (CourseError, NobodyAnswersError, TrialFailedError) as error:
        _refuse(error)


@app.command(name="nginx")
def nginx_command(  # noqa: PLR0913, PLR0917  # one argument an option
    fans: Annotated[list[str], typer.Option(metavar=_PORTS, help="Where fans are served; may be repeated.")] = [FANS],  # noqa: B006  # Typer's
    http: Annotated[list[str], typer.Option(metavar=_PORTS, help="Where the API is; may be repeated.")] = [HTTP],  # noqa: B006
    browsers: Annotated[
        list[str], typer.Option(metavar=_PORTS, help="Where browsers are served, if they are; may be repeated.")
    ] = [],  # noqa: B006
    host: Annotated[
        str, typer.Option(help="The address for nginx to listen on; 0.0.0.0 is all of them.")
    ] = "127.0.0.1",
    listen_fans: Annotated[int, typer.Option(min=1, max=65535, help="Its port for fans.")] = LISTEN_FANS,
    listen_http: Annotated[int, typer.Option(min=1, max=65535, help="Its port for the API.")] = LISTEN_HTTP,
    directory: Annotated[Path, typer.Option(help="Where it keeps its process id and its log.")] = Path(),
    open_files: Annotated[
        int | None,
        typer.Option(
            min=FEWEST_OPEN_FILES, help="Open files of each worker; without, what is allowed here, up to 65,536."
        ),
    ] = None,
) -> None:
    """Print a configuration for nginx: one address in front of all ports of a server."""
    front = Front(
        fans=fans,
        http=http,
        browsers=browsers,
        host=host,
        listen_fans=listen_fans,
        listen_http=listen_http,
        directory=directory,
        open_files=open_files,
    )
    try:
        typer.echo(configuration(front), nl=False)
    except _USER_ERRORS as error:
        _refuse(error)


def _redis_of(redis: str | None, join: str | None) -> str | None:
    if redis is not None and join is not None:
        raise LessonError("give --redis for a new system or --join for one that is there, not both")
    given = redis if join is None else join
    if given is None:
        return None
    url = read_redis_url(given)
    RedisEndpoint(
        url, 1.0
    )  # is not asked for a connection: a URL that it cannot read is refused before anything starts
    return url


def _check_alone(of: str | None, parts_of: str | None) -> None:
    if of is not None or parts_of is not None:
        raise LessonError("give NAME, or --stage or --parts, which list what a stage has")


def _worths(lesson: str, results: Path | None) -> tuple[Worth, ...] | None:
    """Return what is known of a lesson's worth; None where nobody said where that is, and this checkout has none."""
    if results is None and not summaries_in(RESULTS):
        return None
    return read_worths(lesson, results or RESULTS)


def _say_aside(words: str) -> None:
    """Say something on standard error; some of it may be what a server said."""
    typer.echo(f"matchstream: {harmless(words)}", err=True)


def _run(
    coroutine: Coroutine[Any, Any, None], new_event_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> None:
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(coroutine)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (ServerEndedError, WatchEndedError) as error:
        _say_aside(str(error))
        raise typer.Exit(1) from None
    except _USER_ERRORS as error:
        _refuse(error)


def _refuse(error: BaseException, where: str = "") -> None:
    _say_aside(f"{where}{error}")
    raise typer.Exit(2) from None


def main() -> int:
    """Run the command line and return the exit status."""
    open_standard_streams()
    return run_app(app, "matchstream")


if __name__ == "__main__":
    sys.exit(main())

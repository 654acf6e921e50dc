"""The command `matchstream`: serve a stage, play a match, watch one."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from common.domain.script import ScriptError, load_script
from common.http.client import ApiError, ApiUnreachableError, ReporterClient
from common.http.play import ScriptConflictError, StepRefusedError, play_script
from common.http.server import CannotListenError
from common.http.token import TokenError, client_token
from common.store.errors import RedisNotFoundError, RedisStartError, RedisUrlError, StoreUnavailableError
from common.tuning.open_files import OpenFilesError
from stages.catalogue import UnknownStageError, find_stage
from stages.serve import Play, ServerEndedError, serve
from stages.stage import Options
from stages.watch import WatchError, watch_match

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from common.domain.events import Event
    from common.domain.script import Step

_USER_ERRORS = (
    ApiError,
    ApiUnreachableError,
    CannotListenError,
    OpenFilesError,
    RedisNotFoundError,
    RedisStartError,
    RedisUrlError,
    ScriptConflictError,
    ScriptError,
    StepRefusedError,
    StoreUnavailableError,
    TokenError,
    UnknownStageError,
    WatchError,
)
"""What a user can mend: it is said in one line."""

app = typer.Typer(
    help="Stream a soccer match to very many fans.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Speed = Annotated[float, typer.Option(min=0.001, help="How many times real time; 60 plays a minute a second.")]
Script = Annotated[str, typer.Argument(metavar="FILE", help="A match script, or the name of one that comes along.")]


@app.command(name="serve")
def serve_command(  # noqa: PLR0913, PLR0917  # one argument an option
    stage: Annotated[str, typer.Option(help="The stage to serve, e.g. 0.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port for fans; 0 for any free one.")] = 9999,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="The port of the API; 0 for any free one.")] = 8888,
    redis: Annotated[str | None, typer.Option(metavar="URL", help="A Redis to use; else one is started.")] = None,
    play: Annotated[str | None, typer.Option(metavar="FILE", help="A match script to play on the server.")] = None,
    speed: Speed = 60.0,
    loop: Annotated[bool, typer.Option("--loop", help="Play the match again and again.")] = False,
) -> None:
    """Serve a stage until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options = Options(host=host, port=port, http_port=http_port, redis_url=redis)
    try:
        found = find_stage(stage)
        playing = None if play is None else Play(load_script(play), speed, loop)
    except _USER_ERRORS as error:
        _refuse(error)
    _run(serve(found, options, playing))


@app.command(name="play")
def play_command(
    script: Script,
    url: Annotated[str, typer.Option(help="The API of the server.")] = "http://127.0.0.1:8888",
    speed: Speed = 60.0,
    loop: Annotated[bool, typer.Option("--loop", help="Play the match again and again.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Cancel a match of that id that is there.")] = False,
) -> None:
    """Be the reporter: announce a match, and post its events when they are due."""
    _run(_play(script, url, speed, loop=loop, replace=replace))


@app.command(name="watch")
def watch_command(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where fans connect.")],
    user: Annotated[str, typer.Option(help="Your user id.")] = "fan",
    match: Annotated[str | None, typer.Option(metavar="ID", help="The match; else the current one.")] = None,
) -> None:
    """Be a fan: watch a match in colour until it ends."""
    _run(watch_match(address, user, match))


async def _play(name: str, url: str, speed: float, *, loop: bool, replace: bool) -> None:
    script = load_script(name)
    async with ReporterClient(url, client_token(os.environ, _port_of(url))) as client:
        await play_script(client, script, speed=speed, loop=loop, replace=replace, on_event=_say)


def _say(_step: Step, event: Event) -> None:
    typer.echo(f"{event.seq:3d}  {event.at:%H:%M:%S}  {event.kind}")


def _port_of(url: str) -> int:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ApiUnreachableError(f"{url} is no URL of a server; give one like http://127.0.0.1:8888") from None
    return port if port is not None else {"https": 443}.get(parts.scheme, 80)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(coroutine)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except ServerEndedError as error:
        typer.echo(f"matchstream: {error}", err=True)
        raise typer.Exit(1) from None
    except _USER_ERRORS as error:
        _refuse(error)


def _refuse(error: BaseException) -> None:
    typer.echo(f"matchstream: {error}", err=True)
    raise typer.Exit(2) from None


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()

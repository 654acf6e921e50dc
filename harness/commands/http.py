"""`harness http`: load a JSON API, as the talk did with ApacheBench."""

import ssl
import sys
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.exits import exit_status
from harness.commands.grouped import grouped
from harness.commands.options import AskedError
from harness.commands.target_options import WhichStage
from harness.interruption import interruptions_deferred
from harness.load.http import HttpPlan
from harness.load.tls import trusting
from harness.records.directory import make_directory
from harness.records.files import encode, file_stem, write_new
from harness.records.http import HttpResult
from harness.show.http import show_http
from harness.show.terminal import Terminal
from harness.trial.http import Api, get_path, post_events, running_api, stage_api

DEFAULT_PATH = "/1/checkin"


class Method(StrEnum):
    """What is sent: a question, or an event."""

    GET = "GET"
    POST = "POST"


@grouped
def http(  # noqa: PLR0913 -- each is an option of the command
    *,
    requests: Annotated[int, typer.Option("-n", min=1, help="Requests to send.")],
    concurrency: Annotated[int, typer.Option("-c", min=1, help="Connections at a time.")] = 1,
    which: WhichStage,
    url: Annotated[
        str | None, typer.Option("--http", metavar="URL", help="A server that runs already, to load instead.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Whom to trust at an https:// URL, in PEM. Default: as this machine does."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Trust anybody at an https:// URL: no certificate is verified.")
    ] = False,
    path: Annotated[str | None, typer.Option(help=f"What to GET. Default: {DEFAULT_PATH}.")] = None,
    method: Annotated[
        Method, typer.Option(help="GET a path, or POST events to a match that is announced for them.")
    ] = Method.GET,
    keep_alive: Annotated[
        bool, typer.Option("-k", "--keep-alive", help="Send many requests over a connection; else each has its own.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Requests a second, each sent when it is due: an open load.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds within which a request must be answered.")] = 30.0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the result.")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and no table.")] = False,
) -> None:
    """Load a JSON API with HTTP requests: requests a second, times, failures and bytes. -n, -c and -k are as in ab.

    Without --rate the load is closed, as ab's is: each connection waits for its answer before it sends again, so what
    a pause of the server costs is hardly seen. With --rate a request is sent when it is due, and it is.

    A request that the harness has no open file or no local port for makes the figures invalid: it says nothing of the
    server.

    The exit status is 0 if all requests succeeded, 1 if not, 3 if the figures are invalid, 2 if the load could not be
    made, and 130 if it was interrupted: what was seen until then is written, too.
    """
    if method is Method.POST and path is not None:
        raise AskedError("--path goes with GET: events are posted to a match that is announced for them")
    if path is not None and not path.startswith("/"):
        raise AskedError(f"{path!r} is no path: write for example --path {DEFAULT_PATH}")
    trust = _trust(url, ca, insecure=insecure)
    served = _served(which, url, trust, posts=method is Method.POST)
    make_directory(out)
    load = HttpPlan(method, "", requests, concurrency, keep_alive=keep_alive, rate_per_s=rate, timeout_s=timeout)
    with interruptions_deferred(), served as api:
        result = post_events(api, load) if method is Method.POST else get_path(api, path or DEFAULT_PATH, load)
    _report(result, out, as_json=as_json)
    if result.interrupted:
        raise KeyboardInterrupt
    raise typer.Exit(exit_status(result))


def _trust(url: str | None, ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """Return whom to believe. Raise AskedError for options that do not go together, TrustError for no certificates."""
    if ca is not None and insecure:
        raise AskedError("give --ca or --insecure, not both: with the second nothing is verified")
    if (ca is not None or insecure) and not (url or "").startswith("https://"):
        raise AskedError(f"{'--insecure' if insecure else '--ca'} goes with --http and an https:// URL")
    return trusting(ca, insecure=insecure)


def _served(which: WhichStage, url: str | None, trust: ssl.SSLContext, *, posts: bool) -> AbstractContextManager[Api]:
    """Return the API of the stage, or of the server that runs already. Raise AskedError unless it is one of them."""
    variant = which.variant
    if variant is not None and url is None:
        return stage_api(variant)
    if variant is not None or url is None:
        raise AskedError("whom to load? give --stage 2.5, or --http URL for a server that runs already")
    if any(which.differences.values()):
        *others, last = which.differences
        raise AskedError(f"{', '.join(others)} and {last} go with --stage: a server that runs is what it is")
    return nullcontext(running_api(url, trust, posts=posts))


def _report(result: HttpResult, out: Path, *, as_json: bool) -> None:
    """Write the result, and print it."""
    asked = result.asked
    name = f"{file_stem(asked.target.name)}-http-n{asked.requests}-c{asked.concurrency}"
    console = Terminal()
    try:
        file = write_new(out / f"{name}-{result.started_at:%Y%m%dT%H%M%SZ}.json", result)
    finally:  # what was seen is told, also where it cannot be kept
        if as_json:
            sys.stdout.write(encode(result).decode())
        else:
            console.print(show_http(result))
    if not as_json:
        console.print(f"result: {file}", soft_wrap=True)

"""`matchstream play`: a reporter who posts the events of a script when they are due, and prints each one accepted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from common.addresses import parse_http_url
from common.domain.script import load_script
from common.durations import parse_duration, show_duration
from common.http.client import ReporterClient
from common.http.play import play_script
from common.http.token import client_token
from common.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Callable

    from common.domain.events import Event
    from common.domain.script import Step


async def play_match(  # noqa: PLR0913  # one argument an option
    name: str,
    url: str,
    speed: float,
    patience: str,
    *,
    loop: bool,
    replace: bool,
    resume: bool,
    note: Callable[[str], None],
) -> None:
    """Play a script to the server at `url`; `note` is told when that is away, and when it is back.

    Raise what `load_script`, `parse_duration`, `client_token` and `play_script` do.
    """
    script = load_script(name)
    patience_s = parse_duration(patience)
    at = parse_http_url(url)
    async with ReporterClient(url, client_token(os.environ, at.host, at.port)) as client:
        await play_script(
            client,
            script,
            speed=speed,
            loop=loop,
            replace=replace,
            resume=resume,
            patience_s=patience_s,
            on_event=_say,
            on_outage=lambda why: note(f"{why}; trying again, for {show_duration(patience_s)} at most"),
            on_recovery=lambda lasted_s: note(f"through again, after {show_duration(lasted_s)}"),
        )


def _say(_step: Step, event: Event) -> None:
    typer.echo(f"{event.seq:3d}  {event.at:%H:%M:%S}  {harmless(event.kind)}")

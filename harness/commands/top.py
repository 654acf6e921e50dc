"""`harness top`: the actors of a server that runs, in a terminal (the talk's `entop`)."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.live import Live

from harness.commands.options import AskedError
from harness.show.live.keys import single_keys
from harness.show.live.screen import show_top
from harness.show.live.top import Top, first_look, query_of
from harness.show.live.view import View
from harness.show.terminal import Terminal
from harness.targets.poller import Look, Poller, urls_of

DEFAULT_API = "127.0.0.1:8888"

_NO_TERMINAL_HEIGHT = 60


def top(
    http: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL|HOST:PORT[-PORT]",
            help=f"The API of a node, or a range of ports with several; repeatable. Default: {DEFAULT_API}.",
        ),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds from one look to the next.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one table and end; needs no terminal.")] = False,
) -> None:
    """Show a server's nodes and actors: mailboxes, messages, restarts, memory.

    Under the nodes stands what their parts do: connections of the API that are open and its calls; whether a node is
    the writer, the requests it carried out and the rounds in which Redis failed it; requests to the writer that wait,
    or got no answer; and the channels it listens to in Redis, with the messages that come.

    Keys: s sorts by the next column, r turns the order round, / or f filters, p or space pauses, q quits.
    A node tells of its first 100 actors in the order that is shown, and of all others by their kinds.
    """
    urls = urls_of(http or [DEFAULT_API])
    if once:
        _print(asyncio.run(_two_looks(urls, interval)))
        return
    console = Terminal()
    if not (console.is_terminal and sys.stdin.isatty()):
        raise AskedError("this is no terminal, so nobody can press a key: say --once for one table")
    asyncio.run(_watch_nodes(urls, console, interval))


async def _watch_nodes(urls: Sequence[str], console: Terminal, interval_s: float) -> None:
    async with Poller(urls) as poller:
        looks = await first_look(poller)
        fd = sys.stdin.fileno()
        with single_keys(fd), Live(console=console, screen=True, auto_refresh=False) as live:

            def draw(looks: Sequence[Look], view: View) -> None:
                live.update(show_top(looks, view, console.height), refresh=True)

            await Top(poller, looks, draw, fd, interval_s).run()


async def _two_looks(urls: Sequence[str], interval_s: float) -> list[Look]:
    async with Poller(urls) as poller:
        await first_look(poller)
        await asyncio.sleep(interval_s)
        return await poller.poll(query_of(View()))


def _print(looks: Sequence[Look]) -> None:
    console = Terminal()
    console.print(show_top(looks, View(), _NO_TERMINAL_HEIGHT))

"""`harness cluster`: the machines from which fans may come, and what each of them can do."""

from typing import Annotated

import typer

from harness.show.cluster import show_hosts
from harness.show.terminal import Terminal
from harness.trial.cluster.generator import offset_now
from harness.trial.cluster.scheduler import connected_hosts

app = typer.Typer(help="Fans from many machines, which Dask knows.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Take no options of its own."""


@app.command()
def check(
    scheduler: Annotated[
        str, typer.Argument(metavar="ADDRESS", show_default=False, help="The scheduler, such as tcp://10.0.0.1:8786.")
    ],
) -> None:
    """Show the hosts of a Dask cluster: what each is, how many fans a process of it holds, how sure its clock is.

    The exit status is 0 if all of them can play fans, 2 if one cannot, or there is none.
    """
    with connected_hosts(scheduler) as hosts:
        Terminal().print(show_hosts([(host, offset_now(host)) for host in hosts]))

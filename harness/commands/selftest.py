"""`harness selftest`: whether the instrument is good enough on this machine."""

from typing import Annotated

import typer
from rich.table import Table

from harness.load.selftest import SelfTest, run_selftest
from harness.show.terminal import Terminal
from harness.units import NOTHING, show_bytes, show_time


def selftest(
    connections: Annotated[int, typer.Option(min=1, help="Connections of a round.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, of which the best counts.")] = 3,
) -> None:
    """Measure the load generator itself, against a server that only accepts and answers.

    The exit status is 0 if it is fast and small enough, 1 if not.
    """
    found = run_selftest(connections, rounds=rounds)
    console = Terminal(highlight=False)
    console.print(_table(found))
    for reason in found.reasons:
        console.print(f"FAILED: {reason}", style="bold red")
    if not found.passed:
        raise typer.Exit(1)
    console.print("PASSED", style="bold green")


def _table(found: SelfTest) -> Table:
    table = Table(title="The load generator, one process", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    each = found.bytes_per_connection
    for name, figure in (
        (
            "connections",
            f"{found.connections_per_s:,.0f} a second, started and answered; best of {found.rounds} rounds",
        ),
        (
            "CPU",
            f"{show_time(found.cpu_per_connection_s)} a connection, {show_time(found.cpu_per_receipt_s)} a receipt",
        ),
        ("memory", f"{NOTHING if each is None else show_bytes(each)} a connection"),
        ("lag", f"p99 {show_time(found.lag_p99_s)}, max {show_time(found.lag_max_s)}: all were asked for at once"),
        ("longest turn", show_time(found.turn_max_s)),
    ):
        table.add_row(name, figure)
    return table

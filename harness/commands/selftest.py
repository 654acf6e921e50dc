"""`harness selftest`: whether the instrument is good enough on this machine."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from harness.interruption import interruptions_deferred
from harness.load.c_generator import compiled
from harness.load.selftest import SelfTest, run_selftest
from harness.load.workload import Load
from harness.show.terminal import Terminal
from harness.targets.peers.catalogue import peer_target
from harness.targets.stage import StageTarget
from harness.targets.target import Target
from harness.targets.variant import Variant
from harness.trial.agreement import Agreement, compare_generators
from harness.units import NOTHING, show_bytes, show_time

_WAVES = 4
_MOST = 15_000  # connections: what one process of each generator holds, and each server that is measured


def selftest(
    connections: Annotated[int, typer.Option(min=1, help="Connections of a round.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds: the best counts; with --against, the median.")] = 3,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="SERVER",
            help="Compare with the generator in C instead, on this server: floor, or a stage such as 2.5; repeatable.",
        ),
    ] = None,
    c: Annotated[
        list[int] | None,
        typer.Option("-C", min=1, help="With --against: the size of a wave; repeatable. Default: 500, 1000, 5000."),
    ] = None,
) -> None:
    """Measure the load generator itself, against a server that only accepts and answers.

    Where there is a C compiler, a small generator in C does the same, for comparison. The exit status is 0 if ours is
    fast and small enough, 1 if not; with --against, 0 if the two agree in every figure.
    """
    console = Terminal()
    if against:
        found = _compare(against, c or [500, 1000, 5000], rounds, console.print)
        passed = all(one.agrees(figure) for one in found for figure in ("art_s", "response_s"))
    else:
        seen = run_selftest(connections, rounds=rounds)
        console.print(_table(seen))
        for reason in seen.reasons:
            console.print(f"FAILED: {reason}", style="bold red")
        passed = seen.passed
    if not passed:
        raise typer.Exit(1)
    console.print("PASSED", style="bold green")


def _compare(servers: list[str], sizes: list[int], rounds: int, show: Callable[[Table], None]) -> list[Agreement]:
    found = []
    with interruptions_deferred(), compiled() as program:
        for make_target in [_maker(server) for server in servers]:
            for c in sizes:
                load = Load(max(c, min(_WAVES * c, _MOST)), c)
                found.append(compare_generators(make_target, load, rounds, program))
                show(_agreement(found[-1]))
    return found


def _maker(server: str) -> Callable[[], Target]:
    return partial(peer_target, server) if server == "floor" else partial(StageTarget, Variant(server))


def _agreement(one: Agreement) -> Table:
    title = f"{one.server}, N={one.load.n:,}, C={one.load.c:,}: medians of {one.rounds}"
    table = Table(title=title, title_justify="left", box=None)
    for name in ("", "harness", "in C", "harness / C", "placebo", ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for name, figure in (("ART, mean", "art_s"), ("response, mean", "response_s")):
        ours, theirs = getattr(one.harness, figure), getattr(one.in_c, figure)
        ratios = (f"{one.ratio(figure):.2f}", f"{one.noise(figure):.2f}")
        table.add_row(name, show_time(ours), show_time(theirs), *ratios, "agree" if one.agrees(figure) else "DIFFER")
    table.add_row(" its own share", show_time(one.harness.own_s), show_time(one.in_c.own_s))
    table.add_row("lag p99", show_time(one.harness.lag_p99_s), show_time(one.in_c.lag_p99_s))
    table.add_row("answered", f"{one.harness.answered:,}", f"{one.in_c.answered:,}")
    return table


def _table(found: SelfTest) -> Table:
    table = Table(title="The load generator, one process", title_justify="left", box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column("harness", no_wrap=True)
    table.add_column("in C", no_wrap=True)
    each, in_c = found.bytes_per_connection, found.in_c
    late = None if in_c is None else in_c.late

    def row(name: str, ours: str, theirs: float | None = None) -> None:
        table.add_row(name, ours, NOTHING if theirs is None else show_time(theirs))

    row("connections", f"{found.connections_per_s:,.0f} a second, started and answered; best of {found.rounds} rounds")
    row("a start", f"{show_time(found.start_s)} by the clock", None if in_c is None else in_c.start_s)
    row("CPU", f"{show_time(found.cpu_per_connection_s)} a connection", None if in_c is None else in_c.cpu_connection_s)
    row("", f"{show_time(found.cpu_per_receipt_s)} a receipt", None if in_c is None else in_c.cpu_receipt_s)
    row("memory", f"{NOTHING if each is None else show_bytes(each)} a connection")
    row("lag p99", f"{show_time(found.lag_p99_s)}: all were asked for at once", None if late is None else late.p99_s)
    row("lag max", show_time(found.lag_max_s), None if late is None else late.max_s)
    row("longest turn", show_time(found.turn_max_s))
    return table

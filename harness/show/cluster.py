"""The hosts of a cluster, for people."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.trial.cluster.clocks import Offset
from harness.trial.cluster.scheduler import ClusterHost
from harness.units import show_bytes, show_time


def show_hosts(hosts: Sequence[tuple[ClusterHost, Offset]]) -> RenderableType:
    """Return the table of the hosts, each with how far its clock is ahead, and what they can do together."""
    table = Table(box=None, pad_edge=False)
    for name in ("worker", "host", "cores", "memory", "fans a process", "clock"):
        table.add_column(name, justify="left" if name in {"worker", "host"} else "right", no_wrap=True)
    for host, offset in hosts:
        facts, machine = host.facts, host.facts.machine
        table.add_row(
            host.address,
            facts.name,
            str(machine.cores),
            show_bytes(machine.memory_bytes),
            f"{facts.fans:,}",
            f"±{show_time(offset.uncertain_s)}",
        )
    cores = sum(host.facts.machine.cores for host, _ in hosts)
    together = f"{len(hosts)} hosts with {cores} cores; more fans than a process holds get more processes"
    return Group(table, Text(together))

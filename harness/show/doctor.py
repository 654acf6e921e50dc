"""What the doctor found, for people."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.doctor.rules import Finding
from harness.records.trial import TrialResult
from harness.units import show_percentile, show_time


def show_findings(found: Sequence[Finding], result: TrialResult) -> RenderableType:
    """Return what holds the server back, what it moves, how sure that is, and the lines to change."""
    head = Text(_measured(result))
    if not found:
        return Group(head, Text("nothing was seen that holds it back at this load: try a larger -N or -C"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("moves", no_wrap=True)
    table.add_column("what holds it back", ratio=2)
    table.add_column("change", ratio=3)
    for finding in found:
        what = Text.assemble((finding.advice.title, "bold"), f" ({finding.certainty}): {finding.because}")
        change = Text("\n".join(finding.lines)).append(f"\n({finding.advice.source})", style="dim")
        table.add_row(finding.advice.moves, what, change)
    return Group(head, table)


def _measured(result: TrialResult) -> str:
    fans, response, load = result.seen.fans, result.seen.response, result.asked.load
    art = "" if response.art is None else f", ART {show_time(response.art.mean_s)}"
    p99 = "" if response.intended is None else f", response p99 {show_percentile(response.intended.p99_s)}"
    invalid = "" if result.validity.valid else f"; the times are invalid: {result.validity.reasons[0]}"
    served = f"{result.asked.target.name}: {fans.served:,} of N={load.n:,} served, C={load.c:,}"
    return f"{served}{art}{p99}; bound first: {result.bound.name}{invalid}"

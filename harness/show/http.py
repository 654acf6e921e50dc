"""The result of a load of HTTP requests as a table for people."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.records.distribution import Distribution
from harness.records.http import AskedHttp, HttpResult, HttpSeen
from harness.units import show_bytes, show_counts, show_percentile, show_time

_CLOSED = (
    "closed load: each connection waited for its answer before it sent again, so nothing was sent while the server "
    "stood still, and these percentiles leave out what that would have cost others (coordinated omission); "
    "--rate measures it"
)
_OPEN = "open load: requests were sent when they were due, and their times count from then"


def show_http(result: HttpResult) -> RenderableType:
    """Return the table; the figures of an invalid result are dimmed, and a panel says why."""
    style = "" if result.validity.valid else "dim"
    table = Table(
        title=_title(result.asked), title_justify="left", show_header=False, box=None, pad_edge=False, style=style
    )
    table.add_column(style="bold" if result.validity.valid else "dim", no_wrap=True)
    table.add_column(style=style)
    for name, text in _rows(result.asked, result.seen):
        table.add_row(name, text)
    parts: list[RenderableType] = [table, _verdict(result)]
    if not result.validity.valid:
        why = "\n".join(result.validity.reasons)
        parts.insert(0, Panel(why, title="INVALID: these figures say nothing about the server", border_style="red"))
    return Group(*parts)


def _title(asked: AskedHttp) -> str:
    load = "closed" if asked.rate_per_s is None else f"{asked.rate_per_s:g} a second"
    connections = "kept alive" if asked.keep_alive else "one a request"
    return (
        f"{asked.target.name}: {asked.method} {asked.path}, n={asked.requests:,}, c={asked.concurrency:,} "
        f"({load}; connections {connections})"
    )


def _rows(asked: AskedHttp, seen: HttpSeen) -> list[tuple[str, str]]:
    failures = show_counts(seen.failures)
    answered = seen.answered
    each = f", {show_bytes(seen.body_bytes / answered)} an answer" if answered else ""
    rows = [
        ("requests", f"{seen.succeeded:,} of {asked.requests:,} succeeded; failures: {failures or 'none'}"),
        ("rate", f"{seen.requests_per_s:,.0f} answered a second, in {show_time(seen.took_s)}"),
        ("time a request", _times(seen.response)),
    ]
    if seen.service is not None:
        rows.append(("from sending", _times(seen.service)))
    return [
        *rows,
        ("bytes", f"{show_bytes(seen.body_bytes)} of bodies{each}"),
        ("generator", f"lag p99 {show_time(seen.lag_p99_s)}; CPU {seen.generator_cpu:.0%} of a core"),
        ("read this as", _CLOSED if asked.rate_per_s is None else _OPEN),
    ]


def _times(times: Distribution | None) -> str:
    if times is None:
        return "no request succeeded"
    percentiles = (("p50", times.p50_s), ("p90", times.p90_s), ("p99", times.p99_s))
    named = (*percentiles, ("max", None if times.missing else times.max_s))
    shown = (f"{name} {show_percentile(value)}" for name, value in named)
    return ", ".join((f"mean {show_time(times.mean_s)}", *shown))


def _verdict(result: HttpResult) -> Text:
    if not result.validity.valid:
        return Text("INVALID", style="bold red")
    if not result.passed:
        return Text("FAILED: not all requests succeeded", style="bold red")
    return Text("PASSED: all requests succeeded", style="bold green")

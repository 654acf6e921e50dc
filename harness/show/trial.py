"""A result as a table for people."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.records.distribution import Distribution
from harness.records.trial import Delivery, GeneratorSeen, Placement, ServerSeen, TrialResult
from harness.units import NOTHING, show_bytes, show_time, show_wave

_WORTH_TELLING_S = 0.1
_NO_LIMIT = 2**31


def show_result(result: TrialResult) -> RenderableType:
    """Return the table of a trial; the figures of an invalid one are dimmed, and a panel says why."""
    style = "" if result.validity.valid else "dim"
    table = Table(title=_title(result), title_justify="left", show_header=False, box=None, pad_edge=False, style=style)
    table.add_column(style="bold" if result.validity.valid else "dim", no_wrap=True)
    table.add_column(style=style)
    for name, text in _rows(result):
        table.add_row(name, text)
    parts: list[RenderableType] = [table]
    if not result.validity.valid:
        why = "\n".join(result.validity.reasons)
        parts.insert(0, Panel(why, title="INVALID: these figures say nothing about the server", border_style="red"))
    return Group(*parts, _verdict(result))


def _title(result: TrialResult) -> str:
    load = result.asked.load
    return f"{result.asked.target.name}: N={load.n:,}, C={load.c:,} every {show_time(load.interval_s)}"


def _rows(result: TrialResult) -> list[tuple[str, str]]:
    fans, response = result.seen.fans, result.seen.response
    failures = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(fans.failures.items()))
    rows = [
        ("N", f"{fans.served:,} of {fans.asked:,} served; failures: {failures or 'none'}"),
        ("C", f"{_wave(result)}"),
        (
            "ART (talk)",
            NOTHING if response.art is None else f"{show_time(response.art.mean_s)}, counted after the connect",
        ),
        ("response", f"{_percentiles(response.honest)}{_whose(result)}"),
    ]
    if result.seen.delivery is None:
        rows.append(("events", "none were posted: without an API (--http) only N, C and ART are measured"))
    else:
        rows += _delivery_rows(result.seen.delivery)
    rows.append(("server", _server(result.server)))
    rows.append(("generator", _generator(result.generator)))
    if result.asked.placement != Placement():
        rows.append(("place", _place(result.asked.placement)))
    rows.append(("bound first", f"{result.bound.name}: {result.bound.evidence}"))
    return rows


def _wave(result: TrialResult) -> str:
    c = show_wave(result.asked.load.c, result.within_s)
    if result.is_moment:
        return f"{c} at the same moment; the last of them started {show_time(result.generator.lag_max_s)} later"
    return f"{c}: a rate, no moment, since the generator takes so long to start them"


def _whose(result: TrialResult) -> str:
    return "" if result.is_moment else ", so they are the generator's as well as the server's"


def _percentiles(times: Distribution | None) -> str:
    if times is None:
        return "nobody was answered"
    named = (("p50", times.p50_s), ("p90", times.p90_s), ("p99", times.p99_s), ("max", times.max_s))
    figures = ", ".join(f"{name} {show_time(value)}" for name, value in named)
    return f"{figures}; counted from the intended start"


def _delivery_rows(delivery: Delivery) -> list[tuple[str, str]]:
    fanout = delivery.fanout
    reached = "nothing arrived"
    if fanout is not None:
        reached = (
            f"mean {show_time(fanout.mean_s)}, p99 {show_time(fanout.p99_s)}; "
            f"last fan: mean {show_time(delivery.last_mean_s)}, max {show_time(delivery.last_max_s)}"
        )
    posted = f"{delivery.posted:,} posted"
    if delivery.unposted:
        posted += f", {delivery.unposted:,} not accepted"
    if delivery.post_lag_max_s > _WORTH_TELLING_S:
        posted += f", up to {show_time(delivery.post_lag_max_s)} behind schedule"
    arrived = (
        f"of {delivery.expected:,} deliveries {delivery.lost:,} lost, "
        f"{delivery.duplicated:,} duplicated, {delivery.reordered:,} reordered"
    )
    return [("fan-out", reached), ("events", f"{posted}; {arrived}")]


def _server(server: ServerSeen | None) -> str:
    if server is None:
        return "not observed: its processes are not on this machine, or belong to somebody else"
    each = server.memory_per_connection_bytes
    limit = f" of {server.fullest_limit:,}" if 0 < server.fullest_limit < _NO_LIMIT else ""
    ended = f", {len(server.ended_processes):,} of which ended" if server.ended_processes else ""
    return (
        f"CPU {server.cpu_mean:.0%} of a core, peak {server.cpu_peak:.0%}; "
        f"{NOTHING if each is None else show_bytes(each)} a connection; "
        f"open files {server.fullest_open_files:,}{limit}{_of_processes('fullest', server.processes)}{ended}"
    )


def _generator(generator: GeneratorSeen) -> str:
    return (
        f"lag p99 {show_time(generator.lag_p99_s)}, max {show_time(generator.lag_max_s)}; "
        f"CPU {generator.cpu_share:.0%} of a core{_of_processes('busiest', generator.processes)}"
    )


def _place(placement: Placement) -> str:
    parts = ["loopback"]
    if placement.network == "netns":
        settings = ", ".join(f"{name} {value}" for name, value in placement.sysctls.items())
        parts = [f"two network namespaces; the server's kernel settings: {settings or 'defaults'}"]
    named = (
        ("server", placement.server_cpus),
        ("generator", placement.generator_cpus),
        ("Redis", placement.redis_cpus),
    )
    parts += [f"{name} on CPU {', '.join(map(str, cpus))}" for name, cpus in named if cpus is not None]
    return "; ".join(parts)


def _verdict(result: TrialResult) -> Text:
    if not result.validity.valid:
        return Text("INVALID", style="bold red")
    if not result.verdict.met:
        return Text(f"FAILED: {', '.join(result.verdict.broken)}", style="bold red")
    return Text(f"PASSED: {result.asked.slo or 'nothing was demanded'}", style="bold green")


def _of_processes(which: str, number: int) -> str:
    """Tell of how many processes there were, and that the figure before is that of one of them and not their sum."""
    return "; 1 process" if number == 1 else f" in the {which} of {number:,} processes"

"""A result as a table for people."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.records.asked import Placement
from harness.records.distribution import FEWEST_FOR_P99, Distribution
from harness.records.seen import ApiSeen, Delivery, Fans, OwnEvents, Reconnects
from harness.records.trial import TrialResult
from harness.records.usage import GeneratorSeen, HostSeen, Memory, ServerSeen
from harness.show.disturbances import show_disturbances
from harness.units import NOTHING, show_bytes, show_counts, show_growth, show_percentile, show_time, show_wave

_WORTH_TELLING_S = 0.1
_APART_SHARE = 0.02  # of a fan-out: less says nothing that its own spread does not
_NO_LIMIT = 2**31


def show_result(result: TrialResult) -> RenderableType:
    """Return the table of a trial; the figures of an invalid one are dimmed, and a panel says why."""
    style = "" if result.validity.valid else "dim"
    table = Table(title=_title(result), title_justify="left", show_header=False, box=None, pad_edge=False, style=style)
    table.add_column(style="bold" if result.validity.valid else "dim", no_wrap=True)
    table.add_column(style=style)
    for name, text in rows_of(result):
        table.add_row(name, text)
    parts: list[RenderableType] = [table]
    if not result.validity.valid:
        why = "\n".join(result.validity.reasons)
        parts.insert(0, Panel(why, title="INVALID: these figures say nothing about the server", border_style="red"))
    return Group(*parts, _verdict(result))


def _title(result: TrialResult) -> str:
    load = result.asked.load
    title = f"{result.asked.target.name}: N={load.n:,}, C={load.c:,} every {show_time(load.interval_s)}"
    besides = show_disturbances(result.asked.disturbances)
    return f"{title}; {besides}" if besides else title


def rows_of(result: TrialResult) -> list[tuple[str, str]]:
    """Return what is said of a trial, each row with its name."""
    fans, response = result.seen.fans, result.seen.response
    failures = show_counts(fans.failures)
    rows = [
        ("N", f"{fans.served:,} of {fans.asked:,} served{_set_apart(fans)}; failures: {failures or 'none'}"),
        ("C", f"{_wave(result)}"),
        (
            "ART (talk)",
            NOTHING
            if response.art is None
            else f"{show_time(response.art.mean_s)} of {response.art.count:,} fans, counted after the connect",
        ),
        ("response", f"{_percentiles(response.intended)}{_whose(result)}"),
    ]
    if response.unanswered is not None:
        rows.append(("not answered", f"turned away, or gave up, after {_figures(response.unanswered)}"))
    if response.newcomers is not None:
        art = NOTHING if response.newcomers_art is None else show_time(response.newcomers_art.mean_s)
        rows.append(("newcomers", f"while events flowed: {_percentiles(response.newcomers)}; ART {art}"))
    if result.seen.delivery is None:
        rows.append(("events", _own_events(result.seen.own)))
    else:
        rows += _delivery_rows(result.seen.delivery, result.generator.clocks_apart_s)
    if result.seen.api is not None:
        rows.append(("API", _api(result.seen.api)))
    if result.seen.reconnects is not None:
        rows.append(("reconnects", _reconnects(result.seen.reconnects, has_events=result.seen.delivery is not None)))
    if result.seen.recovery_s is not None:
        rows.append(
            ("recovery", f"after the first cut a fan who came waited {show_time(result.seen.recovery_s)} at most")
        )
    rows.append(("server", _server(result.server)))
    if result.server is not None and result.server.memory is not None:
        rows.append(("a connection", _memory(result.server.memory)))
    rows.append(("generator", _generator(result.generator)))
    if result.generator.hosts:
        rows.append(("hosts", _hosts(result.generator.hosts)))
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


def _set_apart(fans: Fans) -> str:
    """Tell of those who did what they were told to, or of whom nobody knows: they are neither served nor failures."""
    slow = f"{fans.slow:,} slow, {fans.slow_closed:,} of them closed by the server"
    told = (
        (fans.left, f"{fans.left:,} left"),
        (fans.reset, f"{fans.reset:,} broke off"),
        (fans.slow, slow),
        (fans.untold, f"{fans.untold:,} untold"),
    )
    return "".join(f", {words}" for count, words in told if count)


def _api(api: ApiSeen) -> str:
    failed = f"; {api.failed:,} questions got no answer" if api.failed else ""
    if api.answers is None:
        return f"nothing was answered{failed}"
    return f"answers: mean {show_time(api.answers.mean_s)}, p99 {show_time(api.answers.p99_s)}{failed}"


def _reconnects(seen: Reconnects, *, has_events: bool) -> str:
    parts = [f"{seen.lost:,} connections lost{_in_brackets(seen.ended)}"]
    if seen.tried:
        failed = _in_brackets(seen.failures)
        parts.append(f"of {seen.tried:,} tries to connect again {seen.served:,} were served{failed}")
    if seen.lost:
        back = "nobody was" if seen.back is None else _figures(seen.back)
        parts.append(f"back, from the loss: {back}; {seen.not_back:,} not back at the end")
    if seen.took is not None:
        parts.append(f"such a try took {_figures(seen.took)}")
    if seen.lost and has_events:
        parts.append(f"of events from meanwhile {seen.missed:,} deliveries missed, {seen.recovered:,} told afterwards")
    return "; ".join(parts)


def _in_brackets(counts: Mapping[str, int]) -> str:
    words = show_counts(counts)
    return f" ({words})" if words else ""


def _percentiles(times: Distribution | None) -> str:
    if times is None:
        return "nobody was answered"
    failed = f" of {times.asked:,} fans, {times.missing:,} of which were not answered (∞)" if times.missing else ""
    return f"{_figures(times)}{failed}; counted from the intended start"


def _figures(times: Distribution) -> str:
    longest_s = None if times.missing else times.max_s
    p99 = (("p99", times.p99_s),) if times.asked >= FEWEST_FOR_P99 else ()
    named = (("p50", times.p50_s), ("p90", times.p90_s), *p99, ("max", longest_s))
    return ", ".join(f"{name} {show_percentile(value)}" for name, value in named)


def _own_events(own: OwnEvents | None) -> str:
    if own is None:
        return (
            "none were posted, and none of the server's own came: say how they are posted (--http, [publish]), or how "
            "long to wait for its own (--hold)"
        )
    heard = f"none were posted; {own.heard:,} of the server's own, {own.by_all:,} of which all {own.fans:,} fans had"
    if own.spread is None:
        return heard
    spread = own.spread
    p99 = f", p99 {show_percentile(spread.p99_s)}" if spread.asked >= FEWEST_FOR_P99 else ""
    apart = f"mean {show_time(spread.mean_s)}{p99}, max {show_time(spread.max_s)}"
    return f"{heard}; from the first of them to the last: {apart}"


def _delivery_rows(delivery: Delivery, apart_s: float) -> list[tuple[str, str]]:
    fanout = delivery.fanout
    reached = "nothing arrived"
    if fanout is not None:
        reached = (
            f"mean {show_time(fanout.mean_s)}, p99 {show_percentile(fanout.p99_s)}; "
            f"last fan: mean {show_time(delivery.last_mean_s)}, max {show_time(delivery.last_max_s)}; "
            f"counted from the intended post{_service(delivery)}{_clocks(fanout, apart_s)}"
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


def _clocks(fanout: Distribution, apart_s: float) -> str:
    """Tell between what the mean lies, where that is not known well enough: fans and reporter have other clocks."""
    if apart_s <= _APART_SHARE * fanout.mean_s:
        return ""
    least, most = show_time(max(0.0, fanout.mean_s - apart_s)), show_time(fanout.mean_s + apart_s)
    return f"; each ±{show_time(apart_s)}, as the hosts' clocks go, so the mean is between {least} and {most}"


def _service(delivery: Delivery) -> str:
    """Return the service time where it differs: posts had to wait, which a fan-out from their sending does not show."""
    service = delivery.fanout_service
    if service is None or delivery.post_lag_max_s <= _WORTH_TELLING_S:
        return ""
    last = show_time(delivery.last_service_mean_s)
    return f"; service time, from the sending: mean {show_time(service.mean_s)}, last fan {last}"


def _server(server: ServerSeen | None) -> str:
    if server is None:
        return "not observed: its processes are not on this machine, or belong to somebody else"
    limit = f" of {server.fullest_limit:,}" if 0 < server.fullest_limit < _NO_LIMIT else ""
    ended = f", {len(server.ended_processes):,} of which ended" if server.ended_processes else ""
    return (
        f"CPU {server.cpu_mean:.0%} of a core, peak {server.cpu_peak:.0%}; "
        f"open files {server.fullest_open_files:,}{limit}{_of_processes('fullest', server.processes)}{ended}"
    )


def _memory(memory: Memory) -> str:
    redis = memory.redis_per_connection
    of_redis = "" if redis is None else f", Redis {show_growth(redis, memory.connections)}"
    return (
        f"server {show_growth(memory.server_per_connection, memory.connections)}{of_redis} ({memory.measure}); "
        f"kernel {show_bytes(memory.kernel_per_connection)} for both ends; "
        f"{memory.moment}, of {memory.connections:,} connections"
    )


def _generator(generator: GeneratorSeen) -> str:
    return (
        f"lag p99 {show_time(generator.lag_p99_s)}, max {show_time(generator.lag_max_s)}; "
        f"CPU {generator.cpu_share:.0%} of a core{_of_processes('busiest', generator.processes)}"
    )


def _hosts(hosts: tuple[HostSeen, ...]) -> str:
    return "\n".join(map(_host, hosts))


def _host(host: HostSeen) -> str:
    if host.lost is not None:
        return f"{host.address}: {host.fans:,} fans, lost after {show_time(host.lost_s)}: {host.lost}"
    used = f"CPU {host.cpu_share:.0%} of a core{_of_processes('busiest', host.processes)}"
    return f"{host.address}: {host.fans:,} fans, {used}; clock ±{show_time(host.clock_uncertain_s)}"


def _place(placement: Placement) -> str:
    parts = ["loopback" if placement.cluster is None else f"the Dask cluster at {placement.cluster}"]
    if placement.network == "netns":
        settings = ", ".join(f"{name} {value}" for name, value in placement.sysctls.items())
        parts = [f"two network namespaces; the server's kernel settings: {settings or 'defaults'}"]
    if placement.sources is not None:
        parts.append(f"fans come from {placement.sources}")
    named = (
        ("server", placement.server_cpus),
        ("generator", placement.generator_cpus),
        ("Redis", placement.redis_cpus),
    )
    parts += [f"{name} on CPU {', '.join(map(str, cpus))}" for name, cpus in named if cpus is not None]
    return "; ".join(parts)


def verdict_of(result: TrialResult) -> str:
    """Return whether a trial is valid, and met its SLO."""
    if not result.validity.valid:
        return "INVALID"
    if not result.verdict.met:
        return f"FAILED: {', '.join(result.verdict.broken)}"
    return f"PASSED: {result.asked.slo or 'nothing was demanded'}"


def _verdict(result: TrialResult) -> Text:
    return Text(verdict_of(result), style=f"bold {'green' if result.passed else 'red'}")


def _of_processes(which: str, number: int) -> str:
    """Tell of how many processes there were, and that the figure before is that of one of them and not their sum."""
    return "; 1 process" if number == 1 else f" in the {which} of {number:,} processes"

"""Several results in one table, a row each: for people, and as Markdown for a page that is to be made by a command."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from harness.campaign.staircase import SLO
from harness.records.asked import AskedEvents
from harness.records.distribution import Distribution
from harness.records.seen import Delivery
from harness.records.trial import TrialResult
from harness.trial.figures.slo import parse_slo
from harness.units import GENERATORS, NOTHING, show_growth, show_percentile, show_time, show_wave


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    is_number: bool = True


_PAGE_SLO = parse_slo(SLO)
"""What all rows of a page are held to: a load that a server does not bear is no C of it, and the row says so."""

_COLUMNS = (
    _Column("server", is_number=False),
    _Column("N"),
    _Column("C"),
    _Column("every"),
    _Column("served"),
    _Column("lost"),
    _Column("ART mean / p99"),
    _Column("response mean / p99"),
    _Column("connections/s"),
    _Column("events"),
    _Column("fan-out mean / last"),
    _Column("service time"),
    _Column("a connection"),
    _Column("valid", is_number=False),
    _Column("SLO", is_number=False),
    _Column("bound first", is_number=False),
    _Column("commit", is_number=False),
)


def show_results(results: Sequence[TrialResult]) -> Table:
    """Return a table of results in their order; those that are invalid are dimmed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column.name, justify="right" if column.is_number else "left", no_wrap=True)
    for result in results:
        table.add_row(*_row(result), style="" if result.validity.valid else "dim")
    return table


def markdown(results: Sequence[TrialResult]) -> str:
    """Return the same table in GitHub's Markdown, with a newline at its end."""
    lines = [
        tuple(column.name for column in _COLUMNS),
        tuple("---:" if column.is_number else "---" for column in _COLUMNS),
        *(tuple(cell.replace("|", r"\|") for cell in _row(result)) for result in results),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(result: TrialResult) -> tuple[str, ...]:
    load, response, delivery = result.asked.load, result.seen.response, result.seen.delivery
    rate = result.seen.answered_per_s
    each = None if result.server is None else result.server.memory_per_connection_bytes
    return (
        result.asked.target.name,
        f"{load.n:,}",
        show_wave(load.c, result.within_s),
        show_time(load.interval_s),
        f"{result.seen.fans.served:,}",
        NOTHING if delivery is None else f"{delivery.lost:,}",
        _mean_and_p99(response.art),
        _mean_and_p99(response.intended) + ("" if result.is_moment else GENERATORS),
        NOTHING if rate is None else f"{rate:,.0f}",
        _events(result.asked.events),
        _fanout(delivery),
        _service(delivery),
        NOTHING if each is None else show_growth(each, load.n),
        "yes" if result.validity.valid else "INVALID",
        _slo(result),
        result.bound.name,
        _commit(result.machine.commit),
    )


def _slo(result: TrialResult) -> str:
    """Return whether a row bears what the pages ask of a server, whatever its own trial asked."""
    broken = _PAGE_SLO.check(result.seen)
    return f"BROKE {', '.join(broken)}" if broken else "met"


def _mean_and_p99(times: Distribution | None) -> str:
    return NOTHING if times is None else f"{show_time(times.mean_s)} / {show_percentile(times.p99_s)}"


def _fanout(delivery: Delivery | None) -> str:
    if delivery is None or delivery.fanout is None:
        return NOTHING
    return f"{show_time(delivery.fanout.mean_s)} / {show_time(delivery.last_mean_s)}"


def _service(delivery: Delivery | None) -> str:
    """Return the fan-out as it would be had each post been due when it was sent."""
    if delivery is None or delivery.fanout_service is None:
        return NOTHING
    return f"{show_time(delivery.fanout_service.mean_s)} / {show_time(delivery.last_service_mean_s)}"


def _events(asked: AskedEvents | None) -> str:
    """Return the rate of events, or the speed at which a script was played."""
    if asked is None:
        return NOTHING
    return f"{asked.speed:g}x" if asked.rate_per_s is None else f"{asked.rate_per_s:g}/s"


def _commit(commit: str | None) -> str:
    """Return a commit as people write it, with the `+` of a checkout that differed from it."""
    return NOTHING if commit is None else commit[:7] + ("+" if commit.endswith("+") else "")

"""The demonstration as a table with a column for each server, and in a sentence what stopped whom it did not serve."""

from collections.abc import Sequence

from harness.campaign.demo import PATIENCE_S
from harness.records.trial import TrialResult
from harness.show.campaign import Sheet
from harness.units import NOTHING, show_counts, show_growth, show_load, show_percentile, show_time


def demo_sheet(results: Sequence[TrialResult]) -> Sheet:
    """Return the figures of trials under the same load, one at least: a column for each."""
    columns = [_figures(result) for result in results]
    return Sheet(
        show_load(results[0].asked.load),
        ("", *(result.asked.target.name for result in results)),
        tuple((name, *(column[name] for column in columns)) for name in columns[0]),
    )


def what_stopped(result: TrialResult) -> str:
    """Return in one sentence whom a server did not serve, and what bound first, with the evidence of the trial."""
    name, fans = result.asked.target.name, result.seen.fans
    if fans.failed:
        said = (
            f"{name}: of {fans.asked:,} fans, who wait up to {PATIENCE_S:g} s, {fans.failed:,} were not served "
            f"({show_counts(fans.failures)}); "
            f"what bound first: {result.bound.name} ({result.bound.evidence})."
        )
    else:
        said = f"{name}: all {fans.asked:,} fans were served."
    if result.validity.valid:
        return said
    return f"{said} INVALID, its times say nothing about the server: {'; '.join(result.validity.reasons)}."


def _figures(result: TrialResult) -> dict[str, str]:
    fans, response, delivery, server = result.seen.fans, result.seen.response, result.seen.delivery, result.server
    waited, fanout = response.intended, None if delivery is None else delivery.fanout
    memory = None if server is None else server.memory
    return {
        "fans served": f"{fans.served:,} of {fans.asked:,}",
        "first event, p50": NOTHING if waited is None else show_percentile(waited.p50_s),
        "first event, p99": NOTHING if waited is None else show_percentile(waited.p99_s),
        "ART (talk)": NOTHING if response.art is None else f"{show_time(response.art.mean_s)} of {fans.answered:,}",
        "an event to each": NOTHING if fanout is None else f"{show_time(fanout.mean_s)} to {fans.answered:,}",
        "events lost": NOTHING if delivery is None else f"{delivery.lost:,} of {delivery.expected:,}",
        "memory a fan": NOTHING if memory is None else show_growth(memory.server_per_connection, memory.connections),
        "bound first": result.bound.name,
        "trial": "valid" if result.validity.valid else "INVALID",
    }

"""What the hosts of a cluster saw, put together; and what is known of those that were lost. Pure."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from harness.load.samples import GeneratorUsage, Outcome, Progress, Samples
from harness.records.distribution import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence


def given_up(progress: Progress, fans: int) -> Progress:
    """Return how far the fans of a lost host are for who waits for them: who had no answer has failed, all are over."""
    return Progress(
        started=fans,
        connected=progress.connected,
        answered=progress.answered,
        failed=fans - progress.answered,
        closed=progress.answered,
        receipts=progress.receipts,
    )


def untold(fans: range, starts: array[float]) -> Samples:
    """Return the samples of fans whose host was lost before it told; those beyond `starts` had no moment yet."""
    samples = Samples.blank(array("d", (starts[fan] if fan < len(starts) else float("nan") for fan in fans)))
    samples.outcome = bytearray([Outcome.UNTOLD]) * len(fans)
    return samples


def together(samples: Samples, usages: Sequence[GeneratorUsage]) -> GeneratorUsage:
    """Return what it cost all hosts that were not lost, of which there is one at least, to see these samples."""
    lag_s = samples.lag_s() or array("d", [0.0])
    shares = [usage.bytes_per_connection for usage in usages if usage.bytes_per_connection is not None]
    return GeneratorUsage(
        processes=sum(usage.processes for usage in usages),
        cpu_share=tuple(share for usage in usages for share in usage.cpu_share),
        lag_p50_s=percentile(lag_s, 500),
        lag_p99_s=percentile(lag_s, 990),
        lag_max_s=max(lag_s),
        turn_max_s=max(usage.turn_max_s for usage in usages),
        # Hosts have as many fans as each other, give or take one.
        bytes_per_connection=sum(shares) / len(shares) if len(shares) == len(usages) else None,
        peak_rss=max(usage.peak_rss for usage in usages),
    )

"""The demonstration: the baseline and the last stage under the same waves, and whether all went as it should. Pure.

The load is far from every edge. The baseline may have 1,024 files open and five connections wait to be accepted, so
most of these fans cannot get in, on any machine; the last stage bears waves many times as large. Only who was served
and what was lost is judged, never a time, so that a machine which others use as well does not fail it.

That holds for a trial that is invalid, too: whoever was served by a late generator was served. But its `bound` is the
generator then, so why the baseline did not serve the others is judged by what happened to them alone.
"""

from collections.abc import Iterator
from typing import Final

from harness.load.samples import Outcome
from harness.load.workload import Load
from harness.records.trial import TrialResult
from harness.targets.variant import Variant
from harness.units import show_counts

BASELINE: Final = Variant("0")
TUNED: Final = Variant("4", nodes=1)

LOAD: Final = Load(2_000, 500)
SPEED: Final = 600.0
"""Of the sample match, which has some 105 minutes: in 10 s it is over."""

PATIENCE_S: Final = 13.0
"""How long a fan waits for the first event.

Whom the accept queue has no room for gets in when a packet is repeated: Linux repeats a SYN-ACK after 1, 3 and 7 s, and
so a SYN, which since 6.5 it repeats after 1, 2, 3, 4, 5, 7 and 11 s (ip-sysctl, `tcp_syn_linear_timeouts`). No sum of
the two is within a second of this one, so nobody is caught between the welcome and the answer.
"""

EXPECTED_BOUNDS: Final = frozenset({"accept queue", "open files"})
"""What may bind the baseline first."""

_NOT_LET_IN: Final = frozenset(one.name.lower() for one in (Outcome.CONNECT_TIMEOUT, Outcome.NO_WELCOME))
"""What happens to a fan then: the kernel has its connection, or not even that, and the server never comes to it."""


def mishaps(baseline: TrialResult, tuned: TrialResult) -> tuple[str, ...]:
    """Return what went wrong besides the losses that are expected of the baseline, each a sentence without its stop."""
    return (*_of_baseline(baseline), *_lost(baseline), *_of_tuned(tuned), *_lost(tuned))


def _of_baseline(result: TrialResult) -> Iterator[str]:
    name, fans, bound = result.asked.target.name, result.seen.fans, result.bound
    others = {fate: count for fate, count in fans.failures.items() if fate not in _NOT_LET_IN}
    if others:
        yield f"{name} let fans in whom it did not serve, or turned them away: {show_counts(others)}{_bound(result)}"
    elif fans.failed and result.validity.valid and bound.name not in EXPECTED_BOUNDS:
        yield f"{name} did not serve {fans.failed:,} fans for another reason than expected{_bound(result)}"


def _of_tuned(result: TrialResult) -> Iterator[str]:
    fans = result.seen.fans
    if fans.failed:
        whom = f"{fans.failed:,} of {fans.asked:,} fans: {show_counts(fans.failures)}"
        yield f"{result.asked.target.name} did not serve {whom}{_bound(result)}"


def _lost(result: TrialResult) -> Iterator[str]:
    """Tell what did not reach those who were let in as it should: nothing of that is expected of any stage."""
    name, delivery = result.asked.target.name, result.seen.delivery
    if delivery is None:
        yield f"{name} was posted no event"
        return
    if delivery.unposted:
        yield f"{name} did not accept {delivery.unposted:,} of {delivery.posted:,} events"
    counts = {"lost": delivery.lost, "duplicated": delivery.duplicated, "reordered": delivery.reordered}
    if any(counts.values()):
        yield f"{name}: of {delivery.expected:,} deliveries {show_counts(counts)}{_bound(result)}"


def _bound(result: TrialResult) -> str:
    return f"; what bound first: {result.bound.name} ({result.bound.evidence})"

"""What goes wrong in a demonstration, and what is no more than was expected of the baseline."""

import msgspec
import pytest

from harness.campaign.demo import mishaps
from harness.records.seen import Delivery
from harness.records.trial import Bound, TrialResult, Validity
from tests.harness.results import a_delivery, a_result, seen_by, some_fans

FULL = Bound(name="accept queue", evidence="the kernel turned connection attempts away 80 times")
NO_FILES = Bound(name="open files", evidence="python had 1,024 of 1,024 files open")
CPU = Bound(name="CPU", evidence="python used 100% of a core")
ENDED = Bound(name="server ended", evidence="exit status 3")
LATE = Bound(name="generator", evidence="the generator was late")
INVALID = Validity(valid=False, reasons=("the generator was late",))


def trial(
    bound: Bound = CPU, delivery: Delivery | None = None, validity: Validity | None = None, **failures: int
) -> TrialResult:
    """Return a trial in which 90 were served, and others met these fates."""
    seen = seen_by(some_fans(90, **failures), delivery=delivery or a_delivery(90))
    return a_result(seen=seen, bound=bound, validity=validity or a_result().validity)


def named(result: TrialResult, name: str) -> TrialResult:
    target = msgspec.structs.replace(result.asked.target, name=name)
    return msgspec.structs.replace(result, asked=msgspec.structs.replace(result.asked, target=target))


def wrong(baseline: TrialResult, tuned: TrialResult) -> tuple[str, ...]:
    return mishaps(named(baseline, "first"), named(tuned, "last"))


@pytest.mark.parametrize(
    "baseline",
    [
        trial(),  # of so few fans it may serve all
        trial(FULL, no_welcome=10),
        trial(FULL, no_welcome=9, connect_timeout=1),
        trial(NO_FILES, no_welcome=10),
        trial(LATE, validity=INVALID, no_welcome=10),  # whom it could not let in is told all the same
    ],
)
def test_what_is_expected_of_the_baseline_is_not_wrong(baseline: TrialResult) -> None:
    assert wrong(baseline, trial()) == ()
    assert wrong(baseline, trial(LATE, validity=INVALID)) == ()


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        (trial(CPU, no_welcome=10), "10 fans for another reason than expected; what bound first: CPU (python used"),
        (trial(ENDED, no_welcome=10), "server ended (exit status 3)"),
        (trial(FULL, no_welcome=9, cut=1), "whom it did not serve, or turned them away: 1 cut; what bound"),
        (trial(FULL, refused=2, error_line=1), ": 1 error line, 2 refused; what bound first: accept queue"),
        (trial(LATE, validity=INVALID, cut=1), ": 1 cut;"),
        (trial(FULL, no_answer=1), ": 1 no answer;"),
        (trial(LATE, validity=INVALID, no_socket=1), ": 1 no socket; what bound first: generator (the generator"),
        (trial(FULL, a_delivery(90, lost=3), no_welcome=10), "of 450 deliveries 3 lost;"),
    ],
)
def test_anything_else_that_the_baseline_loses_is(baseline: TrialResult, says: str) -> None:
    (found,) = wrong(baseline, trial())
    assert found.startswith("first")
    assert says in found


@pytest.mark.parametrize(
    ("tuned", "says"),
    [
        (trial(FULL, no_welcome=1), "last did not serve 1 of 91 fans: 1 no welcome; what bound first: accept queue"),
        (trial(NO_FILES, no_welcome=1), "open files"),
        (trial(cut=2), "2 of 92 fans: 2 cut"),
        (trial(LATE, validity=INVALID, cut=2), "2 of 92 fans: 2 cut; what bound first: generator"),
        (trial(delivery=a_delivery(90, lost=4)), "last: of 450 deliveries 4 lost; what bound first: CPU"),
        (trial(delivery=a_delivery(90, duplicated=1, reordered=2)), "of 450 deliveries 1 duplicated, 2 reordered"),
        (trial(delivery=a_delivery(90, unposted=1)), "last did not accept 1 of 5 events"),
    ],
)
def test_the_last_stage_serves_everyone_and_loses_nothing(tuned: TrialResult, says: str) -> None:
    (found,) = wrong(trial(FULL, no_welcome=10), tuned)
    assert says in found


def test_all_that_went_wrong_is_told_and_a_match_that_nobody_played_is_wrong() -> None:
    unplayed = a_result(seen=seen_by(some_fans()))
    found = wrong(unplayed, trial(delivery=a_delivery(90, unposted=1, lost=2), cut=1))
    assert found[0] == "first was posted no event"
    assert len(found) == 4

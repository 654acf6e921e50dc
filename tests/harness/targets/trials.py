"""Small trials of a target, and what every one that went well has in common."""

from harness.load.match import synthetic_match
from harness.load.workload import Load
from harness.records.trial import TrialResult
from harness.show.progress import Silent
from harness.targets.target import Target
from harness.trial.figures.slo import DEFAULT_SLO, parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.run import run_trial

FANS = 40
EVENTS = 4
POSTS = EVENTS + 1  # with the stop


def small_trial(target: Target, *, timeout_s: float = 20.0) -> TrialResult:
    match = synthetic_match("t1", EVENTS, 50.0) if target.publishes else None
    return run_trial(TrialPlan(Load(FANS, 10, 0.02), parse_slo(DEFAULT_SLO), match, timeout_s), target, Silent())


def assert_everyone_got_everything(result: TrialResult) -> None:
    fans, delivery = result.seen.fans, result.seen.delivery
    assert (fans.answered, fans.served, fans.failures) == (FANS, FANS, {})
    assert delivery is not None
    assert (delivery.posted, delivery.unposted) == (POSTS, 0)
    assert (delivery.expected, delivery.received, delivery.lost) == (FANS * POSTS, FANS * POSTS, 0)
    assert (delivery.duplicated, delivery.reordered) == (0, 0)

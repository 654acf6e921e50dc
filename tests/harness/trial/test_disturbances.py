"""What else can happen in a trial: it does, and is reported as what was asked for, not as the server's failure."""

from dataclasses import replace

import pytest

from harness.load.match import synthetic_match
from harness.load.workload import InvalidLoadError, Load
from harness.records.asked import Disturbances
from harness.records.trial import TrialResult
from harness.show.progress import Silent
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError
from harness.targets.variant import Variant
from harness.trial.figures.slo import DEFAULT_SLO, parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.run import run_trial
from tests.harness.fake import FAKE
from tests.harness.known_servers import KnownTarget

N = 20
EVENTS, RATE_PER_S = 10, 20.0
EVENTS_S = EVENTS / RATE_PER_S
ROUNDING_S = 1e-6


def plan(disturbances: Disturbances, *, posts: bool = True, interval_s: float = 0.02) -> TrialPlan:
    return TrialPlan(
        load=Load(N, 5, interval_s),
        slo=parse_slo(DEFAULT_SLO),
        match=synthetic_match("d15", EVENTS, RATE_PER_S) if posts else None,
        disturbances=disturbances,
    )


def trial(disturbances: Disturbances, *, interval_s: float = 0.02) -> TrialResult:
    result = run_trial(plan(disturbances, interval_s=interval_s), StageTarget(Variant("0"), FAKE), Silent())
    assert result.asked.disturbances == disturbances
    assert result.verdict.met, result.verdict.broken
    assert result.seen.delivery is not None
    assert result.seen.delivery.posted == EVENTS + 1
    return result


def test_fans_who_leave_are_replaced_and_nobody_fails() -> None:
    fans = trial(Disturbances(churn_per_s=0.5)).seen.fans
    left = int(0.5 * N * EVENTS_S)
    assert (fans.asked, fans.answered, fans.left, fans.served) == (N + left, N + left, left, N)


def test_fans_who_join_while_events_flow_are_told_apart() -> None:
    seen = trial(Disturbances(joining=6, joining_c=3), interval_s=EVENTS_S / 4).seen
    assert (seen.fans.asked, seen.fans.served) == (N + 6, N + 6)
    assert seen.response.newcomers is not None
    assert seen.response.newcomers_art is not None
    assert seen.response.newcomers.count == seen.response.newcomers_art.count == 6


def test_fans_who_break_off_are_no_failures() -> None:
    fans = trial(Disturbances(reset=8, reset_at_s=0.1)).seen.fans
    assert (fans.asked, fans.reset, fans.served) == (N, 8, N - 8)


def test_who_breaks_off_in_a_storm_comes_again() -> None:
    seen = trial(Disturbances(storm=0.5, storm_at_s=0.1, storm_within_s=0.1)).seen
    assert (seen.fans.asked, seen.fans.reset, seen.fans.served) == (N + N // 2, N // 2, N)
    assert seen.response.newcomers is not None
    assert seen.response.newcomers.count == N // 2


def test_slow_fans_are_set_apart_and_the_others_get_everything() -> None:
    seen = trial(Disturbances(slow=0.25)).seen
    assert (seen.fans.slow, seen.fans.served) == (N // 4, N - N // 4)
    assert seen.delivery is not None
    assert seen.delivery.received == (N - N // 4) * (EVENTS + 1)


def test_the_last_event_is_due_when_it_was_planned() -> None:
    delivery = trial(Disturbances(slow=0.25)).seen.delivery
    assert delivery is not None
    before, last = delivery.events[-2:]
    assert last.intended_s - before.intended_s >= 1 / RATE_PER_S - ROUNDING_S


def test_where_the_last_event_is_the_only_one_it_comes_when_all_have() -> None:
    asked = replace(plan(Disturbances(arrivals_during_events=True)), match=synthetic_match("d0", 0, RATE_PER_S))
    result = run_trial(asked, StageTarget(Variant("0"), FAKE), Silent())
    assert result.seen.delivery is not None
    assert result.seen.delivery.received == N


def test_events_flow_while_fans_come() -> None:
    interval_s = 1.0  # in the four waves, the first event is sent even by a machine that is busy
    seen = trial(Disturbances(arrivals_during_events=True), interval_s=interval_s).seen
    assert seen.fans.served == N
    assert seen.delivery is not None
    assert seen.delivery.events[0].sent_s < Load(N, 5, interval_s).duration_s
    assert seen.api is not None


@pytest.mark.parametrize(("without", "failure"), [((), "error_line"), (("admission",), "no_welcome")])
def test_who_finds_no_file_left_is_told_so_or_gives_up(without: tuple[str, ...], failure: str) -> None:
    few = replace(plan(Disturbances(open_files=256)), load=Load(300, 100, 0.02), answer_timeout_s=1.0)
    seen = run_trial(few, StageTarget(Variant("4", without_lessons=without, workers=1)), Silent()).seen
    assert seen.fans.failures == {failure: seen.fans.failed}
    assert seen.response.unanswered is not None
    assert seen.response.unanswered.count == seen.fans.failed == 300 - seen.fans.served


@pytest.mark.parametrize(
    ("disturbances", "posts", "reason"),
    [
        (Disturbances(churn_per_s=0.5), False, "here nobody posts any"),
        (Disturbances(churn_per_s=0.5, arrivals_during_events=True), True, "give one of the two"),
        (Disturbances(joining=1, joining_c=1, arrivals_during_events=True), True, "give one of the two"),
        (Disturbances(joining=1, joining_c=1), False, "here nobody posts any"),
        (Disturbances(storm=0.5), False, "here nobody posts any"),
        (Disturbances(storm=0.5, arrivals_during_events=True), True, "give one of the two"),
        (Disturbances(reset=N + 1), True, "use fewer, or a larger N"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_started(
    disturbances: Disturbances, posts: bool, reason: str
) -> None:
    with pytest.raises(InvalidLoadError, match=reason):
        run_trial(plan(disturbances, posts=posts), KnownTarget(), Silent())


@pytest.mark.parametrize(
    ("disturbances", "option"),
    [
        (Disturbances(redis_latency_s=0.002, redis_latency_by="proxy"), "--redis-latency"),
        (Disturbances(faults="client=1%/s"), "--faults"),
        (Disturbances(open_files=2_048), "--open-files"),
        (Disturbances(stops=1), "--stop-nodes"),
    ],
)
def test_a_server_that_the_harness_does_not_start_is_not_broken(disturbances: Disturbances, option: str) -> None:
    with pytest.raises(TargetError, match=f"{option} is for the stages, which the harness starts"):
        run_trial(plan(disturbances), KnownTarget(), Silent())

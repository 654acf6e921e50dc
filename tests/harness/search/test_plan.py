from dataclasses import replace

import pytest

from harness.load.workload import InvalidLoadError
from harness.records.search import TrialKind
from harness.search.decide import Try
from harness.search.evidence import Majority
from harness.search.plan import SearchPlan, asked_of, connections, default_plan, rules_of, schedule_s, trial_of
from tests.harness.search.worlds import a_plan, a_target


def trial(plan: SearchPlan, level: float, kind: TrialKind = "short") -> tuple[int, int, int, float | None]:
    """N, C, events before the last one, and their rate."""
    made = trial_of(plan, Try(level, kind), publishes=True)
    assert made.match is not None
    return made.load.n, made.load.c, made.match.asked.count - 1, made.match.asked.rate_per_s


def test_for_n_fans_arrive_gently() -> None:
    assert trial(default_plan("N"), 1_000) == (1_000, 4, 3, 5.0)
    assert trial(default_plan("N"), 1_000, "full") == (1_000, 4, 20, 5.0)
    assert trial(default_plan("N"), 2) == (2, 2, 3, 5.0)
    assert schedule_s(trial_of(default_plan("N"), Try(801, "full"), publishes=True)) == pytest.approx(1.0 + 4.0)
    assert schedule_s(trial_of(default_plan("N"), Try(801, "full"), publishes=False)) == pytest.approx(1.0)


def test_a_sustained_c_is_borne_in_four_waves_at_least() -> None:
    plan = default_plan("C")
    assert plan.interval_s == 0.25
    assert trial(plan, 700)[:2] == (2_800, 700)
    assert trial(replace(plan, n=5_000), 700)[:2] == (5_000, 700)
    assert trial(replace(plan, n=5_000), 1_400)[:2] == (5_600, 1_400)


def test_a_burst_is_one_wave_unless_n_is_given() -> None:
    assert trial(default_plan("burst C"), 700)[:2] == (700, 700)
    assert trial(a_plan("burst C", n=1_000), 700)[:2] == (1_000, 700)
    assert trial(a_plan("burst C", n=1_000), 1_400)[:2] == (1_400, 1_400)


def test_for_a_rate_posting_takes_its_time() -> None:
    assert trial(default_plan("rate"), 100.0) == (500, 4, 200, 100.0)
    assert trial(default_plan("rate"), 100.0, "full") == (500, 4, 500, 100.0)
    assert trial(default_plan("rate"), 0.5, "full") == (500, 4, 20, 0.5)


@pytest.mark.parametrize(("rate_per_s", "events"), [(5.0, 300), (0.1, 20)])
def test_a_soak_posts_on_for_its_time(rate_per_s: float, events: int) -> None:
    assert trial(a_plan(soak_s=60.0, rate_per_s=rate_per_s), 100, "soak")[2] == events


def test_matches_are_never_the_same() -> None:
    made = (trial_of(default_plan("N"), Try(10, "short"), publishes=True).match for _ in range(2))
    assert len({match.match.id for match in made if match is not None}) == 2


def test_no_wave_of_nobody() -> None:
    with pytest.raises(InvalidLoadError):
        trial(default_plan("C"), 0)


def test_where_a_search_begins_and_how_it_strides() -> None:
    plain = rules_of(a_plan(soak_s=3.0, repeats=5), 2_000.0)
    assert (plain.begin, plain.stride, plain.soaks, plain.majority) == (100, 1.0, True, Majority(5))
    assert (plain.scale.smallest, plain.scale.largest) == (1, 2_000)
    hinted = rules_of(a_plan(hint=701.3), 2_000.0)
    assert (hinted.begin, hinted.stride, hinted.soaks) == (701, 0.05, False)
    assert rules_of(a_plan(hint=9_000.0), 2_000.0).begin == 2_000
    assert rules_of(a_plan("rate", floor=2.7), 10.0).begin == 2.5


def test_what_is_searched_for_is_not_among_what_was_asked() -> None:
    for_n, for_c, for_rate = (asked_of(default_plan(dimension), a_target(), 9.0) for dimension in ("N", "C", "rate"))
    assert (for_n.n, for_n.c, for_n.rate_per_s) == (None, 4, 5.0)
    assert (for_c.n, for_c.c, for_c.rate_per_s) == (None, None, 5.0)
    assert (for_n.waves, for_c.waves, for_rate.waves) == (None, 4, None)
    assert (for_rate.n, for_rate.c, for_rate.rate_per_s) == (500, 4, None)
    assert for_n.slo == "failures=0,lost=0,p99<1s"
    assert for_rate.slo == "failures=0,lost=0,p99<1s,fanout_p99<1s,post_lag_p99<250ms"
    assert (for_n.target.name, for_n.target.fans, for_n.ceiling) == ("stage 2.5", (), 9.0)


def test_how_many_connections_a_level_takes() -> None:
    assert connections(default_plan("N"), 7.0) == 7
    assert connections(default_plan("C"), 7.0) == 28
    assert connections(default_plan("burst C"), 7.0) == 7
    assert connections(a_plan("burst C", n=50), 7.0) == 50
    assert connections(default_plan("rate"), 7.0) == 500

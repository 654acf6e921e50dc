from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.campaign import bench as benches
from harness.campaign.bench import FULL_EFFORT, QUICK_EFFORT, Conditions, TrialBench, search_plan, trial_plan
from harness.campaign.journal import Journal
from harness.campaign.plan import Arrivals, PlannedSearch, PlannedTrial
from harness.records.asked import Placement
from harness.records.directory import ResultsDirectory
from harness.records.search import SearchResult
from harness.records.trial import TrialResult
from harness.search.plan import SearchPlan, asked_of
from harness.search.roles import SearchJournal
from harness.show.search_progress import SilentSearch
from harness.targets.target import Target
from harness.trial.figures.slo import parse_slo
from harness.trial.plan import TrialPlan, asked
from harness.trial.run import TrialMeasurer
from tests.harness.campaign.doubles import LIGHT, a_server
from tests.harness.made_records import a_search
from tests.harness.results import a_machine, a_result

CONDITIONS = Conditions(parse_slo("failures=0,p99<1s"), FULL_EFFORT, Placement(server_cpus=(0,)))
SERVER = replace(a_server("2.1"), arrivals=Arrivals(2, 0.01), nodes=3)
TRIAL = PlannedTrial(SERVER, LIGHT, 1)
SEARCH = PlannedSearch(SERVER, "N")


@pytest.fixture
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_trial(plan: TrialPlan, target: Target, _: object) -> TrialResult:
        return a_result(asked=asked(plan, target)).without_time_lines()

    def run_search(plan: SearchPlan, measurer: TrialMeasurer, _: object, journal: SearchJournal) -> SearchResult:
        assert measurer.make_target is SERVER.make
        result = a_search(asked=asked_of(plan, SERVER.make(), plan.ceiling or 0))
        journal.save(result)
        return result

    monkeypatch.setattr(benches, "run_trial", run_trial)
    monkeypatch.setattr(benches, "run_search", run_search)
    monkeypatch.setattr(benches, "wait_until_quiet", lambda patience_s: (f"{patience_s:g} s",))


def a_journal(path: Path) -> Journal:
    return Journal(ResultsDirectory(path, a_machine()))


def a_bench(directory: Path) -> TrialBench:
    return TrialBench(a_journal(directory), CONDITIONS, SilentSearch())


@pytest.mark.usefixtures("_no_server")
def test_what_was_made_is_there_the_next_time(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    assert bench.stored(TRIAL) is None
    assert bench.stored(SEARCH) is None
    trial, search = bench.trial(TRIAL), bench.search(SEARCH, 500.0)
    again = a_bench(tmp_path)
    assert again.stored(TRIAL) == trial
    assert again.stored(SEARCH) == search
    assert again.stored(PlannedTrial(SERVER, LIGHT, 2)) is None
    assert again.wait_until_quiet() == ("30 s",)


@pytest.mark.usefixtures("_no_server")
def test_what_another_slo_was_asked_of_is_not(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    bench.trial(TRIAL)
    bench.search(SEARCH, None)
    other = TrialBench(a_journal(tmp_path), replace(CONDITIONS, slo=parse_slo("failures=0")), SilentSearch())
    assert other.stored(TRIAL) is None
    assert other.stored(SEARCH) is None


def test_a_trial_is_planned_by_its_load() -> None:
    plan = trial_plan(LIGHT, CONDITIONS)
    assert (plan.load.n, plan.load.c, plan.load.interval_s) == (900, 4, 0.025)
    assert plan.match is not None
    assert len(plan.match.posts) == LIGHT.events + 1
    assert plan.placement == CONDITIONS.placement
    apart = trial_plan(replace(LIGHT, in_netns=True), CONDITIONS)
    assert apart.placement == Placement(network="netns", server_cpus=(0,))


def test_n_is_searched_with_the_arrivals_of_the_server_and_c_in_one_wave() -> None:
    n = search_plan(SEARCH, 800.0, CONDITIONS)
    assert (n.c, n.interval_s, n.hint, n.repeats) == (6, 0.01, 800.0, 1)
    assert (n.slo, n.placement, n.precision) == (CONDITIONS.slo, CONDITIONS.placement, FULL_EFFORT.n.precision)
    c = search_plan(PlannedSearch(SERVER, "C"), None, replace(CONDITIONS, efforts=QUICK_EFFORT))
    assert (c.n, c.hint, c.budget_s) == (None, None, QUICK_EFFORT.budget_s)
    assert (c.ceiling, c.precision, c.repeats) == (QUICK_EFFORT.c.ceiling, 0.25, 1)


def test_a_small_machine_lowers_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches, "likely_room", lambda _: 1_000)
    assert search_plan(SEARCH, None, CONDITIONS).ceiling == 1_000


def test_the_hint_is_not_what_a_search_is_told_by() -> None:
    target = SERVER.make()
    near, far = (asked_of(search_plan(SEARCH, hint, CONDITIONS), target, 1.0) for hint in (5.0, None))
    assert msgspec.to_builtins(near) == msgspec.to_builtins(far)


def test_a_search_for_n_tries_no_more_than_can_arrive_in_its_time() -> None:
    slow = replace(SERVER, arrivals=Arrivals(1, 0.02), nodes=1)
    assert search_plan(PlannedSearch(slow, "N"), None, CONDITIONS).ceiling == 50 * benches.LONGEST_ARRIVAL_S

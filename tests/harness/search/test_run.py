"""Whole searches, with trials that are a function; the command's tests make real ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from common.tuning.open_files import OpenFiles
from harness.errors import HarnessError
from harness.load.workload import InvalidLoadError, NoRoomError
from harness.records.asked import Placement
from harness.records.search import Dimension, SearchResult
from harness.records.trial import Bound, TrialResult
from harness.search.decide import Bracket, Try
from harness.search.journal import Journal, load_search
from harness.search.run import run_search
from harness.targets.address import AddressTarget
from harness.targets.target import TargetError
from harness.trial.figures.slo import parse_slo
from tests.harness.search.worlds import FAILED, LATE, NO_MOMENT, Notes, World, a_plan, put


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "search.json")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return put(World(), monkeypatch)


def search(world: World, journal: Journal, watcher: Notes | None = None, **changes: Any) -> SearchResult:
    return run_search(a_plan(**changes), world, watcher or Notes(), journal, world.clock)


def test_what_was_found_and_what_broke_and_bound(world: World, journal: Journal) -> None:
    notes = Notes()
    result = search(world, journal, notes)
    assert (result.last_pass, result.first_fail) == (417, 435)
    assert (result.state, result.at_least) == ("done", False)
    assert result.broken == FAILED["verdict"].broken  # type: ignore[attr-defined]
    assert result.bound == FAILED["bound"]
    assert [(trial.level, trial.kind) for trial in result.trials][:2] == [(100, "short"), (200, "short")]
    assert all(trial.served == trial.level for trial in result.trials)
    assert result.trials[0].took_s == pytest.approx(24 * 0.005 + 3 / 5 + 2)
    assert load_search(journal.path) == result
    assert notes.tries[0] == (Try(100, "short"), Bracket(None, None, None, None, is_open=True), 0)
    assert notes.tries[-1] == (Try(435, "short"), Bracket(417, 435, 435, 417, is_open=False), len(result.trials) - 1)
    assert notes.notes == []


def test_every_trial_has_a_target_of_its_own(world: World, journal: Journal) -> None:
    search(world, journal)
    assert len({id(target) for target in world.targets}) == len(world.made)


def test_a_generator_at_its_end(world: World, journal: Journal) -> None:
    world.judge = lambda n: LATE if n > 300 else None
    result = search(world, journal)
    assert result.last_pass is not None
    assert 250 < result.last_pass <= 300
    assert (result.first_fail, result.broken, result.at_least) == (None, (), True)
    assert result.bound == LATE["bound"]


@pytest.mark.parametrize(("dimension", "waves"), [("C", 4), ("burst C", 1)])
def test_a_search_for_c_ends_where_waves_are_no_moments(
    world: World, journal: Journal, dimension: Dimension, waves: int
) -> None:
    world.judge = lambda n: NO_MOMENT if n > 300 else None
    result = search(world, journal, dimension=dimension)
    assert result.last_pass is not None
    assert 250 < result.last_pass * waves <= 300
    assert (result.first_fail, result.broken, result.at_least) == (None, (), True)
    assert result.bound is not None
    assert result.bound.name == "generator"
    assert "it took 150 ms to start" in result.bound.evidence


def test_a_search_for_n_does_not_ask_for_moments(world: World, journal: Journal) -> None:
    world.judge = lambda n: NO_MOMENT if n <= 430 else None
    assert search(world, journal).last_pass == 417


def test_a_ceiling_that_holds(world: World, journal: Journal) -> None:
    result = search(world, journal, ceiling=400.0)
    assert (result.last_pass, result.first_fail, result.at_least, result.bound) == (400, None, True, None)


def test_a_server_that_holds_nothing(world: World, journal: Journal) -> None:
    world.limit = 0
    result = search(world, journal)
    assert (result.last_pass, result.first_fail, result.at_least) == (None, 1, False)
    assert result.bound == FAILED["bound"]


def test_no_trial_is_begun_that_would_not_end_in_time(world: World, journal: Journal) -> None:
    result = search(world, journal, budget_s=20.0)
    assert result.state == "out of budget"
    assert world.now <= 1_020
    # Up to 800 in short, which take 10.8 s, and 565, 3.3 s: one more in short would have taken 3.2 s.
    assert [trial.level for trial in result.trials] == [100, 200, 400, 800, 565, 475]
    assert (result.last_pass, result.first_fail, result.at_least) == (None, 475, False)
    assert load_search(journal.path) == result


def test_a_budget_that_is_too_small_for_anything(world: World, journal: Journal) -> None:
    result = search(world, journal, budget_s=0.1)
    assert (result.state, result.trials, world.made) == ("out of budget", (), [])


def test_it_goes_on_where_its_time_was_up(world: World, journal: Journal) -> None:
    before = search(world, journal, budget_s=20.0)
    notes = Notes()
    after = search(world, journal, notes)
    assert after.trials[: len(before.trials)] == before.trials
    assert len(world.made) == len(after.trials)
    assert (after.last_pass, after.first_fail, after.state) == (417, 435, "done")
    assert after.started_at == before.started_at
    assert notes.notes == [f"{journal.path}: going on after 6 trials (--fresh begins anew)"]


def test_it_goes_on_after_ctrl_c(world: World, journal: Journal) -> None:
    def interrupt(n: int) -> None:
        if n == 800:
            raise KeyboardInterrupt

    world.judge = interrupt
    with pytest.raises(KeyboardInterrupt):
        search(world, journal)
    stored = load_search(journal.path)
    assert stored.state == "interrupted"
    assert [trial.level for trial in stored.trials] == [100, 200, 400]
    world.judge = lambda _: None
    after = search(world, journal)
    assert [trial.level for trial in after.trials[:4]] == [100, 200, 400, 800]
    assert (after.last_pass, after.state) == (417, "done")


def test_what_is_written_after_each_trial_says_that_the_search_is_not_over(world: World, journal: Journal) -> None:
    states = []

    def look(n: int) -> None:
        if journal.path.exists():
            states.append((load_search(journal.path).state, len(load_search(journal.path).trials)))

    world.judge = look
    result = search(world, journal)
    assert states == [("interrupted", number) for number in range(1, len(result.trials))]


def test_a_trial_that_cannot_be_made_keeps_those_before_it(world: World, journal: Journal) -> None:
    def break_down(n: int) -> None:
        if n == 400:
            raise TargetError("stage 2.5 did not start")

    world.judge = break_down
    with pytest.raises(TargetError):
        search(world, journal)
    assert [trial.level for trial in load_search(journal.path).trials] == [100, 200]


def test_the_first_trial_that_cannot_be_made_leaves_what_was_there(world: World, journal: Journal) -> None:
    before = search(world, journal)

    def break_down(n: int) -> None:
        raise TargetError("stage 2.5 did not start")

    world.judge = break_down
    with pytest.raises(TargetError):
        search(world, journal)
    assert load_search(journal.path) == before


@pytest.mark.parametrize(
    "changes", [{"c": 5}, {"slo": parse_slo("p99<2s")}, {"repeats": 5}, {"ceiling": 4_000.0}, {"events": 10}]
)
def test_another_search_begins_anew(world: World, journal: Journal, changes: dict[str, Any]) -> None:
    search(world, journal, budget_s=20.0)
    world.made.clear()
    notes = Notes()
    result = search(world, journal, notes, **changes)
    assert len(world.made) == len(result.trials)
    assert notes.notes == [
        f"{journal.path}: was another search, or on another machine or version: this one begins anew"
    ]


def test_so_does_one_on_another_machine(world: World, journal: Journal) -> None:
    before = search(world, journal, budget_s=20.0)
    journal.save(msgspec.structs.replace(before, machine=msgspec.structs.replace(before.machine, commit="another")))
    world.made.clear()
    assert len(search(world, journal).trials) == len(world.made)


def test_and_one_after_a_search_that_is_done(world: World, journal: Journal) -> None:
    search(world, journal)
    world.made.clear()
    notes = Notes()
    assert len(search(world, journal, notes).trials) == len(world.made) > 0
    assert notes.notes == []


def test_and_one_that_is_to(world: World, journal: Journal) -> None:
    search(world, journal, budget_s=20.0)
    world.made.clear()
    assert len(search(world, Journal(journal.path, fresh=True)).trials) == len(world.made)


def test_the_memory_of_the_moment_is_no_reason_to_begin_anew(
    world: World, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = psutil.virtual_memory()
    for available, expected in ((2**30, 26_843), (2**29, 26_843)):
        monkeypatch.setattr(psutil, "virtual_memory", lambda left=available: memory._replace(available=left))
        result = search(world, journal, ceiling=None, budget_s=20.0 if available == 2**30 else None)
        assert result.asked.ceiling == expected
    assert result.state == "done"
    assert len(world.made) == len(result.trials)


def test_a_soak_posts_for_so_long(world: World, journal: Journal) -> None:
    result = search(world, journal, soak_s=30.0)
    assert result.trials[-1].kind == "soak"
    assert world.made[-1].match is not None
    assert world.made[-1].match.posts[-1].due_s == 30.0
    assert result.last_pass == world.made[-1].load.n


def test_a_rate_is_searched_up_to_what_no_reporter_reaches(world: World, journal: Journal) -> None:
    result = run_search(replace(a_plan("rate", ceiling=None), floor=8_000.0), world, Notes(), journal, world.clock)
    assert (result.last_pass, result.first_fail) == (None, 0.5)  # 500 fans are more than this server holds
    assert result.asked.ceiling == 10_000


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"floor": 6_000.0}, HarnessError, "the floor 6,000 is above the ceiling 5,000: use a lower --floor"),
        ({"floor": 1e9, "ceiling": 2e9}, InvalidLoadError, "too few source addresses"),
        ({"ceiling": 1e9}, InvalidLoadError, "too few source addresses"),
        ({"ceiling": 2e8}, HarnessError, "the ceiling needs 200,000,000 connections, for which the kernel alone takes"),
        ({"floor": 0.4}, InvalidLoadError, "must be 1 or more"),
        ({"interval_s": 0.0}, InvalidLoadError, "interval"),
    ],
)
def test_a_search_that_cannot_be_made(
    world: World, journal: Journal, changes: dict[str, Any], error: type[HarnessError], says: str
) -> None:
    with pytest.raises(error, match=says):
        search(world, journal, **changes)
    assert world.made == []
    assert not journal.path.exists()


def test_a_target_without_events_can_be_searched_for_connections_only(world: World, journal: Journal) -> None:
    def at() -> AddressTarget:
        return AddressTarget("127.0.0.1:9", None)

    world.make_target = at
    for plan in (a_plan("rate"), a_plan(soak_s=1.0)):
        with pytest.raises(HarnessError, match=r"need events, which cannot be posted to 127\.0\.0\.1:9"):
            run_search(plan, world, Notes(), journal, world.clock)
    result = run_search(a_plan(), world, Notes(), journal, world.clock)
    assert result.last_pass == 417
    assert (result.asked.events, result.asked.rate_per_s) == (0, None)
    assert all(trial.match is None for trial in world.made)


def test_too_few_files_for_the_floor(world: World, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenFiles, "read", lambda: OpenFiles(soft=20, hard=20))
    with pytest.raises(NoRoomError, match="leaves no room for a connection"):
        search(world, journal)


def test_where_it_ran_is_passed_on_and_told(world: World, journal: Journal) -> None:
    placement = Placement(server_cpus=(0,))
    result = search(world, journal, placement=placement)
    assert result.asked.placement == placement
    assert all(trial.placement == placement for trial in world.made)


def test_a_trial_without_figures_is_kept_too(world: World, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = world.measure

    def bare(plan: Any, target: Any, watcher: Any) -> TrialResult:
        result = measure(plan, target, watcher)
        response = msgspec.structs.replace(result.seen.response, intended=None, art=None)
        seen = msgspec.structs.replace(result.seen, response=response)
        return msgspec.structs.replace(result, seen=seen, bound=Bound(name="SLO", evidence="…"))

    monkeypatch.setattr(world, "measure", bare)
    trial = search(world, journal).trials[0]
    assert (trial.art_mean_s, trial.response_p99_s, trial.fanout_p99_s) == (None, None, None)

"""Whole trials against a fake of known faults: what is reported must be what was done."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.domain.script import SAMPLE, load_script
from harness.load.match import MatchPlan, script_match, synthetic_match
from harness.load.reporter import Posted
from harness.load.samples import Progress
from harness.load.workload import Load
from harness.records.trial import TrialResult, encode_result
from harness.show.progress import Silent
from harness.targets.address import AddressTarget
from harness.targets.publisher import AnnounceError
from harness.targets.stage import StageTarget
from harness.targets.target import Target, TargetError
from harness.targets.variant import Variant
from harness.trial.figures.slo import DEFAULT_SLO, parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.run import TrialInterrupted, run_trial
from tests.harness.fake import FAKE, fake_server
from tests.harness.results import load_result
from tests.leftovers import StartedProcesses

EVENTS = 4
POSTS = EVENTS + 1  # with the stop


@pytest.fixture(autouse=True)
def _nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a machine that is busy with other tests make no trial invalid: when one is, is tested elsewhere."""
    for allowed in ("LONGEST_LAG_S", "SHORTEST_LAG_S", "LONGEST_STANDSTILL_S"):
        monkeypatch.setattr(f"harness.trial.figures.validity.{allowed}", 60.0)


def plan(n: int = 12, *, match: MatchPlan | None = None, timeout_s: float = 20.0) -> TrialPlan:
    played = synthetic_match("t1", EVENTS, 50.0) if match is None else match
    return TrialPlan(Load(n, 4, 0.02), parse_slo(DEFAULT_SLO), played, timeout_s)


def trial_of(faults: str, *, nodes: int | None = None, **changes: float) -> TrialResult:
    return run_trial(plan(**changes), StageTarget(Variant(faults, nodes=nodes), FAKE), Silent())  # type: ignore[arg-type]


@dataclass
class Notes:
    """A watcher that remembers."""

    phases: list[tuple[str, int]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    posts: list[Posted] = field(default_factory=list)

    def phase(self, name: str, total: int) -> None:
        self.phases.append((name, total))

    def fans(self, progress: Progress) -> None:
        self.progress.append(progress)

    def posted(self, post: Posted) -> None:
        self.posts.append(post)


def test_a_good_server_passes_and_everyone_is_told() -> None:
    notes = Notes()
    result = run_trial(plan(), StageTarget(Variant("0"), FAKE), notes)
    seen, delivery = result.seen, result.seen.delivery
    assert (seen.fans.asked, seen.fans.answered, seen.fans.served, seen.fans.failures) == (12, 12, 12, {})
    assert delivery is not None
    assert (delivery.posted, delivery.unposted) == (POSTS, 0)
    assert (delivery.expected, delivery.received, delivery.lost) == (12 * POSTS, 12 * POSTS, 0)
    assert (delivery.duplicated, delivery.reordered) == (0, 0)
    assert result.verdict.met
    assert result.asked.target.name == "stage 0"
    assert result.asked.events is not None
    assert result.asked.events.count == POSTS
    assert notes.phases == [("starting", 0), ("connecting", 12), ("posting", POSTS), ("closing", 0)]
    assert notes.progress[-1].settled == 12
    assert [post.sequence for post in notes.posts] == list(range(1, POSTS + 1))
    assert result.server is not None
    assert result.server.fullest_open_files >= 12
    assert result.server.rss_before_bytes > 0
    assert result.server.memory is not None
    assert result.server.memory.connections == 12
    assert result.server.memory.server_bytes > 0
    assert seen.timeline.connected[-1] == 0


def test_known_delays_are_reported() -> None:
    notes = Notes()
    result = run_trial(plan(), StageTarget(Variant("answer_after=0.3,event_after=0.2,accept_after=0.1"), FAKE), notes)
    intended, art, delivery = result.seen.response.intended, result.seen.response.art, result.seen.delivery
    assert intended is not None
    assert art is not None
    assert delivery is not None
    assert delivery.fanout is not None
    assert delivery.post_answer is not None
    assert intended.p50_s >= 0.3
    assert art.p50_s >= 0.3
    assert delivery.fanout.mean_s >= 0.3
    assert delivery.last_max_s == delivery.fanout.max_s
    assert delivery.post_answer.mean_s >= 0.1
    # Posts are due every 20 ms and take 100 ms: the last one waits for those before it, which is the server's doing.
    assert delivery.post_lag_max_s >= 4 * 0.08
    last = notes.posts[-1]
    assert last.lag_s - last.own_lag_s >= 4 * 0.08


def test_known_losses_duplicates_and_reorderings_are_counted() -> None:
    result = trial_of("lose=1,duplicate=2,swap=3")
    delivery = result.seen.delivery
    assert delivery is not None
    assert (delivery.lost, delivery.duplicated, delivery.reordered) == (6, 12, 12)
    assert not result.verdict.met
    assert result.verdict.broken == ("lost=0 (6)", "duplicated=0 (12)", "reordered=0 (12)")


def test_fans_that_are_not_answered_or_not_held_are_failures() -> None:
    result = trial_of("deaf=3,early=5", timeout_s=6.0)  # which the deaf take, and the others do not need
    assert result.seen.fans.failures == {"no_answer": 3, "closed_early": 2}
    assert result.seen.fans.served == 7
    delivery = result.seen.delivery
    assert delivery is not None
    assert (delivery.expected, delivery.lost) == (9 * POSTS, 2 * POSTS)
    assert not result.passed


def test_a_post_that_is_refused_is_told_and_the_others_count() -> None:
    result = trial_of("refuse=2")
    delivery = result.seen.delivery
    assert delivery is not None
    assert (delivery.unposted, delivery.expected, delivery.lost) == (1, 12 * (POSTS - 1), 0)
    assert delivery.events[1].error == "no store (HTTP 503)"
    assert result.verdict.broken == ("unposted=0 (1)",)


def test_a_server_that_dies_in_the_middle() -> None:
    result = trial_of("die=2")
    assert result.bound.name == "server ended"
    assert result.bound.evidence == "the server ended with status 3: fake: dying as told"
    assert not result.passed
    delivery = result.seen.delivery
    assert delivery is not None
    assert delivery.unposted == POSTS - 1


def test_a_node_that_dies_in_the_middle() -> None:
    result = trial_of("node_dies=2", nodes=2)
    assert result.server is not None
    (gone,) = result.server.ended_processes
    assert result.server.ended is None
    assert result.server.processes == 3
    assert result.bound.name == "process ended"
    assert f"(process {gone.pid}) of the server ended" in result.bound.evidence
    assert result.seen.fans.failures == {"closed_early": 6}
    assert not result.verdict.met


def test_nodes_that_live_on_are_added_up() -> None:
    result = trial_of("0", nodes=2)
    assert result.verdict.met
    assert result.server is not None
    assert (result.server.processes, result.server.ended_processes) == (3, ())
    target = result.asked.target
    assert (target.name, target.stage, target.nodes) == ("stage 0, 2 nodes", "0", 2)
    assert (target.with_lessons, target.without_lessons, target.topology) == ((), (), None)


def test_a_server_that_is_slow_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.trial.measure.QUIET_S", 2.0)
    match = synthetic_match("t1", 20, 50.0)
    result = run_trial(plan(match=match), StageTarget(Variant("event_gap=0.12"), FAKE), Silent())
    delivery = result.seen.delivery  # an event is never so late after the one before, and the last is behind for longer
    assert delivery is not None
    assert (delivery.expected, delivery.lost) == (12 * 21, 0)
    assert delivery.last_max_s is not None
    assert delivery.last_max_s >= 2.0


def test_a_script_can_be_played() -> None:
    match = script_match(load_script(SAMPLE), "sample", 60_000.0)
    result = run_trial(plan(4, match=match), StageTarget(Variant("0"), FAKE), Silent())
    delivery = result.seen.delivery
    assert delivery is not None
    assert delivery.posted == len(match.posts)
    assert delivery.lost == 0
    assert delivery.events[-1].kind == "stop"
    assert delivery.events[0].kind == "goal"


def test_a_running_server_without_an_api_is_measured_without_events() -> None:
    with fake_server("0") as server:
        target: Target = AddressTarget(f"127.0.0.1:{server.fans}", None)
        bare = TrialPlan(Load(8, 4, 0.02), parse_slo(DEFAULT_SLO), None)
        result = run_trial(bare, target, Silent())
    assert result.seen.delivery is None
    assert result.asked.events is None
    assert result.seen.fans.served == 8
    assert result.server is not None
    assert result.verdict.met


def test_the_match_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_server("0") as server:
        monkeypatch.setenv("MATCHSTREAM_TOKEN", server.token)
        target = AddressTarget(f"127.0.0.1:{server.fans}", f"http://127.0.0.1:{server.http}")
        run_trial(plan(), target, Silent())
        assert server.matches() == 0


def test_a_match_that_is_there_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    match = script_match(load_script(SAMPLE), "sample", 60_000.0)
    with fake_server("taken=1") as server:
        monkeypatch.setenv("MATCHSTREAM_TOKEN", server.token)
        target = AddressTarget(f"127.0.0.1:{server.fans}", f"http://127.0.0.1:{server.http}")
        with pytest.raises(AnnounceError, match=r"^the match elp-tig-2011-09-10 is there already: wait until"):
            run_trial(plan(match=match), target, Silent())
        assert server.matches() == 1


@pytest.mark.parametrize(
    ("faults", "says"), [("kickoff=422", "cannot be started: no kick-off"), ("announce=422", "cannot be announced: no")]
)
def test_a_match_that_cannot_be_played(faults: str, says: str) -> None:
    with pytest.raises(AnnounceError, match=says):
        trial_of(faults)


def test_an_api_that_ends_before_the_match_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying(StageTarget):
        def start(self) -> None:
            super().start()
            os.kill(self.pids[0], signal.SIGKILL)

    with pytest.raises(AnnounceError, match="no answer from"):
        run_trial(plan(), Dying(Variant("0"), FAKE), Silent())


def test_a_target_that_does_not_start_leaves_nothing() -> None:
    with pytest.raises(TargetError):
        trial_of("mute=2")


class Interrupting(Notes):
    """Interrupts when a phase begins, or when the post of a mark was answered."""

    def __init__(self, at: str | int) -> None:
        super().__init__()
        self._at = at

    def phase(self, name: str, total: int) -> None:
        super().phase(name, total)
        if name == self._at:
            raise KeyboardInterrupt

    def posted(self, post: Posted) -> None:
        super().posted(post)
        if post.sequence == self._at:
            raise KeyboardInterrupt


def interrupted(processes: StartedProcesses, at: str | int) -> TrialResult:
    with pytest.raises(TrialInterrupted) as interruption:
        run_trial(plan(), StageTarget(Variant("0"), FAKE), Interrupting(at))
    assert processes.running() == []
    return interruption.value.result


def test_an_interrupted_trial_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_server("0") as server:
        monkeypatch.setenv("MATCHSTREAM_TOKEN", server.token)
        target = AddressTarget(f"127.0.0.1:{server.fans}", f"http://127.0.0.1:{server.http}")
        with pytest.raises(KeyboardInterrupt):
            run_trial(plan(), target, Interrupting(1))
        assert server.matches() == 0


def test_a_trial_that_is_interrupted_while_events_are_posted_tells_what_it_saw(
    tmp_path: Path, processes: StartedProcesses
) -> None:
    result = interrupted(processes, 2)
    assert result.interrupted
    assert not result.validity.valid
    assert result.validity.reasons[0].startswith("it was interrupted after ")
    assert result.bound.name == "interruption"
    assert result.seen.fans.answered == 12
    delivery = result.seen.delivery
    assert delivery is not None
    assert (delivery.posted, delivery.unposted) == (2, 0)
    assert [event.sequence for event in delivery.events] == [1, 2]
    assert result.server is not None
    assert result.server.fullest_open_files >= 12
    stored = tmp_path / "result.json"
    stored.write_bytes(encode_result(result))
    assert load_result(stored) == result


def test_a_trial_that_is_interrupted_while_fans_connect_has_no_events(processes: StartedProcesses) -> None:
    result = interrupted(processes, "connecting")
    assert result.interrupted
    assert result.seen.delivery is None
    assert result.seen.fans.failures.get("pending", 0) + result.seen.fans.answered == 12
    assert result.seen.events_phase_s == 0
    assert re.match(r"it was interrupted after \d+\.\d s", result.validity.reasons[0])  # never before the first fan


def test_a_trial_that_is_interrupted_before_or_after_its_events(processes: StartedProcesses) -> None:
    assert interrupted(processes, "posting").seen.delivery is None
    delivery = interrupted(processes, "closing").seen.delivery
    assert delivery is not None
    assert delivery.posted == POSTS


def interrupting(call: Callable[..., Any], when: Callable[[str], bool] = lambda _: True) -> Callable[..., Any]:
    """Return a function that does the same and has this process interrupted right after it, where it is done `when`."""

    def done(*given: Any, **named: Any) -> Any:
        answer = call(*given, **named)
        if when(str(given)):
            signal.raise_signal(signal.SIGINT)
        return answer

    return done


def test_an_interruption_right_after_a_generator_was_started_leaves_none(
    monkeypatch: pytest.MonkeyPatch, processes: StartedProcesses
) -> None:
    popen = interrupting(subprocess.Popen, lambda given: "harness.load.fork_server" in given)
    monkeypatch.setattr("subprocess.Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        trial_of("0")
    assert processes.running() == []


def test_an_interruption_while_threads_start_leaves_none(
    monkeypatch: pytest.MonkeyPatch, processes: StartedProcesses
) -> None:
    before = threading.enumerate()
    monkeypatch.setattr("threading.Thread.start", interrupting(threading.Thread.start))
    with pytest.raises(KeyboardInterrupt):
        trial_of("0")
    assert threading.enumerate() == before
    assert processes.running() == []


def test_an_interruption_while_all_is_undone_keeps_what_was_seen(
    monkeypatch: pytest.MonkeyPatch, processes: StartedProcesses
) -> None:
    monkeypatch.setattr(StageTarget, "stop", interrupting(StageTarget.stop))
    with pytest.raises(TrialInterrupted) as interruption:
        trial_of("0")
    delivery = interruption.value.result.seen.delivery
    assert delivery is not None
    assert (delivery.posted, delivery.received) == (POSTS, 12 * POSTS)
    assert processes.running() == []


def test_before_a_fan_was_started_there_is_nothing_to_tell() -> None:
    with pytest.raises(KeyboardInterrupt) as interruption:
        run_trial(plan(), StageTarget(Variant("0"), FAKE), Interrupting("starting"))
    assert not isinstance(interruption.value, TrialInterrupted)


def test_a_generator_that_does_not_report_in_time_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, processes: StartedProcesses
) -> None:
    monkeypatch.setattr("harness.trial.measure.LAST_REPORT_S", 0.1)

    class Stopping(Interrupting):
        """Stops the generator's processes first: they cannot say anything any more."""

        def phase(self, name: str, total: int) -> None:
            if name == self._at:
                for child in processes.running():
                    if "harness.load.fork_server" in child.cmdline() and child.ppid() != os.getpid():
                        child.suspend()  # and not who has started them and is to end them
            super().phase(name, total)

    with pytest.raises(KeyboardInterrupt) as interruption:
        run_trial(plan(), StageTarget(Variant("0"), FAKE), Stopping("posting"))
    assert not isinstance(interruption.value, TrialInterrupted)
    assert processes.running() == []

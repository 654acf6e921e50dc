"""Whole trials that record how late the server's loop is: of stages, one with a known stall, and of servers that cannot
tell.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pytest

from harness.load.match import synthetic_match
from harness.load.reporter import Posted
from harness.load.workload import Load
from harness.records.trial import TrialResult
from harness.records.usage import LoopLag
from harness.show.progress import Silent
from harness.targets.address import AddressTarget
from harness.targets.stage import StageTarget
from harness.targets.target import Target
from harness.targets.variant import Variant
from harness.trial.figures.slo import DEFAULT_SLO, parse_slo
from harness.trial.measure import Watcher
from harness.trial.plan import TrialPlan
from harness.trial.run import TrialInterrupted, run_trial
from tests.harness.fake import FAKE, fake_server
from tests.leftovers import StartedProcesses

STALL_S = 0.5
PORT = "--http-port"
"""Each node has it in its command; Redis, which is a child of the server, too, has not."""


def trial_of(target: Target, watcher: Watcher, *, n: int = 20, watches_loop: bool = True) -> TrialResult:
    plan = TrialPlan(
        Load(n, min(n, 50), 0.02),
        parse_slo(DEFAULT_SLO),
        synthetic_match("t1", 6, 5.0) if target.publishes else None,
        watches_loop=watches_loop,
    )
    return run_trial(plan, target, watcher)


def over_s(result: TrialResult) -> float:
    return result.seen.connect_phase_s + result.seen.events_phase_s


def check(lag: LoopLag | None, result: TrialResult) -> LoopLag:
    assert lag is not None
    assert list(lag.at_s) == sorted(set(lag.at_s))
    assert lag.at_s[0] >= 0
    assert min(lag.late_s) >= 0
    assert max(at - late for at, late in zip(lag.at_s, lag.late_s, strict=True)) <= over_s(result) + 0.001
    # No tenth of a second is missing but where the loop was late: a sample's timer was set when the one before came.
    told_s = sum(late + 0.1 for late in lag.late_s)
    assert told_s > 0.8 * over_s(result)
    return lag


def first_process(target: StageTarget) -> int:
    return target.pids[0]


def last_node(target: StageTarget) -> int:
    """Return the process of the node that is not the one to which the harness posts."""
    commands = {child.pid: child.cmdline() for child in psutil.Process(first_process(target)).children()}
    ports = {int(words[words.index(PORT) + 1]): pid for pid, words in commands.items() if PORT in words}
    return ports[max(ports)]


@dataclass
class Stalling(Silent):
    """Holds a process of a server up for `STALL_S` once an event was accepted."""

    target: StageTarget
    whom: Callable[[StageTarget], int]

    def posted(self, post: Posted) -> None:
        if post.sequence == 2:
            pid = self.whom(self.target)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(STALL_S)  # the fault itself: nothing is waited for
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("variant", "whom"),
    [pytest.param(Variant("2.5"), first_process, marks=pytest.mark.slow), (Variant("3", nodes=2), last_node)],
    ids=["2.5", "3"],
)
def test_a_stage_tells_how_late_its_loops_were_and_a_stall_is_seen(
    variant: Variant, whom: Callable[[StageTarget], int]
) -> None:
    target = StageTarget(variant)
    result = trial_of(target, Stalling(target, whom), n=200)
    assert result.seen.fans.served == 200
    lag = check(result.loop_lag, result)
    assert result.seen.delivery is not None
    second, third = result.seen.delivery.events[1:3]
    assert any(
        late_s >= STALL_S - 0.11  # the next timer was due within a tenth of a second
        and second.sent_s < at_s
        and at_s - late_s < third.sent_s  # it was due in the stall, and sent after it
        for late_s, at_s in zip(lag.late_s, lag.at_s, strict=True)
    )


@pytest.mark.slow
def test_who_does_not_ask_is_not_told() -> None:
    result = trial_of(StageTarget(Variant("2.5")), Silent(), watches_loop=False)
    assert result.verdict.met
    assert result.loop_lag is None


def test_a_server_whose_api_has_no_statistics_is_measured_without() -> None:
    result = trial_of(StageTarget(Variant("0"), FAKE), Silent())
    assert result.verdict.met
    assert result.loop_lag is None


def test_a_server_without_an_api_is_not_asked() -> None:
    with fake_server("0") as server:
        result = trial_of(AddressTarget(f"127.0.0.1:{server.fans}", None), Silent())
    assert result.seen.fans.served == 20
    assert result.loop_lag is None


@dataclass
class Interrupting(Silent):
    """Interrupts when an event was accepted."""

    def posted(self, post: Posted) -> None:
        if post.sequence == 4:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_trial_tells_what_it_was_told_until_then(processes: StartedProcesses) -> None:
    with pytest.raises(TrialInterrupted) as interruption:
        trial_of(StageTarget(Variant("2.5")), Interrupting())
    check(interruption.value.result.loop_lag, interruption.value.result)
    assert [thread.name for thread in threading.enumerate() if thread.name == "loop-watch"] == []
    assert processes.running() == []

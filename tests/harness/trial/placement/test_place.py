"""Whole trials in a place of their own: the server is there, the fans come from there, and nothing stays."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from common.store.process import find_redis_server
from harness.campaign.journal import Journal
from harness.load.match import synthetic_match
from harness.load.reporter import Posted
from harness.load.workload import Load
from harness.records.asked import Disturbances, Placement
from harness.records.directory import ResultsDirectory
from harness.records.machine import describe_machine
from harness.records.trial import TrialResult, encode_result
from harness.show.progress import Silent
from harness.targets.address import AddressTarget
from harness.targets.peers.catalogue import peer_target
from harness.targets.stage import StageTarget
from harness.targets.target import Target, TargetError
from harness.targets.variant import Variant
from harness.trial.figures.slo import parse_slo
from harness.trial.placement.errors import PlacementError
from harness.trial.placement.namespaces import SERVER_ADDRESS
from harness.trial.placement.pinning import allowed_cpus
from harness.trial.plan import TrialPlan, asked
from harness.trial.run import run_trial
from tests.harness.fake import FAKE, fake_server
from tests.harness.results import load_result
from tests.harness.trial.placement.root import needs_namespaces
from tests.leftovers import StartedProcesses

FIRST, LAST = min(allowed_cpus()), max(allowed_cpus())
NETNS = Placement(network="netns")


def network_of(task: str = "thread-self") -> str:
    return str(Path(f"/proc/{task}/ns/net").readlink())


class Looking(Silent):
    """Notes, when an event was posted, where the processes that it started are: network, CPUs, by command line."""

    def __init__(self, processes: StartedProcesses) -> None:
        self._processes = processes
        self.seen: dict[str, tuple[str, frozenset[int]]] = {}

    def posted(self, post: Posted) -> None:
        for process in self._processes.running():
            network = network_of(str(process.pid))
            self.seen[" ".join(process.cmdline())] = (network, frozenset(process.cpu_affinity()))

    def of(self, words: str) -> tuple[str, frozenset[int]]:
        return next(where for line, where in self.seen.items() if words in line)


def plan_of(placement: Placement) -> TrialPlan:
    return TrialPlan(Load(12, 4, 0.02), parse_slo("failures=0,lost=0"), synthetic_match("t1", 2, 50.0), 20.0, placement)


def trial(target: Target, placement: Placement, watcher: Silent) -> TrialResult:
    return run_trial(plan_of(placement), target, watcher)


def fake(*without: str) -> StageTarget:
    return StageTarget(Variant("0", without_lessons=without), FAKE)


@needs_namespaces
def test_server_and_generator_are_in_networks_of_their_own(processes: StartedProcesses) -> None:
    looking, here = Looking(processes), network_of()
    result = trial(fake(), NETNS, looking)
    assert result.verdict.met
    assert result.seen.delivery is not None
    assert result.seen.delivery.lost == 0
    assert result.asked.target.fans[0].startswith(f"{SERVER_ADDRESS}:")
    server, generator = looking.of("fake_match_stream")[0], looking.of("load.fork_server")[0]
    assert len({server, generator, here}) == 3
    assert network_of() == here
    assert processes.running() == []


@needs_namespaces
def test_a_stage_with_the_lesson_has_the_profile_and_the_machine_has_not(tmp_path: Path) -> None:
    somaxconn = Path("/proc/sys/net/core/somaxconn")
    before = somaxconn.read_text()
    result = trial(fake(), NETNS, Silent())
    assert result.asked.placement.sysctls["net.core.somaxconn"] == "65535"
    assert somaxconn.read_text() == before
    stored = tmp_path / "result.json"
    stored.write_bytes(encode_result(result))
    assert load_result(stored).asked.placement == result.asked.placement


@needs_namespaces
def test_without_the_lesson_it_has_the_kernels_defaults() -> None:
    assert trial(fake("sysctl"), NETNS, Silent()).asked.placement.sysctls == {}


@needs_namespaces
def test_small_buffers_are_what_a_stage_with_the_lesson_makes_larger() -> None:
    small = replace(plan_of(NETNS), disturbances=Disturbances(small_buffers=True))
    result = run_trial(small, fake(), Silent())
    assert result.verdict.met
    assert result.asked.placement.sysctls["net.ipv4.tcp_wmem"] == "4096 16384 65536"


@pytest.mark.parametrize("what", ["buffers", "queues"])
def test_small_buffers_and_queues_need_a_namespace_of_their_own(what: str) -> None:
    small = replace(plan_of(Placement()), disturbances=Disturbances(**{f"small_{what}": True}))
    with pytest.raises(PlacementError, match=f"--small-{what} are those of a network namespace: give --netns as well"):
        run_trial(small, fake(), Silent())


@pytest.mark.parametrize(
    ("variant", "tuned"),
    [
        (Variant("0"), False),
        (Variant("0", with_lessons=("sysctl",)), True),
        (Variant("1"), True),
        (Variant("2.5", without_lessons=("sysctl",)), False),
        (Variant("2.5", without_lessons=("repeaters",)), True),
    ],
)
def test_which_stages_have_the_lesson_is_asked_of_them(variant: Variant, tuned: bool) -> None:
    assert StageTarget(variant).tunes_kernel is tuned


def test_a_stage_that_does_not_exist_has_no_lessons() -> None:
    with pytest.raises(
        TargetError, match=r"^stage 17: its lessons cannot be listed: there is no stage '17'; there is: 0"
    ):
        _ = StageTarget(Variant("17")).tunes_kernel


@needs_namespaces
@pytest.mark.parametrize("stage", [pytest.param("0", marks=pytest.mark.slow), "2.5"])
def test_a_real_stage(stage: str, processes: StartedProcesses) -> None:
    looking = Looking(processes)
    result = trial(StageTarget(Variant(stage)), NETNS, looking)
    assert result.verdict.met
    assert ("net.core.somaxconn" in result.asked.placement.sysctls) is (stage == "2.5")
    assert looking.of(find_redis_server().name)[0] == looking.of("-m stages ")[0]


@needs_namespaces
def test_a_peer_has_the_tuned_kernel_that_it_would_be_given() -> None:
    result = trial(peer_target("redis"), NETNS, Silent())
    assert result.verdict.met
    assert result.asked.placement.sysctls["net.core.somaxconn"] == "65535"


def test_parts_are_kept_on_their_cpus(processes: StartedProcesses) -> None:
    looking, before = Looking(processes), os.sched_getaffinity(0)
    placement = Placement(server_cpus=(FIRST,), generator_cpus=(LAST,), redis_cpus=(LAST,))
    result = trial(StageTarget(Variant("0")), placement, looking)
    assert result.asked.placement == placement
    assert looking.of("-m stages ")[1] == {FIRST}
    assert looking.of("load.fork_server")[1] == {LAST}
    assert looking.of(find_redis_server().name)[1] == {LAST}
    assert os.sched_getaffinity(0) == before


def test_a_server_without_redis_cannot_have_it_pinned_and_is_ended(processes: StartedProcesses) -> None:
    with pytest.raises(PlacementError, match="no Redis of its own"):
        trial(fake(), Placement(redis_cpus=(FIRST,)), Silent())
    assert processes.running() == []


@pytest.mark.parametrize(
    ("placement", "says"),
    [
        (NETNS, "--netns is for servers that the harness starts"),
        (Placement(server_cpus=(FIRST,)), "--pin server and redis are for servers that the harness starts"),
        (Placement(redis_cpus=(FIRST,)), "--pin server and redis are for servers that the harness starts"),
    ],
)
def test_a_server_that_runs_already_is_where_it_is(placement: Placement, says: str) -> None:
    with pytest.raises(PlacementError, match=says):
        trial(AddressTarget("127.0.0.1:1", None), placement, Silent())


def test_the_generator_of_a_server_that_runs_already_can_be_pinned(
    monkeypatch: pytest.MonkeyPatch, processes: StartedProcesses
) -> None:
    looking = Looking(processes)
    with fake_server("0") as server:
        monkeypatch.setenv("MATCHSTREAM_TOKEN", server.token)
        target = AddressTarget(f"127.0.0.1:{server.fans}", f"http://127.0.0.1:{server.http}")
        trial(target, Placement(generator_cpus=(LAST,)), looking)
    assert looking.of("load.fork_server")[1] == {LAST}
    assert looking.of("fake_match_stream")[1] == allowed_cpus()


@needs_namespaces
def test_a_campaign_knows_the_trial_again_that_it_asked_for(tmp_path: Path) -> None:
    journal, target = Journal(ResultsDirectory(tmp_path, describe_machine())), fake()
    plan = plan_of(NETNS)
    journal.keep("one.json", run_trial(plan, target, Silent()))
    assert journal.trial("one.json", asked(plan, target)) is not None
    assert journal.trial("one.json", asked(plan_of(Placement()), target)) is None

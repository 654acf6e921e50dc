"""Fans who connect again: they are back, and what they missed is told apart from what was lost."""

import json
import os
import signal
import threading
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.load.match import synthetic_match
from harness.load.reporter import Posted
from harness.load.workload import Load
from harness.records.asked import Disturbances, Door
from harness.records.seen import Reconnects
from harness.records.trial import TrialResult
from harness.show.progress import Silent
from harness.targets.custom import CustomTarget
from harness.targets.description import Description, Publish, check
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError
from harness.targets.variant import Variant
from harness.trial.figures.slo import DEFAULT_SLO, parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.receipts import write_receipts
from harness.trial.run import run_trial
from tests.deploy.certificates import Certificate, needs_openssl
from tests.harness.fake import FAKE
from tests.harness.known_servers import PATIENCE_S, STATUS, WELCOME, KnownServer, KnownTarget, Peer
from tests.harness.targets.dropping_server import Drop, DroppingServer

if TYPE_CHECKING:
    from harness.load.samples import Samples

N = 20
EVENTS = 6
POSTS = EVENTS + 1
AFTER, UNTIL = 2, 4
LINES, HELLO = "tcp://127.0.0.1:{port}", r"SUB\n"
SOON = Disturbances(reconnect_base_s=0.02, reconnect_cap_s=0.1)


def target_of(server: DroppingServer, address: str, **how: object) -> CustomTarget:
    publish = Publish(f"http://127.0.0.1:{server.http}/", "news #{mark}")
    description = Description(address.format(port=server.port), publish=publish, closes_fans=True, **how)
    return CustomTarget("dropping", check(description, "dropping"))


def plan(asked: Disturbances, slo: str = DEFAULT_SLO) -> TrialPlan:
    return TrialPlan(Load(N, 10, 0.02), parse_slo(slo), synthetic_match("r1", EVENTS, 20.0), disturbances=asked)


def trial(target: CustomTarget, asked: Disturbances = SOON, slo: str = DEFAULT_SLO) -> TrialResult:
    return run_trial(plan(asked, slo), target, Silent())


def reconnects_of(result: TrialResult) -> Reconnects:
    assert result.seen.reconnects is not None
    return result.seen.reconnects


def assert_all_are_back(result: TrialResult) -> None:
    fans, delivery, seen = result.seen.fans, result.seen.delivery, reconnects_of(result)
    assert result.verdict.met, result.verdict.broken
    assert (fans.answered, fans.served) == (N, N)
    assert (seen.lost, seen.served, seen.not_back) == (N, N, 0)
    assert seen.back is not None
    assert (seen.back.count, seen.back.missing) == (N, 0)
    assert seen.tried == N + sum(seen.failures.values())
    assert delivery is not None
    assert (delivery.lost, delivery.duplicated) == (0, 0)
    assert delivery.received + seen.missed + seen.recovered == N * POSTS
    assert seen.missed + seen.recovered >= N * (UNTIL - AFTER)


@pytest.mark.parametrize("how", Drop)
@pytest.mark.parametrize(
    ("address", "hello"),
    [(LINES, HELLO), ("http://127.0.0.1:{port}/", None), ("ws://127.0.0.1:{port}/", None)],
    ids=["lines", "stream", "WebSocket"],
)
def test_who_is_dropped_is_back_whatever_it_speaks(how: Drop, address: str, hello: str | None) -> None:
    with DroppingServer(how, after=AFTER, until=UNTIL, last=POSTS) as server:
        result = trial(target_of(server, address, hello=hello))
    assert_all_are_back(result)
    seen = reconnects_of(result)
    assert result.seen.delivery is not None
    told = result.seen.delivery.received + seen.recovered
    assert told <= server.told if how is Drop.ABORT else told == server.told
    if how is not Drop.DOWN:
        assert sum(seen.failures.values()) == server.turned_away


@needs_openssl
def test_who_speaks_tls_shakes_hands_again(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with DroppingServer(Drop.CLOSE, after=AFTER, until=UNTIL, last=POSTS, tls=certificate.server) as server:
        result = trial(target_of(server, "tls://127.0.0.1:{port}", hello=r"SUB\n", ca=str(certificate.chain)))
    assert_all_are_back(result)


@pytest.mark.parametrize("keeps_receipts", [False, True])
def test_what_is_told_afterwards_is_not_missed_and_what_is_told_again_is_no_duplicate(
    keeps_receipts: bool, tmp_path: Path
) -> None:
    kept: list[Samples] = []
    with DroppingServer(Drop.CLOSE, after=AFTER, until=UNTIL, last=POSTS, replays=True) as server:
        asked = replace(plan(SOON), keeps_receipts=keeps_receipts)
        result = run_trial(asked, target_of(server, LINES, hello=HELLO), Silent(), kept.append)
    assert_all_are_back(result)
    assert reconnects_of(result).missed == 0
    if keeps_receipts:
        write_receipts(tmp_path / "raw.npz", kept[0])
        with np.load(tmp_path / "raw.npz") as raw:
            assert raw["receipt_number"].size == server.told
            assert raw["receipt_number"].min() == 1
            assert sorted(raw["lost_fan"].tolist()) == list(range(N))
            assert np.all(raw["lost_s"] < raw["lost_back_s"])


def test_who_is_not_had_again_is_not_served() -> None:
    with DroppingServer(Drop.CLOSE, after=AFTER, until=POSTS, last=POSTS) as server:
        asked = plan(SOON, f"{DEFAULT_SLO},back_p50<999s,missed=0")
        result = run_trial(replace(asked, answer_timeout_s=1.0), target_of(server, LINES, hello=HELLO), Silent())
    seen, delivery = reconnects_of(result), result.seen.delivery
    assert result.seen.fans.failures == {"closed_early": N}
    assert (seen.lost, seen.served, seen.not_back, seen.back) == (N, 0, N, None)
    assert delivery is not None
    assert (delivery.lost, seen.missed) == (0, N * (POSTS - AFTER))
    assert result.verdict.broken == (
        f"failures=0 ({N})",
        "back_p50<999s (∞: not all came)",
        f"missed=0 ({seen.missed})",
    )


class DropsEachOnce:
    """Drops each user when it was served, and holds, or turns away, those who come again."""

    def __init__(self, *, holds: bool) -> None:
        self._holds = holds
        self._came: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        peer.say(WELCOME)
        user = peer.hear_hello()
        with self._lock:
            self._came[user] += 1
            is_back = self._came[user] > 1
        if self._holds or not is_back:
            peer.say(STATUS)
        if self._holds and is_back:
            peer.wait_until_gone()


@pytest.mark.parametrize("holds", [True, False])
def test_fans_connect_again_where_nobody_posts(holds: bool) -> None:
    with KnownServer(DropsEachOnce(holds=holds)) as server:
        asked = replace(plan(SOON), match=None, answer_timeout_s=1.0 if not holds else PATIENCE_S)
        result = run_trial(asked, KnownTarget(server.endpoint), Silent())
    fans, seen = result.seen.fans, reconnects_of(result)
    assert (fans.served, fans.failures) == ((N, {}) if holds else (0, {"closed_early": N}))
    assert (seen.lost, seen.ended, seen.not_back) == (N, {"ended": N}, 0 if holds else N)
    assert seen.back is None or seen.back.count == N


class KillsAWorker(Silent):
    """Kills that of a stage's workers which has most fans when an event was posted."""

    def __init__(self, target: StageTarget) -> None:
        self._target = target

    def posted(self, post: Posted) -> None:
        if post.sequence == AFTER:
            assert self._target.publisher is not None
            with urllib.request.urlopen(f"{self._target.publisher.url}/1/statistics") as answer:  # noqa: S310 -- of a server that this test started
                workers = json.load(answer)["workers"]
            os.kill(max(workers, key=lambda worker: worker["connections"])["pid"], signal.SIGKILL)


@pytest.mark.parametrize("door", [None, "event-source"])
def test_the_fans_of_a_worker_that_is_killed_are_back(door: Door | None) -> None:
    target = StageTarget(Variant("4", workers=2, door=door))
    result = run_trial(plan(SOON), target, KillsAWorker(target))
    fans, delivery, seen = result.seen.fans, result.seen.delivery, reconnects_of(result)
    assert result.verdict.met, result.verdict.broken
    assert fans.served == N
    assert seen.lost > 0
    assert seen.served >= seen.lost
    assert seen.not_back == 0
    assert delivery is not None
    assert delivery.lost == 0
    assert delivery.received + seen.missed + seen.recovered == N * POSTS
    assert result.bound.name in {"process ended", "generator"}
    assert seen.missed == 0  # they say which event they had last


def test_where_nothing_is_numbered_the_fans_of_a_worker_that_is_killed_miss_what_was_told() -> None:
    without = ("resume", "event-source", "websocket")
    target = StageTarget(Variant("4", without_lessons=without, workers=2))
    later = Disturbances(reconnect_base_s=0.5, reconnect_cap_s=0.5)
    seen = reconnects_of(run_trial(plan(later), target, KillsAWorker(target)))
    assert seen.lost == seen.served > 0
    assert seen.missed > 0


def test_who_was_reset_is_back_once_and_others_stay_where_they_are() -> None:
    asked = Disturbances(reset=8, reset_at_s=0.1, reconnect_base_s=0.02, reconnect_cap_s=0.1)
    target = StageTarget(Variant("0"), FAKE)
    result = run_trial(plan(asked), target, Silent())
    fans, seen = result.seen.fans, reconnects_of(result)
    assert result.verdict.met, result.verdict.broken
    assert (fans.served, fans.reset, fans.failures) == (N, 0, {})
    assert (seen.lost, seen.ended, seen.served, seen.not_back) == (8, {"cut": 8}, 8, 0)
    assert seen.took is not None
    assert seen.back is not None
    assert seen.took.count == 8
    assert seen.took.mean_s < seen.back.mean_s  # without the wait before it


def test_the_fans_of_a_node_that_stops_go_to_another() -> None:
    asked = Disturbances(stops=1, stop_at_s=0.05, reconnect_base_s=0.02, reconnect_cap_s=0.1)
    target = StageTarget(Variant("4", without_lessons=("listeners", "drain"), nodes=2))
    result = run_trial(replace(plan(asked), match=synthetic_match("r1", 60, 20.0)), target, Silent())
    seen = reconnects_of(result)
    assert result.verdict.met, result.verdict.broken
    assert result.seen.fans.served == N
    assert (seen.lost, seen.ended, seen.missed) == (N // 2, {"ended": N // 2}, 0)


def test_of_the_only_node_nobody_would_be_left() -> None:
    with pytest.raises(TargetError, match="stage 4: of its nodes 1 are to stop, and another must be left"):
        run_trial(plan(Disturbances(stops=1)), StageTarget(Variant("4")), Silent())

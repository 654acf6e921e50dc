"""Whole trials of servers whose behaviour is known, up to the verdict: what was done is what is reported.

A fixed delay, and events that are lost, doubled and out of order, are in test_trial.py; each fan's part in each fault
is in test_generator.py.
"""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from harness.load.match import synthetic_match
from harness.load.workload import Endpoint, Load
from harness.records.asked import Placement
from harness.show.progress import Silent
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant
from harness.trial.figures.slo import DEFAULT_SLO, parse_slo
from harness.trial.placement.namespaces import SERVER_ADDRESS
from harness.trial.plan import TrialPlan
from harness.trial.run import run_trial
from tests.harness import known_servers
from tests.harness.fake import FAKE
from tests.harness.known_servers import PATIENCE_S, WELCOME, KnownServer, KnownTarget, Peer, StallsOnce
from tests.harness.test_cli import words_of
from tests.harness.trial.placement.root import needs_namespaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.load.reporter import Posted
    from harness.load.samples import Progress
    from harness.records.trial import TrialResult
    from harness.show.progress import Silent as Watcher
    from tests.leftovers import StartedProcesses

STALL_S = 1.0

STEADY = Load(400, 1, 0.005)
"""Two seconds, of which a stall takes half."""

RESENT_S = 0.9
"""A lost SYN is sent again after a second (RFC 6298, section 2.1), whose start the kernel rounds to a tick."""

AT_ONCE = Load(12, 4, 0.02)

UNHURRIED = Load(12, 12, 60.0)
"""A single wave: the next would be so far off that nobody is late."""


def trial(
    endpoint: Endpoint, load: Load, watcher: Watcher | None = None, *, timeout_s: float = PATIENCE_S
) -> TrialResult:
    plan = TrialPlan(load, parse_slo("failures=0"), None, timeout_s)
    return run_trial(plan, KnownTarget(endpoint), watcher or Silent())


# A stall.


def closed_loop(endpoint: Endpoint, fans: int) -> None:
    """Load as one does who does not know better: the next fan starts when the one before was answered."""
    connections = []
    for fan in range(fans):
        connection = socket.create_connection((endpoint.host, endpoint.port), PATIENCE_S)
        connections.append(connection)
        heard = b""
        connection.sendall(known_servers.DIALOGUE.filled(known_servers.DIALOGUE.hello, fan, b"fan-%d" % fan))
        while not heard.endswith(b"\n\r\n"):
            heard += connection.recv(4096)
    for connection in connections:
        connection.close()


def test_a_stall_shows_here_in_every_fan_of_its_time_and_in_a_closed_loop_in_one() -> None:
    with KnownServer(StallsOnce(50, STALL_S)) as server:
        result = trial(server.endpoint, STEADY)
    intended = result.seen.response.intended
    assert intended is not None
    assert (result.seen.fans.served, intended.count) == (STEADY.n, STEADY.n)
    assert intended.max_s >= STALL_S
    # A quarter of all had to wait half of it: it is no outlier, but what every second fan of those seconds got.
    assert intended.p90_s >= STALL_S / 2
    stalls = StallsOnce(50, STALL_S)
    with KnownServer(stalls) as server:
        closed_loop(server.endpoint, STEADY.n)
    assert stalls.held == 1


class LosingPackets(Silent):
    """Has the network lose all that the fans send, until `lost` of them were started.

    Everything goes to a hardware address that nobody has. The trial's thread, which this is, is in their namespace.
    """

    def __init__(self, lost: int) -> None:
        self._lost = lost
        self._done = False

    def phase(self, name: str, total: int) -> None:
        del total
        if name == "connecting":
            server_is_at("02:00:00:00:00:99")

    def fans(self, progress: Progress) -> None:
        if progress.started >= self._lost and not self._done:
            self._done = True
            server_is_at("02:00:00:00:00:01")


def server_is_at(hardware_address: str) -> None:
    words = ["neighbour", "replace", SERVER_ADDRESS, "lladdr", hardware_address, "dev", "generator", "nud", "permanent"]
    subprocess.run(["ip", *words], check=True)


@needs_namespaces
def test_a_stall_before_the_connect_shows_here_and_not_in_the_talks_art() -> None:
    """The talk's clock begins only when a SYN that was sent again has come through."""
    lost = STEADY.n // 4
    plan = TrialPlan(STEADY, parse_slo("failures=0"), None, PATIENCE_S, Placement(network="netns"))
    result = run_trial(plan, StageTarget(Variant("0"), FAKE), LosingPackets(lost))
    response = result.seen.response
    assert response.intended is not None
    assert response.art is not None
    assert (result.seen.fans.served, response.art.count) == (STEADY.n, STEADY.n)
    assert response.intended.mean_s - response.art.mean_s >= RESENT_S * lost / STEADY.n


# Connections that come to nothing.


def test_refused_connections_are_failures_and_nothing_is_made_of_them() -> None:
    with known_servers.refusing() as endpoint:
        result = trial(endpoint, AT_ONCE)
    assert (result.seen.fans.served, result.seen.fans.failures) == (0, {"refused": 12})
    assert (result.seen.response.intended, result.seen.response.art) == (None, None)
    assert result.validity.valid
    assert result.verdict.broken == ("failures=0 (12)",)


def greets_and_cuts(peer: Peer) -> None:
    """Greet, listen, break the connection: half of an answer never comes."""
    peer.say(WELCOME)
    peer.hear_hello()
    peer.say(b"2011-09-10 18:00:00: status:\n\thome")
    peer.reset()


@pytest.mark.parametrize(
    ("script", "failure", "timeout_s"),
    [
        (known_servers.never_speaks, "no_welcome", 0.2),
        (known_servers.never_answers, "no_answer", 3.0),  # so that the welcome has come by then
        (greets_and_cuts, "reset", PATIENCE_S),
    ],
)
def test_half_open_connections_are_failures_by_what_was_missing(
    script: Callable[[Peer], object], failure: str, timeout_s: float
) -> None:
    with KnownServer(script) as server:
        result = trial(server.endpoint, AT_ONCE, timeout_s=timeout_s)
    assert (result.seen.fans.answered, result.seen.fans.failures) == (0, {failure: 12})
    assert result.seen.response.intended is None
    assert not result.verdict.met


def test_a_server_that_never_accepts_has_connections_that_are_not_there() -> None:
    with known_servers.full() as endpoint:
        result = trial(endpoint, AT_ONCE, timeout_s=0.5)
    failures = result.seen.fans.failures
    assert result.seen.fans.served == 0
    assert failures["connect_timeout"] >= 1
    assert failures["connect_timeout"] + failures.get("no_welcome", 0) == 12


class Unplugging(Silent):
    """Takes the fans' addresses away when the first event was posted: from then on nothing reaches them.

    No connection is closed, reset or refused, and the server is not told: it is as if the fans' network were gone.
    """

    def posted(self, post: Posted) -> None:
        if post.sequence == 1:
            # The trial's thread, which this is, is in the generator's namespace.
            subprocess.run(["ip", "route", "delete", "local", "198.19.0.0/16", "dev", "lo"], check=True)


@needs_namespaces
def test_fans_whose_network_vanished_without_a_word_have_lost_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.trial.measure.QUIET_S", 1.0)
    match = synthetic_match("t1", 4, 5.0)
    plan = TrialPlan(AT_ONCE, parse_slo(DEFAULT_SLO), match, PATIENCE_S, Placement(network="netns"))
    result = run_trial(plan, StageTarget(Variant("0"), FAKE), Unplugging())
    delivery = result.seen.delivery
    assert delivery is not None
    assert (delivery.posted, delivery.unposted, delivery.expected) == (5, 0, 12 * 5)
    assert delivery.lost == 12 * 5 - delivery.received > 0
    assert [event.received for event in delivery.events[1:]] == [0, 0, 0, 0]
    assert result.seen.fans.failures == {}  # they believe to this moment that they are connected
    assert any(broken.startswith("lost=0") for broken in result.verdict.broken)


# A generator that is slow itself.


class Stopping(Silent):
    """Stops the generator's processes for `pause_s` when so many fans were started, or when all are answered."""

    def __init__(self, processes: StartedProcesses, pause_s: float, *, at: int) -> None:
        self._processes = processes
        self._pause_s = pause_s
        self._at = at
        self._done = False

    def fans(self, progress: Progress) -> None:
        if progress.started < self._at or self._done:
            return
        self._done = True
        workers = [child for child in self._processes.running() if "harness.load.fork_server" in words_of(child)]
        for worker in workers:
            worker.suspend()
        time.sleep(self._pause_s)  # not in place of a condition: it is what this fault is
        for worker in workers:
            worker.resume()


def test_a_generator_that_was_stopped_while_fans_were_due_is_late(processes: StartedProcesses) -> None:
    with KnownServer(known_servers.holds) as server:
        result = trial(server.endpoint, Load(60, 1, 0.02), Stopping(processes, 1.0, at=10))
    assert result.seen.fans.served == 60
    assert not result.validity.valid
    assert any(reason.startswith("the generator was late") for reason in result.validity.reasons)
    assert not result.passed
    assert result.bound.name == "generator"


def test_a_generator_that_was_stopped_while_answers_came_stood_still(processes: StartedProcesses) -> None:
    """No fan was late: all had been started. What tells is that the process did not wake when it should have."""
    with KnownServer(known_servers.Delays(0.3)) as server:
        result = trial(server.endpoint, UNHURRIED, Stopping(processes, 1.2, at=12))
    assert result.seen.fans.served == 12
    assert result.generator.turn_max_s >= 0.8
    assert [reason.split(" for ")[0] for reason in result.validity.reasons] == ["the generator stood still"]


def test_a_generator_that_runs_freely_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "harness.trial.figures.validity.LONGEST_STANDSTILL_S", 30.0
    )  # others may have the machine for a while
    with KnownServer(known_servers.holds) as server:
        result = trial(server.endpoint, UNHURRIED)
    assert result.validity.valid
    assert result.passed

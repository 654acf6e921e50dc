"""What becomes of fans, by known servers: each way to fail, and each end after the answer, has its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.load.samples import Outcome, Progress
from harness.load.workload import Endpoint, Load
from tests.harness import known_servers
from tests.harness.known_servers import PATIENCE_S, KnownServer, Peer
from tests.harness.load.generating import SOON_S, happened, marks_by_fan, measure

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("script", "outcome", "connected"),
    [
        (known_servers.closes_at_once, Outcome.CLOSED_BEFORE_ANSWER, True),
        (known_servers.closes_after_hello, Outcome.CLOSED_BEFORE_ANSWER, True),
        (known_servers.resets_after_hello, Outcome.RESET, True),
        (known_servers.says_error, Outcome.ERROR_LINE, True),
        (known_servers.says_error_for_welcome, Outcome.ERROR_LINE, True),
    ],
)
def test_each_way_to_fail_has_its_outcome(script: Callable[[Peer], object], outcome: Outcome, connected: bool) -> None:
    with KnownServer(script) as server:
        samples, _, progress = measure(server.endpoint, Load(6, 3, SOON_S))
    assert samples.outcomes() == {outcome: 6}
    assert progress.failed == 6
    assert progress.answered == 0
    assert happened(samples.connected_s) is connected
    assert happened(samples.closed_s)
    assert not samples.response_s()


def test_a_port_where_nobody_listens_refuses() -> None:
    with known_servers.refusing() as endpoint:
        samples, usage, progress = measure(endpoint, Load(4, 4, SOON_S))
    assert samples.outcomes() == {Outcome.REFUSED: 4}
    assert progress == Progress(started=4, failed=4)
    assert happened(samples.started_s)
    assert not happened(samples.connected_s)
    assert usage.bytes_per_connection is not None


def test_a_broadcast_address_cannot_be_connected_to() -> None:
    samples, _, _ = measure(Endpoint("127.255.255.255", 9), Load(2, 2, SOON_S))
    assert samples.outcomes() == {Outcome.UNREACHABLE: 2}


def test_fans_are_given_up_a_timeout_after_their_intended_start() -> None:
    with KnownServer(known_servers.never_speaks) as server:
        samples, _, _ = measure(server.endpoint, Load(4, 2, 0.05), answer_timeout_s=0.15)
        assert server.wait_until_gone(4)
    assert samples.outcomes() == {Outcome.NO_WELCOME: 4}
    for intended_s, closed_s in zip(samples.intended_s, samples.closed_s, strict=True):
        assert closed_s - intended_s >= 0.15


def test_a_full_accept_queue_drops_syns_and_those_fans_never_connect() -> None:
    with known_servers.full() as endpoint:
        samples, _, _ = measure(endpoint, Load(6, 6, SOON_S), answer_timeout_s=0.2)
    seen = samples.outcomes()
    assert seen[Outcome.CONNECT_TIMEOUT] >= 1
    assert seen[Outcome.CONNECT_TIMEOUT] + seen[Outcome.NO_WELCOME] == 6


def test_a_server_that_closes_after_the_answer_served_its_fans() -> None:
    with KnownServer(known_servers.ends) as server:
        # An hour is not waited for: the generator is ready when its last connection is closed.
        samples, _, progress = measure(server.endpoint, Load(5, 5, SOON_S), close_wait_s=3600.0)
    assert progress.answered == 5
    assert progress.failed == 0
    assert samples.outcomes() == {Outcome.ENDED: 5}
    assert all(answered <= closed for answered, closed in zip(samples.answered_s, samples.closed_s, strict=True))


def test_a_connection_that_breaks_after_the_answer_was_cut() -> None:
    with KnownServer(known_servers.cuts) as server:
        samples, _, _ = measure(server.endpoint, Load(3, 3, SOON_S), close_wait_s=PATIENCE_S)
    assert samples.outcomes() == {Outcome.CUT: 3}
    assert len(samples.response_s()) == 3
    assert marks_by_fan(samples) == {0: [1], 1: [1], 2: [1]}

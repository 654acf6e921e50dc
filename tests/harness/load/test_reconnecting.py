"""Fans who connect again: one of them, with this test as its loop, and those of several processes."""

from __future__ import annotations

import errno
import math
import socket
import struct
import threading
import time
from array import array
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.load import sockets as sockets_module
from harness.load.backoff import Backoff
from harness.load.conduct import Conduct, Departure
from harness.load.controller import Generator
from harness.load.deliveries import SentEvent
from harness.load.messages import Job
from harness.load.reconnecting import ReconnectingFans
from harness.load.samples import Outcome
from harness.load.workload import Endpoint, Load, Protocol, Share
from tests.harness.known_servers import DIALOGUE, ERROR, PATIENCE_S, STATUS, WELCOME, KnownServer, Peer, event
from tests.harness.load.generating import turn

if TYPE_CHECKING:
    import select

    from harness.load.workload import Dialogue

AT_ONCE = Backoff(1e-6, 1e-6, seed=1)
LATER = Backoff(3600.0, 3600.0, seed=1)
TIMEOUT_S = 60.0


class OneFan:
    """A fan that is due now, and the server that it comes to, turn by turn."""

    def __init__(
        self,
        epoll: select.epoll,
        listener: socket.socket,
        conduct: Conduct,
        dialogue: Dialogue = DIALOGUE,
        others: tuple[socket.socket, ...] = (),
    ) -> None:
        assert conduct.backoff is not None
        share = Share(range(1), ("127.0.1.0",))
        endpoints = tuple(Endpoint(*each.getsockname()) for each in (listener, *others))
        job = Job(share, array("d", [0.0]), dialogue, endpoints, "fan-", TIMEOUT_S, conduct, events=9)
        self.fans = ReconnectingFans(epoll, job, conduct.backoff)
        self.samples = self.fans.samples
        assert self.samples.lost is not None
        self.lost = self.samples.lost
        self._epoll = epoll
        self.listener = listener
        self.fans.begin(time.monotonic())

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.samples.outcome[0])

    def turn(self) -> None:
        turn(self.fans, self._epoll)

    def ask(self) -> socket.socket:
        """Have the fan connect, and say hello if it speaks first; return the server's end."""
        tried = self.lost.tried
        self.fans.start_due()
        while self.samples.outcome[0] and self.lost.tried == tried:  # it is away, and due within a moment
            self.fans.start_due()
        server, _ = self.listener.accept()
        server.settimeout(PATIENCE_S)
        self.turn()
        return server

    def come(self) -> socket.socket:
        """Have the fan connect, and hear the greeting; return the server's end when that has its hello."""
        server = self.ask()
        server.sendall(WELCOME)
        self.turn()
        assert server.recv(4096).startswith(b"VERSION:1:CONNECT:fan-0:")
        return server

    def be_served(self) -> socket.socket:
        server = self.come()
        server.sendall(STATUS)
        self.turn()
        return server

    def expire(self, after_s: float) -> None:
        self.fans.expire(time.monotonic() + after_s)


def test_who_lost_its_connection_is_away_and_then_back(epoll: select.epoll, listener: socket.socket) -> None:
    fan = OneFan(epoll, listener, Conduct(backoff=AT_ONCE))
    with fan.be_served() as server:
        first = [
            fan.samples.started_s[0],
            fan.samples.connected_s[0],
            fan.samples.asked_s[0],
            fan.samples.answered_s[0],
        ]
        server.sendall(event(1) + event(3))
        fan.turn()
    fan.turn()
    assert (fan.outcome, fan.fans.away, fan.fans.progress.closed, fan.fans.open) == (Outcome.ENDED, 1, 1, 0)
    assert (fan.lost.fan[0], fan.lost.upto[0]) == (0, 3)
    assert fan.lost.lost_s[0] == fan.samples.closed_s[0]
    with fan.be_served() as server:
        progress = fan.fans.progress
        assert (progress.connected, progress.answered, progress.closed, progress.away, progress.receipts) == (
            1,
            1,
            0,
            0,
            2,
        )
        assert (fan.outcome, fan.lost.tried, fan.lost.served, fan.lost.failures) == (Outcome.PENDING, 1, 1, {})
        assert fan.lost.lost_s[0] < fan.lost.back_s[0]
        assert math.isnan(fan.samples.closed_s[0])
        server.sendall(event(4))
        fan.turn()
        fan.fans.close()
    then = [fan.samples.started_s[0], fan.samples.connected_s[0], fan.samples.asked_s[0], fan.samples.answered_s[0]]
    assert then == first  # what counts is how it came to its first answer
    assert fan.outcome is Outcome.HELD


def test_a_try_that_fails_is_followed_by_another_and_is_no_loss(epoll: select.epoll, listener: socket.socket) -> None:
    fan = OneFan(epoll, listener, Conduct(backoff=AT_ONCE))
    fan.be_served().close()
    fan.turn()
    with fan.come() as server:
        server.sendall(ERROR)
        fan.turn()
    with fan.come() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    fan.turn()
    with fan.come():
        fan.expire(TIMEOUT_S / 2)
        assert fan.lost.failures.total() == 2
        fan.expire(TIMEOUT_S)
    assert fan.lost.failures == {"error_line": 1, "reset": 1, "no_answer": 1}
    assert (fan.outcome, fan.fans.progress.failed) == (Outcome.ENDED, 0)  # as it was lost
    with fan.be_served():
        assert (len(fan.lost.fan), fan.lost.tried, fan.lost.served) == (1, 4, 1)
        fan.expire(2 * TIMEOUT_S)  # which is no matter to who is there
        assert (fan.fans.progress.closed, fan.fans.progress.failed) == (0, 0)
        fan.fans.close()


def test_each_try_has_its_own_wait(epoll: select.epoll) -> None:
    with socket.socket() as held:  # where nobody listens, and nobody else can
        held.bind(("127.0.0.1", 0))
        fan = OneFan(epoll, held, Conduct(backoff=AT_ONCE))
        fan.fans.start_due()
        while not fan.samples.outcome[0]:
            fan.turn()
        for tries in (1, 2, 3):
            while fan.lost.tried < tries:
                fan.fans.start_due()
            assert fan.lost.tried == tries
            while fan.lost.failures.total() < tries:
                fan.turn()
    assert (fan.outcome, fan.lost.failures, fan.fans.is_settled) == (Outcome.REFUSED, {"refused": 3}, False)


def test_who_was_never_served_is_not_settled_while_it_tries(epoll: select.epoll, listener: socket.socket) -> None:
    fan = OneFan(epoll, listener, Conduct(backoff=AT_ONCE))
    with fan.come() as server:
        started_s = fan.samples.started_s[0]
        server.sendall(ERROR)
        fan.turn()
    assert (fan.fans.is_settled, fan.fans.progress.failed, fan.fans.away) == (False, 0, 0)
    with fan.be_served():
        assert fan.fans.is_settled
        assert fan.samples.started_s[0] == started_s < fan.samples.connected_s[0] < fan.samples.answered_s[0]
        assert (fan.fans.progress.connected, len(fan.lost.fan), fan.lost.tried, fan.lost.served) == (1, 0, 1, 1)
        fan.fans.close()
    assert fan.outcome is Outcome.HELD


@pytest.mark.parametrize("ends", ["its time is up", "all is over"])
def test_who_was_never_served_has_failed_in_the_end_as_it_did(
    ends: str, epoll: select.epoll, listener: socket.socket
) -> None:
    fan = OneFan(epoll, listener, Conduct(backoff=LATER))
    fan.come().close()
    fan.turn()
    fan.fans.start_due()
    assert fan.lost.tried == 0
    assert fan.fans.next_moment_s == TIMEOUT_S
    fan.expire(TIMEOUT_S / 2)
    assert not fan.fans.is_settled
    if ends == "its time is up":
        fan.expire(TIMEOUT_S)
    else:
        fan.fans.stop()
    assert (fan.fans.is_settled, fan.outcome, fan.fans.open) == (True, Outcome.CLOSED_BEFORE_ANSWER, 0)
    fan.fans.close()


def test_after_the_last_event_nobody_comes_again(epoll: select.epoll, listener: socket.socket) -> None:
    fan = OneFan(epoll, listener, Conduct(backoff=AT_ONCE))
    server = fan.be_served()
    fan.fans.stay_away()
    server.close()
    fan.turn()
    fan.fans.start_due()
    fan.expire(TIMEOUT_S)
    assert (fan.outcome, fan.fans.away, len(fan.lost.fan), fan.lost.tried) == (Outcome.ENDED, 0, 0, 0)
    assert fan.fans.next_moment_s == math.inf


def test_who_is_to_leave_while_it_is_away_leaves_when_it_is_back(epoll: select.epoll, listener: socket.socket) -> None:
    fan = OneFan(epoll, listener, Conduct(departures=(Departure(0.0, 0, resets=False),), backoff=AT_ONCE))
    fan.be_served().close()
    fan.turn()
    fan.fans.events_begin(time.monotonic())
    fan.fans.leave_due()
    with fan.be_served() as server:
        assert server.recv(4096) == b""
    assert (fan.outcome, fan.fans.away, fan.fans.open) == (Outcome.LEFT, 0, 0)


def test_each_try_goes_to_the_next_address_and_what_waits_there_is_not_broken_off_again(
    epoll: select.epoll, listener: socket.socket
) -> None:
    departure = Departure(0.0, 0, resets=True, returns=True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(PATIENCE_S)
        fan = OneFan(epoll, listener, Conduct(departures=(departure,), backoff=AT_ONCE), others=(other,))
        with fan.be_served() as server:
            fan.fans.events_begin(time.monotonic())
            fan.fans.leave_due()
            assert (fan.outcome, fan.fans.away) == (Outcome.CUT, 1)
            with pytest.raises(ConnectionResetError):
                server.recv(4096)
        fan.listener = other
        with fan.be_served():
            fan.fans.leave_due()
            assert (fan.outcome, fan.fans.away, fan.lost.ended) == (Outcome.PENDING, 0, {"cut": 1})
            assert fan.lost.lost_s[0] <= fan.lost.tried_s[0] < fan.lost.back_s[0]
            fan.fans.close()


def test_a_try_that_the_generator_has_no_room_for_is_its_last(
    epoll: select.epoll, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file(*_: object) -> socket.SocketType:
        raise OSError(errno.EMFILE, "Too many open files")

    fan = OneFan(epoll, listener, Conduct(backoff=AT_ONCE))
    fan.be_served().close()
    fan.turn()
    monkeypatch.setattr(sockets_module, "prepare", no_file)
    while fan.fans.away:
        fan.fans.start_due()
    fan.expire(TIMEOUT_S)
    assert (fan.outcome, fan.lost.tried, fan.lost.failures) == (Outcome.NO_FILE, 1, {"no_file": 1})
    assert fan.fans.next_moment_s == math.inf


@pytest.mark.parametrize("when", ["on its first connection", "on the next"])
def test_who_is_told_what_is_no_answer_does_not_try_again(
    when: str, epoll: select.epoll, listener: socket.socket
) -> None:
    stream = replace(DIALOGUE, welcome_end=b"", error_start=b"", answer_end=b"", protocol=Protocol.HTTP)
    fan = OneFan(epoll, listener, Conduct(backoff=AT_ONCE), stream)
    if when == "on the next":
        server = fan.ask()
        server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        fan.turn()
        server.close()
        fan.turn()
    with fan.ask() as server:
        server.sendall(b"no HTTP\r\n\r\n")
        fan.turn()
    fan.fans.start_due()
    assert (fan.outcome, fan.fans.away, fan.fans.open) == (Outcome.MALFORMED, 0, 0)
    assert fan.lost.failures == ({"malformed": 1} if when == "on the next" else {})


class DropsEachOnce:
    """Sends event 1 to all fans when they are there, drops each, and holds those who come again."""

    def __init__(self, fans: int) -> None:
        self._all_there = threading.Barrier(fans, timeout=PATIENCE_S)
        self._came: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        user = peer.serve()
        with self._lock:
            self._came[user] += 1
            is_back = self._came[user] > 1
        if is_back:
            peer.wait_until_gone()
        self._all_there.wait()
        peer.say(event(1))


@pytest.mark.parametrize("events", [2, None])
def test_what_the_processes_lost_is_put_together(events: int | None) -> None:
    n = 7
    with (
        KnownServer(DropsEachOnce(n)) as server,
        Generator(
            Load(n, n),
            DIALOGUE,
            [server.endpoint],
            "fan-",
            processes=3,
            conduct=Conduct(backoff=Backoff(0.001, 0.01, seed=1)),
            events=events,
        ) as generator,
    ):
        generator.start()
        generator.event_sent(SentEvent(1, 0.0, 0.0, accepted=True))
        while generator.progress().receipts < n:
            generator.hold(0.01)
        assert generator.wait_all_back(PATIENCE_S).away == 0
        generator.events_end()
        samples, _ = generator.finish(0.0)
    assert samples.outcomes() == {Outcome.HELD: n}
    assert samples.lost is not None
    assert sorted(samples.lost.fan) == list(range(n))
    assert samples.lost.ended == {"ended": n}
    assert (samples.lost.tried, samples.lost.served, list(samples.lost.upto)) == (n, n, [1] * n)
    assert all(lost_s < back_s for lost_s, back_s in zip(samples.lost.lost_s, samples.lost.back_s, strict=True))

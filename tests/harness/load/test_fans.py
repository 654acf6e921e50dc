"""What the known servers cannot bring about at will: the fans of one process, with this test as their loop."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import socket
import struct
import time
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.load import conversations as conversations_module
from harness.load import sockets as sockets_module
from harness.load.connecting import Destination, outcome_of, prepare
from harness.load.counters import SharedProgress
from harness.load.fans import Fans
from harness.load.messages import Job
from harness.load.samples import Outcome, Progress
from harness.load.worker import memory
from harness.load.workload import Endpoint, Share
from tests.harness.known_servers import DIALOGUE, PATIENCE_S, STATUS, WELCOME, event
from tests.harness.load.generating import turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.load.workload import Dialogue

N = 3


@pytest.fixture
def fans(listener: socket.socket, epoll: select.epoll) -> Iterator[Fans]:
    fans = make_fans(epoll, listener, DIALOGUE, N)
    yield fans
    fans.close()


@pytest.fixture
def fan(listener: socket.socket, epoll: select.epoll) -> Iterator[Fans]:
    fan = make_fans(epoll, listener, DIALOGUE, 1)
    yield fan
    fan.close()


def make_fans(epoll: select.epoll, listener: socket.socket, dialogue: Dialogue, n: int) -> Fans:
    """Return fans that are due now."""
    endpoint = Endpoint(*listener.getsockname())
    share = Share(range(n), ("127.0.1.0",))
    fans = Fans(epoll, Job(share, array("d", [0.0]) * n, dialogue, (endpoint,), "fan-", 60.0))
    fans.begin(time.monotonic())
    return fans


def test_a_wave_is_started_as_a_whole_and_once(fans: Fans) -> None:
    fans.start_due()
    assert fans.progress == Progress(started=N)
    started_s = list(fans.samples.started_s)
    assert started_s == sorted(started_s)
    fans.start_due()
    assert fans.progress == Progress(started=N)
    assert list(fans.samples.started_s) == started_s


def test_nobody_is_started_before_the_moment_or_after_stop(fans: Fans) -> None:
    fans.begin(time.monotonic() + 3600)
    fans.start_due()
    assert fans.progress == Progress()
    assert fans.next_moment_s == 0
    fans.stop()
    fans.begin(time.monotonic())
    fans.start_due()
    assert fans.progress == Progress()
    assert fans.next_moment_s == math.inf


def test_the_next_moment_is_the_oldest_timeout_when_all_are_started(fans: Fans) -> None:
    fans.start_due()
    assert fans.next_moment_s == 60
    now = time.monotonic()
    fans.begin(now)
    fans.expire(now + 59.9)
    assert not fans.is_settled
    fans.expire(now + 60)
    assert fans.samples.outcomes() == {Outcome.CONNECT_TIMEOUT: N}
    assert fans.next_moment_s == math.inf
    assert fans.open == 0
    assert fans.is_settled


def test_a_fan_in_conversation(fan: Fans, epoll: select.epoll, listener: socket.socket) -> None:
    fan.start_due()
    server, source = listener.accept()
    with server:
        assert source[0] == "127.0.1.0"
        turn(fan, epoll)
        assert fan.connected == 1
        server.sendall(WELCOME[:5])
        turn(fan, epoll)
        server.sendall(WELCOME[5:])
        turn(fan, epoll)
        assert server.recv(4096) == b"VERSION:1:CONNECT:fan-0:MATCH:elp-tig-2011-09-10\n"
        server.sendall(STATUS[:9])
        turn(fan, epoll)
        assert fan.answered == 0
        server.sendall(STATUS[9:] + event(7))
        turn(fan, epoll)
        assert fan.progress == Progress(1, 1, 1, 0, 0, 1)
        server.sendall(event(8))
        turn(fan, epoll)
        fan.expire(time.monotonic() + 3600)
        assert fan.open == 1
    assert list(fan.samples.receipt_sequence) == [7, 8]
    turn(fan, epoll)
    assert fan.samples.outcome[0] == Outcome.ENDED
    assert fan.progress.closed == 1
    assert fan.open == 0


def test_a_fan_is_given_up_for_what_it_waits_for(epoll: select.epoll, listener: socket.socket) -> None:
    fans = make_fans(epoll, listener, DIALOGUE, 2)
    fans.start_due()
    (first, _), (second, _) = listener.accept(), listener.accept()
    with first, second:
        while fans.connected < 2:
            turn(fans, epoll)
        first.sendall(WELCOME)
        turn(fans, epoll)
        fans.expire(time.monotonic() + 60)
    assert sorted(fans.samples.outcomes()) == [Outcome.NO_WELCOME, Outcome.NO_ANSWER]


class Recorded:
    """A fan's socket, all whose calls are noted."""

    def __init__(self, sock: socket.SocketType, calls: list[str]) -> None:
        self._sock = sock
        self._calls = calls

    def __getattr__(self, name: str) -> object:
        self._calls.append(name)
        return getattr(self._sock, name)


def test_at_its_moment_all_of_a_wave_are_connected_and_nothing_else_is_done(
    epoll: select.epoll, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def recorded(destination: Destination, source: str) -> Recorded:
        calls.append("prepare")
        return Recorded(prepare(destination, source), calls)

    monkeypatch.setattr(sockets_module, "prepare", recorded)
    fans = make_fans(epoll, listener, DIALOGUE, N)
    assert calls == ["prepare", "fileno"] * N
    calls.clear()
    fans.start_due()
    assert calls == ["connect_ex"] * N
    while fans.connected < N:
        turn(fans, epoll)
    fans.close()


def test_a_connection_was_made_when_its_handshake_was_over_whenever_one_looks(
    fan: Fans, epoll: select.epoll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations_module, "handshake_s", lambda _: 0.25)
    fan.start_due()
    turn(fan, epoll)
    assert fan.samples.connected_s[0] == fan.samples.started_s[0] + 0.25


def test_a_connection_that_had_to_be_tried_again_was_made_when_it_is_seen(
    fan: Fans, epoll: select.epoll, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    fan.begin(began)
    monkeypatch.setattr(conversations_module, "handshake_s", lambda _: None)
    fan.start_due()
    looked_s = time.monotonic() - began
    turn(fan, epoll)
    assert fan.samples.connected_s[0] >= looked_s


def test_what_arrived_counts_from_its_arrival_whenever_it_is_read(
    fan: Fans, epoll: select.epoll, listener: socket.socket
) -> None:
    began = time.monotonic()
    fan.begin(began)
    fan.start_due()
    server, _ = listener.accept()
    with server:
        turn(fan, epoll)
        server.sendall(WELCOME)
        ((fd, mask),) = epoll.poll(PATIENCE_S)
        told_s = time.monotonic() - began
        fan.on_turn()
        fan.on_ready(fd, mask)
    assert fan.samples.connected_s[0] < fan.samples.welcomed_s[0] < told_s


def test_all_is_read_when_the_server_says_much_and_closes(
    fan: Fans, epoll: select.epoll, listener: socket.socket
) -> None:
    fan.start_due()
    server, _ = listener.accept()
    with server:
        turn(fan, epoll)
        server.sendall(WELCOME)
        turn(fan, epoll)
        server.recv(4096)
        server.sendall(STATUS + b"".join(map(event, range(1, 201))))
    while fan.open:
        turn(fan, epoll)
    assert list(fan.samples.receipt_sequence) == list(range(1, 201))
    assert fan.samples.outcomes() == {Outcome.ENDED: 1}


@pytest.mark.parametrize("speaks_first", [True, False])
def test_a_hello_into_a_broken_connection_is_a_reset(
    speaks_first: bool, epoll: select.epoll, listener: socket.socket
) -> None:
    """The server breaks the connection when epoll has already said that all is well."""
    dialogue = DIALOGUE if speaks_first else replace(DIALOGUE, welcome_end=b"")
    fans = make_fans(epoll, listener, dialogue, 1)
    fans.start_due()
    server, _ = listener.accept()
    ((fd, mask),) = epoll.poll(PATIENCE_S)
    if speaks_first:
        fans.on_ready(fd, mask)
        server.sendall(WELCOME)
        ((fd, mask),) = epoll.poll(PATIENCE_S)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    fans.on_ready(fd, mask | select.EPOLLIN)
    assert fans.samples.outcome[0] == Outcome.RESET
    assert fans.failed == 1
    assert fans.open == 0


def test_a_hello_of_any_length_is_said_as_the_kernel_takes_it(epoll: select.epoll, listener: socket.socket) -> None:
    hello = bytes(range(256)) * 40_000
    fans = make_fans(epoll, listener, replace(DIALOGUE, welcome_end=b"", hello=hello), 1)
    fans.start_due()
    server, _ = listener.accept()
    heard = b""
    with server:
        server.settimeout(0.01)
        turn(fans, epoll)
        deadline = time.monotonic() + PATIENCE_S
        while len(heard) < len(hello) and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                heard += server.recv(1 << 20)
            for fd, mask in epoll.poll(0):
                fans.on_ready(fd, mask)
        assert heard == hello
        server.sendall(STATUS)
        turn(fans, epoll)
    assert fans.answered == 1
    fans.close()


def test_a_socket_that_cannot_be_made_is_the_generators_fault_at_its_moment(
    epoll: select.epoll, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file(*_: object) -> socket.SocketType:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(sockets_module, "prepare", no_file)
    fans = make_fans(epoll, listener, DIALOGUE, N)
    assert fans.progress == Progress()
    fans.start_due()
    assert fans.samples.outcomes() == {Outcome.NO_FILE: N}
    assert fans.is_settled
    assert fans.open == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errno.ECONNREFUSED, Outcome.REFUSED),
        (errno.ETIMEDOUT, Outcome.CONNECT_TIMEOUT),
        (errno.EADDRNOTAVAIL, Outcome.NO_PORT),
        (errno.EADDRINUSE, Outcome.NO_PORT),
        (errno.EMFILE, Outcome.NO_FILE),
        (errno.ENFILE, Outcome.NO_FILE),
        (errno.ENOBUFS, Outcome.NO_SOCKET),
        (errno.EHOSTUNREACH, Outcome.UNREACHABLE),
        (errno.EPERM, Outcome.UNREACHABLE),
        (0, Outcome.UNREACHABLE),
    ],
)
def test_what_an_error_makes_of_a_fan(error: int, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_progress_is_seen_by_the_other_side() -> None:
    with SharedProgress.create() as writer, SharedProgress(os.dup(writer.fd)) as reader:
        assert reader.read() == Progress()
        writer.publish(Progress(6, 5, 4, 3, 2, 1))
        assert reader.read() == Progress(6, 5, 4, 3, 2, 1)
    writer.close()


def test_memory_is_read_by_name() -> None:
    assert 0 < memory("VmRSS") <= memory("VmHWM")
    with pytest.raises(LookupError):
        memory("VmNone")

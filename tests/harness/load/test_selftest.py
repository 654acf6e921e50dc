"""The self-test is a benchmark; here it is only seen to work, on a load so small that its figures mean nothing."""

import re
import signal
import socket
import struct
import subprocess
import sys

import pytest

from harness.load import bare_server, selftest
from harness.load.selftest import SelfTest, SelfTestError, run_selftest
from harness.load.workload import Endpoint, Load, OpenFilesError
from tests.harness.known_servers import PATIENCE_S
from tests.harness.load.generating import SOON_S, measure
from tests.leftovers import StartedProcesses


def test_it_counts_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "CONNECTIONS_PER_S", 0)
    monkeypatch.setattr(selftest, "BYTES_PER_CONNECTION", 10_000_000)
    result = run_selftest(30, rounds=2, events=2)
    assert (result.connections, result.rounds) == (30, 2)
    assert result.connections_per_s > 0
    assert result.bytes_per_connection is not None
    assert 0 <= result.lag_p99_s <= result.lag_max_s
    assert result.turn_max_s > 0
    assert result.cpu_per_connection_s >= 0
    assert result.cpu_per_receipt_s >= 0
    assert result.reasons == ()
    assert result.passed


def test_it_says_what_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "CONNECTIONS_PER_S", 10**12)
    monkeypatch.setattr(selftest, "BYTES_PER_CONNECTION", -10_000_000)
    result = run_selftest(10, rounds=1, events=1)
    assert not result.passed
    assert [re.sub(r"[\d,-]+", "N", reason) for reason in result.reasons] == [
        "N connections/s are less than N; is the machine busy?",
        "N bytes a connection are not less than N",
    ]


def test_an_interruption_leaves_nothing(monkeypatch: pytest.MonkeyPatch, processes: StartedProcesses) -> None:
    takes_its_time = "import subprocess, sys, time; subprocess.run(sys.argv[1:]); time.sleep(1)"  # to end, if busy
    slow = [sys.executable, "-c", takes_its_time]
    monkeypatch.setattr(selftest, "command_that_dies_with_parent", lambda command: [*slow, *command])
    monkeypatch.setattr(selftest, "_broadcast", lambda *_: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run_selftest(10, rounds=1)
    assert processes.running() == []


def test_connections_and_receipts_that_are_missing_are_missed() -> None:
    played = selftest._Round(9, 17, 1e9, 0.0, 0.0, None, 0.0, 0.0, 0.0)  # noqa: SLF001 - no real server loses anything
    missed = list(selftest._missed(played, 10, 2))  # noqa: SLF001 - as above
    assert missed == ["only 9 of 10 connections were answered and held", "only 17 of 20 receipts came"]


def test_more_than_one_process_can_hold_is_refused() -> None:
    with pytest.raises(OpenFilesError):
        run_selftest(100_000_000)


def test_a_server_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "command_that_dies_with_parent", lambda _: [sys.executable, "-c", ""])
    with pytest.raises(SelfTestError, match="did not start"):
        run_selftest(10, rounds=1)


def test_passed_means_that_nothing_was_missed() -> None:
    assert SelfTest(1, 1, 1.0, 0.0, 0.0, 0.0, None, 0.0, 0.0, 0.0, ()).passed
    assert not SelfTest(1, 1, 1.0, 0.0, 0.0, 0.0, None, 0.0, 0.0, 0.0, ("late",)).passed


def test_the_bare_server_serves_on_each_port_and_ends_with_its_orders() -> None:
    command = [sys.executable, "-m", "harness.load.bare_server", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        ready, *ports = server.stdout.readline().split()
        assert ready == "ready"
        assert len(set(ports)) == 2
        for port in ports:
            endpoint = Endpoint("127.0.0.1", int(port))
            with socket.create_connection((endpoint.host, endpoint.port)) as breaking:
                assert breaking.recv(4096).startswith(b"Welcome to Match Stream.")
                breaking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            samples, _, _ = measure(endpoint, Load(4, 4, SOON_S), dialogue=bare_server.DIALOGUE)
            assert len(samples.response_s()) == 4
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(PATIENCE_S) == 0


def test_listening_skips_ports_that_are_taken() -> None:
    first = bare_server.listen(1)
    second = bare_server.listen(1)
    assert first[0].getsockname() != second[0].getsockname()
    for listener in first + second:
        listener.close()

"""What systemd is told of `matchstream serve` (sd_notify(3)), by way of a socket such as it gives a service."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.stages.serving import TOKEN, ServerProcess, environment
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVES: Final = pytest.mark.parametrize(
    ("stage", "options"),
    [("2.5", ()), pytest.param("4", ("--nodes", "2", "--workers", "1"), marks=pytest.mark.slow)],
)


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """Listen as systemd does, at a path or in the abstract namespace (`@…`)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        sock.settimeout(DEADLINE_S)
        yield sock


def told(sock: socket.socket) -> list[str]:
    """Return the lines of the next datagram."""
    return sock.recv(4096).decode().splitlines()


def serve(stage: str, directory: Path, options: tuple[str, ...], address: str) -> ServerProcess:
    environ = environment(directory, MATCHSTREAM_TOKEN=TOKEN, NOTIFY_SOCKET=address)
    return ServerProcess(stage, directory, *options, environ=environ)


def said_of_systemd(server: ServerProcess) -> list[str]:
    return [line for line in server.log().splitlines() if "common.sd_notify" in line]


@SERVES
@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told_when_it_serves_and_when_it_ends(
    stage: str, options: tuple[str, ...], tmp_path: Path, *, is_abstract: bool
) -> None:
    address = f"@{tmp_path}/notify" if is_abstract else str(tmp_path / "notify")
    with manager(address) as sock, serve(stage, tmp_path, options, address) as server:
        ready, status = told(sock)
        assert ready == "READY=1"
        assert status.startswith(f"STATUS=ready fans=127.0.0.1:{server.fan_ports[0]}")
        for port in (*server.fan_ports, *server.http_ports):
            socket.create_connection((server.host, port), DEADLINE_S).close()
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):  # until it is told to end, no more is said
            told(sock)
        sock.settimeout(DEADLINE_S)
        server.send_signal(signal.SIGTERM)
        assert told(sock) == ["STOPPING=1"]
        assert server.wait() == 0
        assert "NOTIFY_SOCKET" not in server.log()


def test_systemd_is_told_nothing_before_it_serves(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.create_server(("127.0.0.1", 0)) as taken, manager(address) as sock:
        environ = environment(tmp_path, MATCHSTREAM_TOKEN=TOKEN, NOTIFY_SOCKET=address)
        port = str(taken.getsockname()[1])
        with pytest.raises(AssertionError, match=port), ServerProcess("2.5", tmp_path, "--port", port, environ=environ):
            pass
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            told(sock)


def test_what_it_starts_does_not_know_of_systemd(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address), serve("4", tmp_path, ("--nodes", "2", "--workers", "1"), address) as server:
        looked_at = 0
        for child in psutil.Process(server.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # one that was there for a moment
                assert "NOTIFY_SOCKET" not in child.environ()
                looked_at += 1
        assert looked_at >= 4  # two nodes, and a worker of each


@pytest.mark.parametrize(
    ("address", "why"), [("nowhere", "No such file or directory"), ("vsock:2:1234", "neither an absolute path")]
)
def test_a_manager_that_is_not_there_is_a_line_in_the_log(tmp_path: Path, address: str, why: str) -> None:
    if "vsock" not in address:
        address = str(tmp_path / address)
    with serve("2.5", tmp_path, (), address) as server:
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        (line,) = said_of_systemd(server)
        assert f"systemd cannot be told READY=1 at NOTIFY_SOCKET={address}: " in line
        assert why in line


def test_where_no_manager_waits_none_is_told(tmp_path: Path) -> None:
    with ServerProcess("2.5", tmp_path, environ=environment(tmp_path, NOTIFY_SOCKET="")) as server:
        pass
    assert said_of_systemd(server) == []

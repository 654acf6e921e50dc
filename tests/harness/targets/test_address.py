"""A server of this project that runs already."""

import signal
from pathlib import Path

import psutil
import pytest

from harness.interruption import interruptions_deferred
from harness.load.workload import Endpoint
from harness.targets.address import AddressTarget
from harness.targets.target import TargetError
from tests.harness import known_servers
from tests.harness.fake import fake_server


def test_a_running_server_is_reached_and_its_process_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_server("0") as server:
        monkeypatch.setenv("MATCHSTREAM_TOKEN", server.token)
        target = AddressTarget(f"localhost:{server.fans}", f"http://127.0.0.1:{server.http}")
        target.start()
        assert target.endpoints == (Endpoint("127.0.0.1", server.fans),)
        assert target.pids == (server.pid,)
        assert target.publisher is not None
        assert target.publisher.token == server.token
        assert target.ended() is None
        assert (target.name, target.variant) == (f"localhost:{server.fans}", None)
        target.stop()
        assert psutil.pid_exists(server.pid)
    assert target.ended() == "the server's processes ended"


def test_a_server_without_an_api_is_a_target_too() -> None:
    with fake_server("0") as server:
        target = AddressTarget(f"127.0.0.1:{server.fans}", None)
        target.start()
    assert target.publisher is None


def test_processes_that_may_not_be_looked_for_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    with fake_server("0") as server:
        target = AddressTarget(f"127.0.0.1:{server.fans}", None)
        target.start()
    assert target.pids == ()
    assert target.ended() is None


def test_nobody_answers() -> None:
    with (
        known_servers.refusing() as nobody,
        pytest.raises(TargetError, match=r"^nobody answers at 127\.0\.0\.1:\d+ \(Connection refused\)"),
    ):
        AddressTarget(f"{nobody.host}:{nobody.port}", None).start()


def test_who_does_not_want_to_wait_for_an_answer_interrupts_that() -> None:
    with known_servers.full() as endpoint, interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            AddressTarget(f"{endpoint.host}:{endpoint.port}", None).start()


def test_no_api_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATCHSTREAM_TOKEN", "t")
    with (
        fake_server("0") as server,
        known_servers.refusing() as nobody,
        pytest.raises(TargetError, match="no answer from"),
    ):
        AddressTarget(f"127.0.0.1:{server.fans}", f"http://{nobody.host}:{nobody.port}").start()


def test_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MATCHSTREAM_TOKEN", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with fake_server("0") as server, pytest.raises(TargetError, match="no token for 127"):
        AddressTarget(f"127.0.0.1:{server.fans}", f"http://127.0.0.1:{server.http}").start()


@pytest.mark.parametrize("url", ["127.0.0.1:8888", "http://", "ftp://a", "http://a:99999", "http://[::1"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(TargetError, match="is no URL of an API"):
        AddressTarget("127.0.0.1:9999", url)


@pytest.mark.parametrize("url", ["http://example.org", "https://example.org/"])
def test_a_url_needs_no_port(url: str) -> None:
    assert AddressTarget("127.0.0.1:9999", url).publishes

"""Every peer that is installed, once and small; and what is said of those that are not."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import psutil
import pytest

from common.store.errors import RedisNotFoundError
from common.tuning.open_files import OpenFiles
from harness.interruption import interruptions_deferred
from harness.load.workload import Dialogue
from harness.targets.payload import MARK
from harness.targets.peers import peer, redis, target, websockets
from harness.targets.peers.catalogue import PEERS, peer_target
from harness.targets.peers.peer import Peer, PeerPlace, most_connections
from harness.targets.peers.target import PeerTarget
from harness.targets.socket_publisher import SocketPublisher
from harness.targets.target import TargetError
from harness.trial.placement.place import Placeable
from tests.harness.targets.trials import assert_everyone_got_everything, small_trial

DIALOGUE = Dialogue(hello=b"hi\n", welcome_end=b"", answer_end=b"\n", mark=MARK, error_start=b"")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a directory in which nothing must be left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def running(measured: PeerTarget) -> Iterator[None]:
    measured.start()
    try:
        yield
    finally:
        measured.stop()


@pytest.mark.parametrize("kind", PEERS)
def test_everyone_hears_every_event_once(kind: str, temporary: Path) -> None:
    try:
        measured = peer_target(kind)
    except TargetError as missing:
        pytest.skip(f"needs {kind}: {missing}")
    result = small_trial(measured)
    assert_everyone_got_everything(result)
    assert result.verdict.met
    asked = result.asked.target
    assert (asked.name, asked.peer, asked.stage) == (measured.name, kind, None)
    assert asked.http is not None
    assert asked.http.partition("://")[0] in {"redis", "nats", "mqtt", "http", "tcp"}
    assert result.server is not None
    assert result.server.fullest_open_files >= 40
    assert (measured.pids, measured.endpoints, measured.publisher, measured.ended()) == ((), (), None, None)


@pytest.mark.parametrize("kind", PEERS)
def test_a_peer_has_all_open_files_and_leaves_no_process(kind: str, temporary: Path) -> None:
    try:
        measured = peer_target(kind)
    except TargetError as missing:
        pytest.skip(f"needs {kind}: {missing}")
    before = OpenFiles.read()
    with running(measured):
        root = psutil.Process(measured.pids[0])
        family = [root, *root.children(recursive=True)]
        assert OpenFiles.read() == before
        # A process that root has turned into somebody else's, or that keeps a few for itself, is not asked for more.
        assert max(process.rlimit(psutil.RLIMIT_NOFILE)[0] for process in family) >= before.hard - 64
        assert os.getsid(root.pid) != os.getsid(0)
        assert measured.ended() is None
    assert psutil.wait_procs(family, 20)[1] == []


def test_a_peer_can_be_put_elsewhere(temporary: Path) -> None:
    measured = peer_target("redis")
    assert isinstance(measured, Placeable)
    assert measured.tunes_kernel
    measured.listen_on("127.0.0.7")
    with running(measured):
        (endpoint,) = measured.endpoints
        assert endpoint.host == "127.0.0.7"
        sockets = psutil.Process(measured.pids[0]).net_connections("tcp")
        assert (endpoint.host, endpoint.port) in {at.laddr for at in sockets if at.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("nats", "there is no nats-server on this machine: apt-get install nats-server"),
        ("mosquitto", "there is no mosquitto on this machine: apt-get install mosquitto"),
        ("nchan", "there is no nginx on this machine: apt-get install nginx libnginx-mod-nchan"),
        ("ws", "there is no node on this machine: apt-get install nodejs node-ws"),
        ("floor", "there is no C compiler (cc) on this machine: apt-get install gcc libc6-dev"),
    ],
)
def test_a_program_that_is_not_installed(kind: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(peer, "_SBIN", ())
    with pytest.raises(TargetError) as missing:
        peer_target(kind)
    assert str(missing.value) == says


def test_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RedisNotFoundError("no redis-server")

    monkeypatch.setattr(redis, "find_redis_server", nowhere)
    with pytest.raises(TargetError, match=r"^there is no redis-server on this machine: apt-get install redis-server$"):
        peer_target("redis")


def test_no_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(websockets, "version", unknown)
    with pytest.raises(TargetError, match=r"no Python package uvicorn here: pip install 'matchstream-lab\[peers\]'$"):
        peer_target("uvicorn")


def test_a_node_without_ws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\nexit 1\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(TargetError, match=r"no package ws for Node\.js here: apt-get install node-ws, or npm install"):
        peer_target("ws")


def test_an_nginx_without_nchan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nginx = tmp_path / "nginx"
    nginx.write_text(f"#!/bin/sh\necho nginx version: nginx/9 >&2; echo --modules-path={tmp_path} >&2\n")
    nginx.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(TargetError, match=r"^nginx has no module nchan on this machine: apt-get install nginx libngi"):
        peer_target("nchan")


def test_no_such_peer() -> None:
    with pytest.raises(TargetError, match=r"^there is no peer 'rabbit': give one of redis, nats, "):
        peer_target("rabbit")


def scripted(code: str, tmp_path: Path) -> PeerTarget:
    """Return a target whose program is some Python."""

    def command(place: PeerPlace) -> Sequence[str]:
        (place.directory / "configuration").write_text("")
        return [sys.executable, "-c", code]

    def publisher(endpoint: object) -> SocketPublisher:
        raise AssertionError("nothing is published to it")

    return PeerTarget("scripted", Peer("a script", DIALOGUE, command, publisher))


def test_a_program_that_ends_at_once_is_told_with_its_last_words(temporary: Path) -> None:
    measured = scripted("import sys; print('starting'); sys.exit('no such option')", temporary)
    with pytest.raises(
        TargetError, match=r"^a script did not start: the server ended with status 1: (no such option|starting)$"
    ):
        measured.start()
    assert measured.pids == ()


def test_a_program_that_does_not_listen_is_ended(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "READY_TIMEOUT_S", 0.05)
    measured = scripted("import signal; signal.pause()", temporary)
    with pytest.raises(TargetError, match=r"^a script did not listen within 0 s"):
        measured.start()
    assert measured.pids == ()
    measured.stop()


def test_who_does_not_want_to_wait_for_a_program_interrupts_that(temporary: Path) -> None:
    measured = scripted("import signal; signal.pause()", temporary)
    with interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt) as interruption:
            measured.start()
    assert interruption.value.__context__ is None  # it was not its end that was interrupted
    assert measured.pids == ()


def test_a_floor_that_does_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'floor.c:1: fatal error: sys/epoll.h: No such file' >&2; exit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    measured = peer_target("floor")
    said = r"cannot compile floor\.c: floor\.c:1: fatal error: sys/epoll\.h: .* apt-get"
    with pytest.raises(TargetError, match=said):
        measured.start()


def test_most_connections_leave_files_for_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for hard, most in ((20_000, 19_936), (sys.maxsize, 262_080)):
        monkeypatch.setattr(OpenFiles, "read", classmethod(lambda cls, hard=hard: cls(1024, hard)))
        assert most_connections() == most

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.targets.address import AddressTarget
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError, match_stream_dialogue, parse_address, show_address
from harness.targets.variant import Variant
from harness.workload import Endpoint
from tests.harness.fake import FAKE, fake_server, wait_until


@contextlib.contextmanager
def started(stage: str) -> Iterator[StageTarget]:
    target = StageTarget(Variant(stage), FAKE)
    target.start()
    try:
        yield target
    finally:
        target.stop()


def test_a_stage_is_started_on_free_ports_and_ended() -> None:
    with started("7") as target:
        (pid,) = target.pids
        (endpoint,) = target.endpoints
        assert target.publisher is not None
        assert target.publisher.url.startswith("http://127.0.0.1:")
        with socket.create_connection((endpoint.host, endpoint.port)) as fan:
            assert fan.recv(100).startswith(b"Welcome")
        assert target.ended() is None
        assert (target.name, target.variant) == ("stage 7", Variant("7"))
        assert os.getsid(pid) != os.getsid(0)  # Ctrl-C in a terminal does not reach it
    assert not psutil.pid_exists(pid)
    assert target.pids == ()
    target.stop()


def test_a_server_that_does_not_start_is_told_with_the_last_line_of_its_log() -> None:
    target = StageTarget(Variant("mute=2"), FAKE)
    with pytest.raises(
        TargetError, match=r"^stage mute=2 did not start: the server ended with status 2: fake: port taken$"
    ):
        target.start()
    assert target.pids == ()


def test_a_server_that_never_gets_ready_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.targets.stage.READY_TIMEOUT_S", 0.05)
    target = StageTarget(Variant("mute=1"), FAKE)
    with pytest.raises(TargetError, match="did not get ready within 0 s"):
        target.start()
    assert target.pids == ()


def test_a_ready_line_that_makes_no_sense_ends_the_server() -> None:
    target = StageTarget(Variant("mute=3"), FAKE)
    with pytest.raises(TargetError, match="'nowhere' is no address"):
        target.start()
    assert target.pids == ()


def test_more_nodes_have_more_time_to_get_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.targets.stage.READY_TIMEOUT_S", 0.05)
    monkeypatch.setattr("harness.targets.stage.NODE_TIMEOUT_S", 0.5)
    target = StageTarget(Variant("mute=1", nodes=3), FAKE)
    with pytest.raises(TargetError, match="stage mute=1, 3 nodes did not get ready within 2 s"):
        target.start()


def test_a_server_that_ends_by_itself_is_noticed() -> None:
    with started("0") as target:
        os.kill(target.pids[0], signal.SIGKILL)
        wait_until(lambda: target.ended() is not None)
        assert target.ended() == "the server was killed by signal 9"
    assert target.ended() is None


def test_a_server_that_does_not_listen_to_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("harness.targets.stage.STOP_TIMEOUT_S", 0.1)
    deaf = tmp_path / "deaf.py"
    deaf.write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready fans=0.0.0.0:1-2 http=[::]:3-4', flush=True)\n"
        "signal.pause()\n"
    )
    target = StageTarget(Variant("0"), (sys.executable, str(deaf)))
    target.start()
    process = psutil.Process(target.pids[0])
    assert target.endpoints == (Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2))
    assert target.publisher is not None
    assert target.publisher.urls == ("http://[::1]:3", "http://[::1]:4")
    assert target.publisher.url == "http://[::1]:3"
    target.stop()
    assert not process.is_running()


PARENT = """
import os, signal, subprocess, sys
child = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
nodes = [
    subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, start_new_session=apart)
    for apart in (False, True)
]
for node in nodes:
    node.stdout.readline()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print("ready fans=127.0.0.1:1-2 http=127.0.0.1:3-4", flush=True)
signal.pause()
"""


@pytest.fixture
def careless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageTarget:
    """Return a stage with a node in its session and one outside, neither of which ends with it."""
    monkeypatch.setattr("harness.targets.stage.ORPHANS_TIMEOUT_S", 0.1)
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    return StageTarget(Variant("3", nodes=2), (sys.executable, str(script)))


def test_nodes_that_do_not_end_with_their_parent_are_killed(careless: StageTarget) -> None:
    careless.start()
    parent = psutil.Process(careless.pids[0])
    nodes = parent.children()
    assert len(nodes) == 2
    careless.stop()
    assert psutil.wait_procs([parent, *nodes], 20)[1] == []


def test_nodes_of_a_parent_that_was_killed_are_killed_too(careless: StageTarget) -> None:
    careless.start()
    parent = psutil.Process(careless.pids[0])
    (node,) = (node for node in parent.children() if os.getsid(node.pid) == parent.pid)
    (apart,) = (node for node in parent.children() if os.getsid(node.pid) == node.pid)
    parent.kill()
    wait_until(lambda: careless.ended() is not None)
    careless.stop()
    assert psutil.wait_procs([node], 20)[1] == []
    apart.kill()  # whoever left the session of a parent that is gone cannot be told from anybody


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


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_nobody_answers() -> None:
    with pytest.raises(TargetError, match=r"^nobody answers at 127\.0\.0\.1:\d+ \(Connection refused\)"):
        AddressTarget(f"127.0.0.1:{unused_port()}", None).start()


def test_no_api_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATCHSTREAM_TOKEN", "t")
    with fake_server("0") as server, pytest.raises(TargetError, match="no answer from"):
        AddressTarget(f"127.0.0.1:{server.fans}", f"http://127.0.0.1:{unused_port()}").start()


def test_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MATCHSTREAM_TOKEN", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with fake_server("0") as server, pytest.raises(TargetError, match="no token for port"):
        AddressTarget(f"127.0.0.1:{server.fans}", f"http://127.0.0.1:{server.http}").start()


@pytest.mark.parametrize("url", ["127.0.0.1:8888", "http://", "ftp://a", "http://a:99999", "http://[::1"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(TargetError, match="is no URL of an API"):
        AddressTarget("127.0.0.1:9999", url)


@pytest.mark.parametrize("url", ["http://example.org", "https://example.org/"])
def test_a_url_needs_no_port(url: str) -> None:
    assert AddressTarget("127.0.0.1:9999", url).publishes


@pytest.mark.parametrize(
    ("text", "endpoints"),
    [
        ("127.0.0.1:9999", (Endpoint("127.0.0.1", 9999),)),
        ("example.org:9999-10000", (Endpoint("example.org", 9999), Endpoint("example.org", 10000))),
        ("[::1]:80", (Endpoint("::1", 80),)),
    ],
)
def test_addresses(text: str, endpoints: tuple[Endpoint, ...]) -> None:
    assert parse_address(text) == endpoints
    assert show_address(endpoints)[0] == text.partition("-")[0]


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":80", "host:0", "host:70000", "host:90-80", "::1:80", "a b:80", "h:80-"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(TargetError, match=r"is no address|no such ports"):
        parse_address(text)


def test_a_fan_watches_a_match_or_the_current_one() -> None:
    assert match_stream_dialogue("a-b-2026-01-01").hello == b"VERSION:1:CONNECT:{user}:MATCH:a-b-2026-01-01\n"
    assert match_stream_dialogue(None).hello == b"V:2:{user}\n"
    assert StageTarget(Variant("0"), FAKE).dialogue("m") == AddressTarget("h:1", None).dialogue("m")


def test_the_server_ends_with_a_harness_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from harness.targets.stage import StageTarget\n"
        "from harness.targets.variant import Variant\n"
        f"target = StageTarget(Variant('0'), {FAKE!r})\n"
        "target.start()\n"
        "print(target.pids[0], flush=True)\n"
        "sys.stdin.read()\n"
    )
    harness = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    assert harness.stdin is not None
    server = psutil.Process(int(harness.stdout.readline()))
    harness.kill()
    harness.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        server.wait(20)
    assert not server.is_running()
    harness.stdout.close()
    harness.stdin.close()


@pytest.mark.parametrize(
    ("variant", "name", "options"),
    [
        (Variant("2.5"), "stage 2.5", "--stage 2.5"),
        (
            Variant("2.5", without_lessons=("repeaters",)),
            "stage 2.5 without repeaters",
            "--stage 2.5 --without repeaters",
        ),
        (
            Variant("1", ("uvloop", "backlog"), ("files",)),
            "stage 1 with uvloop and backlog without files",
            "--stage 1 --with uvloop --with backlog --without files",
        ),
        (Variant("3", nodes=6), "stage 3, 6 nodes", "--stage 3 --nodes 6"),
        (Variant("3", nodes=1), "stage 3, 1 node", "--stage 3 --nodes 1"),
        (Variant("3", topology="connected"), "stage 3, connected nodes", "--stage 3 --topology connected"),
        (
            Variant("3", without_lessons=("groups",), nodes=6, topology="independent"),
            "stage 3 without groups, 6 independent nodes",
            "--stage 3 --without groups --nodes 6 --topology independent",
        ),
    ],
)
def test_a_variant_has_a_name_and_is_asked_for_on_the_command_line(variant: Variant, name: str, options: str) -> None:
    target = StageTarget(variant, FAKE)
    assert target.name == name
    assert variant.options == tuple(options.split())


def test_the_stage_gets_the_options_of_its_variant() -> None:
    variant = Variant("0", ("uvloop",), ("repeaters",), 2, "independent")
    target = StageTarget(variant, FAKE)
    target.start()
    try:
        command = psutil.Process(target.pids[0]).cmdline()
    finally:
        target.stop()
    where = ["--host", "127.0.0.1", "--port", "0", "--http-port", "0"]
    assert command[-len(variant.options) - 7 :] == ["serve", *variant.options, *where]

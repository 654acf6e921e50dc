"""A stage that is started for a trial, and ended with everything it started."""

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

from harness.interruption import interruptions_deferred
from harness.load.workload import Endpoint
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError
from harness.targets.variant import Variant
from tests.harness.fake import FAKE, wait_until
from tests.leftovers import StartedProcesses


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


def test_what_a_user_has_set_for_servers_of_their_own_is_not_for_one_that_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PORT", "PLAY", "NODES", "REDIS"):
        monkeypatch.setenv(f"MATCHSTREAM_{name}", "1")
    with started("7") as target:
        (pid,) = target.pids
        ours = {name for name in psutil.Process(pid).environ() if name.startswith("MATCHSTREAM_")}
    assert ours == {"MATCHSTREAM_TOKEN"}


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
    target = StageTarget(Variant("mute=1", nodes=4), FAKE)
    with pytest.raises(TargetError, match="stage mute=1, 4 nodes did not get ready within 2 s"):
        target.start()


def test_a_server_that_ends_by_itself_is_noticed() -> None:
    with started("0") as target:
        os.kill(target.pids[0], signal.SIGKILL)
        wait_until(lambda: target.ended() is not None)
        assert target.ended() == "the server was killed by signal 9"
    assert target.ended() is None


@pytest.fixture
def deaf(tmp_path: Path) -> StageTarget:
    """Return a stage that does not listen to SIGTERM."""
    script = tmp_path / "deaf.py"
    script.write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready fans=0.0.0.0:1-2 http=[::]:3-4', flush=True)\n"
        "signal.pause()\n"
    )
    return StageTarget(Variant("0"), (sys.executable, str(script)))


def test_a_server_that_does_not_listen_to_sigterm_is_killed(deaf: StageTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.targets.stage.STOP_TIMEOUT_S", 0.1)
    deaf.start()
    process = psutil.Process(deaf.pids[0])
    assert deaf.endpoints == (Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2))
    assert deaf.publisher is not None
    assert deaf.publisher.urls == ("http://[::1]:3", "http://[::1]:4")
    assert deaf.publisher.url == "http://[::1]:3"
    deaf.stop()
    assert not process.is_running()


def test_who_does_not_want_to_wait_for_its_end_interrupts_that(deaf: StageTarget) -> None:
    deaf.start()
    process = psutil.Process(deaf.pids[0])
    with interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            deaf.stop()
    assert not process.is_running()


def test_who_does_not_want_to_wait_for_its_beginning_interrupts_that(
    tmp_path: Path, processes: StartedProcesses
) -> None:
    script = tmp_path / "slow.py"
    script.write_text("import signal\nsignal.pause()\n")
    target = StageTarget(Variant("0"), (sys.executable, str(script)))
    with interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt) as interruption:
            target.start()
    assert interruption.value.__context__ is None  # it was not the end of the server that was interrupted
    assert processes.running() == []


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
        server.wait(60)
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
        (Variant("4", workers=1), "stage 4, 1 worker", "--stage 4 --workers 1"),
        (Variant("4", door="websocket"), "stage 4, by websocket", "--stage 4 --browser-port 0"),
        (Variant("4", nodes=2, workers=3), "stage 4, 2 nodes, 3 workers", "--stage 4 --nodes 2 --workers 3"),
    ],
)
def test_a_variant_has_a_name_and_is_asked_for_on_the_command_line(variant: Variant, name: str, options: str) -> None:
    target = StageTarget(variant, FAKE)
    assert target.name == name
    assert variant.options == tuple(options.split())


def test_the_stage_gets_the_options_of_its_variant() -> None:
    variant = Variant("0", ("uvloop",), ("repeaters",), 2, "independent", 3)
    target = StageTarget(variant, FAKE)
    target.start()
    try:
        command = psutil.Process(target.pids[0]).cmdline()
    finally:
        target.stop()
    where = ["--host", "127.0.0.1", "--port", "0", "--http-port", "0"]
    assert command[-len(variant.options) - 7 :] == ["serve", *variant.options, *where]

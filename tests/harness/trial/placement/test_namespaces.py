import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from harness.trial.placement.errors import PlacementError
from harness.trial.placement.namespaces import SERVER_ADDRESS, SOURCES, Namespace, check_possible, joined_namespaces
from tests.harness.trial.placement.root import needs_namespaces

PATIENCE_S = 60.0


def network_of(task: str = "thread-self") -> str:
    return str(Path(f"/proc/{task}/ns/net").readlink())


def links() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


def open_files() -> list[str]:
    return sorted(file.name for file in Path("/proc/self/fd").iterdir())


@needs_namespaces
def test_the_two_reach_each_other_and_the_machine_sees_nothing_of_it() -> None:
    here = network_of()
    with joined_namespaces() as pair:
        with pair.server.entered():
            assert links() == ["lo", "server"]
            listener = socket.create_server((SERVER_ADDRESS, 0))
        with listener, pair.generator.entered():
            assert network_of() != here
            assert links() == ["generator", "lo"]
            for source in SOURCES.take(5_000, 2):
                with socket.create_connection(listener.getsockname(), PATIENCE_S, (source, 0)):
                    accepted, address = listener.accept()
                    accepted.close()
                    assert address[0] == source
        assert network_of() == here
        assert not {"generator", "server"} & {*links()}  # others may come and go beside this test
        with pytest.raises(OSError, match=r"."):
            socket.create_connection(listener.getsockname(), 0.2)
    assert network_of() == here


@needs_namespaces
def test_a_child_is_where_it_was_started_and_other_threads_are_not() -> None:
    here = network_of()
    with joined_namespaces() as pair, pair.server.entered():
        there = network_of()
        child = subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, text=True, check=True)
        assert child.stdout.strip() == there != here
        seen: list[str] = []
        thread = threading.Thread(target=lambda: seen.append(network_of()))
        thread.start()
        thread.join()
        assert seen == [there]


@needs_namespaces
def test_an_interruption_inside_brings_the_thread_back() -> None:
    here = network_of()
    with suppress(KeyboardInterrupt), joined_namespaces() as pair, pair.generator.entered():
        raise KeyboardInterrupt
    assert network_of() == here


@needs_namespaces
def test_nothing_stays_open() -> None:
    before = open_files()
    with joined_namespaces() as pair, pair.server.entered():
        pass
    assert open_files() == before


def test_without_root_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PlacementError, match=r"^--netns needs root: run it with sudo, or leave it out for loopback$"):
        check_possible()


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PlacementError, match="install the Debian package iproute2"):
        check_possible()


def test_a_kernel_that_refuses_is_told() -> None:
    # Of a process without rights, so that it is the same for root.
    program = (
        "import os\n"
        "from harness.trial.placement.namespaces import Namespace\n"
        "from harness.trial.placement.errors import PlacementError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try:\n    Namespace.create()\n"
        "except PlacementError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("--netns is not possible here (unshare: Operation not permitted): it needs root")


@needs_namespaces
@pytest.mark.parametrize(
    ("ip", "says"),
    [
        ("#!/bin/sh\necho 'Error: what is' >&2\necho 'a veth?' >&2\nexit 1\n", "Error: what is a veth?"),
        ("", "ip cannot be run"),
    ],
)
def test_an_ip_that_fails_is_quoted_on_one_line(
    ip: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ip"
    program.write_text(ip)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    here = network_of()
    with pytest.raises(PlacementError) as refused, joined_namespaces():
        pass
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert network_of() == here


@needs_namespaces
def test_a_namespace_ends_with_who_holds_it() -> None:
    namespace = Namespace.create()
    namespace.close()
    with pytest.raises(PlacementError, match="setns: Bad file descriptor"), namespace.entered():
        pass

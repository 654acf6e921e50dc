"""What the generator's own side runs out of, open files and local ports: it says so, and blames no server."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.records.trial import TrialResult
from harness.trial.placement.namespaces import Namespace
from tests.harness.load.test_http import Handler, known, stored
from tests.harness.results import load_result
from tests.harness.targets.news_server import NewsServer
from tests.harness.test_cli import command
from tests.harness.trial.placement.root import needs_namespaces

FANS = 80
DIALOGUE = ("--hello", r"SUB news {user}\r\n", "--welcome", r"\n", "--answer", r"+OK\r\n")


def run_within(limit: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the harness as from a shell whose `ulimit` is that."""
    within = ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *command(*words)]
    return subprocess.run(within, capture_output=True, text=True, check=False)


def measuring(server: NewsServer, fans: int, out: Path) -> tuple[str, ...]:
    load = ("-N", str(fans), "-C", str(fans), "--slo", "failures=0")
    return ("measure", *load, "--target", f"tcp://127.0.0.1:{server.lines}", *DIALOGUE, "--out", str(out))


def only_result(out: Path) -> TrialResult:
    (file,) = out.glob("*.json")
    return load_result(file)


def test_requests_have_as_many_files_as_the_hard_limit_allows(tmp_path: Path) -> None:
    everybody = threading.Barrier(FANS)

    def answer(handler: Handler) -> None:
        everybody.wait(60)  # so all connections are open at once
        handler.say()

    with known(answer) as server:
        words = ("http", "--http", server.url, "-n", str(FANS), "-c", str(FANS), "--out", str(tmp_path))
        done = run_within("-Sn 64", *words)
    assert f"{FANS} of {FANS} succeeded; failures: none" in done.stdout, done.stderr
    limits = stored(tmp_path).machine.limits["open_files"]
    assert limits.soft == 64  # as before, for whatever is started next


def test_requests_without_an_open_file_are_the_generators_fault(tmp_path: Path) -> None:
    with known() as server:
        words = ("http", "--http", server.url, "-n", "100", "-c", "100", "--out", str(tmp_path))
        done = run_within("-n 64", *words)
    assert (done.returncode, done.stderr) == (3, "")
    result = stored(tmp_path)
    assert "not connected" not in result.seen.failures
    without = result.seen.failures["no_file"]
    assert without > 0
    assert f"{without} no file" in done.stdout
    line = (
        f"the generator could not make {without} connections: no open file was left on its side (EMFILE, ENFILE); "
        "raise the limit (ulimit -Hn), or the machine's (fs.file-max), or use a smaller -c"
    )
    assert line in result.validity.reasons
    assert "INVALID" in done.stdout


@pytest.mark.parametrize(("limit", "processes"), [("-Sn 64", 1), ("-n 96", 3)])
def test_fans_are_dealt_to_as_many_processes_as_the_hard_limit_asks_for(
    limit: str, processes: int, tmp_path: Path
) -> None:
    with NewsServer() as server:
        done = run_within(limit, *measuring(server, FANS, tmp_path))
    result = only_result(tmp_path)
    assert (result.seen.fans.served, result.seen.fans.failures) == (FANS, {}), done.stdout
    assert result.generator.processes == processes


def test_more_processes_than_there_are_files_to_lead_them_are_refused(tmp_path: Path) -> None:
    with NewsServer() as server:
        done = run_within("-n 70", *measuring(server, FANS, tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "harness: so many connections need 14 generator processes, and a limit of 70 open files has no room to lead so "
        "many: raise it (ulimit -Hn), or use a smaller N\n"
    )


@contextmanager
def network_of_its_own() -> Iterator[None]:
    """A network in which nothing is but what is started inside."""
    namespace = Namespace.create()
    try:
        with namespace.entered():
            subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
            yield
    finally:
        namespace.close()


def leave_four_ports() -> None:
    """Leave that network four local ports an address, besides those that are taken already."""
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40003\n")


@needs_namespaces
def test_fans_without_a_local_port_are_the_generators_fault(tmp_path: Path) -> None:
    with network_of_its_own(), NewsServer() as server:
        leave_four_ports()
        done = subprocess.run(command(*measuring(server, 10, tmp_path)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    result = only_result(tmp_path)
    assert (result.seen.fans.served, result.seen.fans.failures) == (4, {"no_port": 6})
    line = (
        "the generator could not make 6 connections: no local port was left on its side (EADDRNOTAVAIL, EADDRINUSE); "
        "widen net.ipv4.ip_local_port_range, wait a minute for the ports of connections that ended, or use a smaller N"
    )
    assert line in result.validity.reasons
    assert result.bound.name == "generator"


@needs_namespaces
def test_requests_without_a_local_port_are_the_generators_fault(tmp_path: Path) -> None:
    several = threading.Event()

    def answer(handler: Handler) -> None:
        if server.requests >= 2:
            several.set()
        several.wait(60)  # so the first connections are open at once, and the others find no port
        handler.say()

    with network_of_its_own(), known(answer) as server:
        leave_four_ports()
        words = command("http", "--http", server.url, "-n", "20", "-c", "10", "--out", str(tmp_path))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    result = stored(tmp_path)
    assert result.seen.failures == {"no_port": 20 - result.seen.succeeded}
    assert any("no local port was left on its side" in reason for reason in result.validity.reasons)

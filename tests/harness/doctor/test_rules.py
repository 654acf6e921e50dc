"""What was seen of a server, made up, and what the doctor makes of it."""

import shutil
from pathlib import Path

import msgspec
import pytest

from harness.doctor.advice import load_advice
from harness.doctor.looked import Blocked, Looked, runtime_of
from harness.doctor.rules import RULES, findings
from harness.records.trial import Bound, TrialResult
from tests.harness.results import a_result, a_server, seen_by, some_fans
from tests.needs import needs


def trial(bound: str = "nothing", cpu_peak: float = 1.9, **failures: int) -> TrialResult:
    result = a_result(seen=seen_by(some_fans(900, **failures), slowest_s=2.0))
    replace = msgspec.structs.replace
    return replace(
        result,
        asked=replace(result.asked, load=replace(result.asked.load, c=500)),
        server=replace(a_server(), cpu_peak=cpu_peak),
        bound=Bound(name=bound, evidence="as was seen"),
    )


@pytest.mark.parametrize(
    ("result", "looked", "knobs"),
    [
        (trial(), Looked(), []),
        (trial("open files"), Looked(hard_files=100_000), ["open-files"]),
        (trial(), Looked(backlog=128, somaxconn=4096, turned_away=3), ["backlog"]),
        (trial("accept queue"), Looked(), ["backlog"]),
        (trial("accept queue"), Looked(backlog=128, somaxconn=4096), []),  # of somebody else on this machine
        (trial(), Looked(backlog=128, somaxconn=128, turned_away=3), ["somaxconn"]),
        (trial(), Looked(backlog=4096, somaxconn=4096, turned_away=30), ["accepts-slowly"]),
        (trial(), Looked(backlog=4096, somaxconn=4096, turned_away=3), []),
        (trial(), Looked(busiest_thread=0.97), ["one-core"]),
        (trial("other load"), Looked(busiest_thread=0.97), ["other-load"]),
        (trial("CPU"), Looked(busiest_thread=0.6), ["all-cores"]),
        (trial("CPU", cpu_peak=1.01), Looked("go", busiest_thread=0.6), ["one-core"]),
        (trial("CPU"), Looked(busiest_thread=0.97), ["one-core"]),
        (trial(), Looked(blocked=(Blocked("write", "terminal", 0.4),)), ["log"]),
        (trial(), Looked(blocked=(Blocked("write", "socket", 0.4), Blocked("write", "file", 0.05))), []),
        (trial(), Looked(blocked=(Blocked("fsync", "file", 0.4),)), ["disk"]),
        (trial(), Looked(blocked=(Blocked("clock_nanosleep", "", 0.4),)), ["sleep"]),
        (trial(), Looked(blocked=(Blocked("recvfrom", "socket", 0.4),)), ["waits-for-others"]),
        (trial(), Looked("python", blocked=(Blocked("futex", "", 0.4),), busiest_thread=0.1), ["lock"]),
        (trial(), Looked("go", blocked=(Blocked("futex", "", 0.4),), busiest_thread=0.5), []),
        (trial(), Looked("go", blocked=(Blocked("futex", "", 0.4),), busiest_thread=0.1), ["idle"]),
        (trial(), Looked(blocked=(Blocked("recvfrom", "client", 0.4),)), []),
        (trial(), Looked(stores={"Redis": 1}, busiest_thread=0.5), ["one-store-connection"]),
        (trial(), Looked(stores={"Redis": 10}, busiest_thread=0.5), []),
        (trial("other load"), Looked(stores={"Redis": 1}, busiest_thread=0.2), ["other-load"]),
        (trial(), Looked(busiest_thread=0.1), ["idle"]),
        (trial(), Looked(busiest_thread=0.1, turned_away=3, backlog=128, somaxconn=4096), ["backlog"]),
        (trial(), Looked(busiest_thread=0.1, throttled=0.3), ["quota"]),
        (trial(), Looked(throttled=0.3), ["quota"]),
        (trial(status_429=5, status_404=5), Looked(), ["own-limit"]),
        (trial(status_404=5), Looked(), []),
        (trial("memory"), Looked(), ["memory"]),
        (trial(), Looked(conntrack=(262_000, 262_144)), ["conntrack"]),
        (trial(no_port=3), Looked(), ["ports"]),
        (
            trial("open files", status_503=1),
            Looked(throttled=0.3, busiest_thread=1.0),
            ["open-files", "own-limit", "quota", "one-core"],
        ),
    ],
)  # fmt: skip
def test_one_fault_one_finding(result: TrialResult, looked: Looked, knobs: list[str]) -> None:
    assert [finding.knob for finding in findings(result, looked, load_advice())] == knobs


def test_the_lines_are_those_of_the_runtime() -> None:
    (found,) = findings(trial(), Looked("node", backlog=128, somaxconn=4096, turned_away=3), load_advice())
    assert found.lines == ("server.listen({ port, backlog: 4096 })", "listen(fd, 4096)")
    assert (
        found.because
        == "3 attempts to connect found the accept queue full, which has room for 128 where 500 came at once"
    )


def test_the_table_has_a_row_for_each_rule_and_each_says_what_it_moves() -> None:
    table = load_advice()
    assert set(table) == {knob for knob, _ in RULES}
    runtimes = {"any", "python", "node", "go", "java", "erlang", "nginx", "redis"}
    for advice in table.values():
        assert advice.source
        assert "any" in advice.lines or len(advice.lines) > 1
        assert set(advice.lines) <= runtimes


@pytest.mark.parametrize(
    ("program", "beginning", "runtime"),
    [
        ("python3.11", b"", "python"),
        ("gunicorn: master", b"", "python"),
        ("node", b"", "node"),
        ("beam.smp", b"", "erlang"),
        ("valkey-server", b"", "redis"),
        ("chat", b"\x7fELF ... \x04\0\0\0S\0\0\0\x04\0\0\0Go\0\0pQw", "go"),
        ("mosquitto", b"\x7fELF ... \x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0", ""),
        ("mosquitto", b"\x7fELF", ""),
    ],
)
def test_what_it_runs_in(program: str, beginning: bytes, runtime: str) -> None:
    assert runtime_of(program, beginning) == runtime


@needs("nats-server", "nats-server")
def test_a_program_of_go_is_known_by_its_first_bytes() -> None:
    program = shutil.which("nats-server")
    assert program is not None
    with Path(program).open("rb") as file:
        assert runtime_of("nats-server", file.read(1 << 16)) == "go"

"""From limits to ceilings: what each allows, which is met first, and that the lines which raise it do."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.tuning.ceilings import Ceiling, Counts, Diagnosis, Needs
from common.tuning.cgroup import Room
from common.tuning.diagnosis import diagnose
from common.tuning.host_limits import HostLimits
from common.tuning.open_files import OpenFiles, kept_files
from common.tuning.profile import parse_profile
from common.tuning.sysctl import Finding, check
from tests.common.tuning.kernel import PROFILE, TUNED, make_kernel

MIB = 2**20
NEEDS = Needs(
    processes=2,
    open_files=1_000_000,
    own_files=34,
    fan_bytes=10_000,
    standing_bytes=100 * MIB,
    tasks=2,
    other_tasks=7,
    ports=8,
    backlog=128_000,
    more_open_files="",
    more_backlog="",
    more_processes="serve --nodes",
)
ALONE = replace(NEEDS, processes=1, open_files=1024, ports=1, backlog=5, spread=replace(NEEDS, own_files=50))
HOST = HostLimits(
    open_files=OpenFiles(1024, 20_050),
    sysctls={
        "fs.file-max": "300000",
        "fs.file-nr": "400 0 300000",
        "fs.nr_open": "1048576",
        "net.core.somaxconn": "4096",
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.ipv4.ip_local_reserved_ports": "",
        "net.ipv4.tcp_max_syn_backlog": "2048",
        "net.ipv4.tcp_mem": "1000 2000 70000",
        "net.ipv4.tcp_syncookies": "1",
        "net.netfilter.nf_conntrack_count": "30",
        "net.netfilter.nf_conntrack_max": "262144",
    },
    memory_available=1100 * MIB,
    tcp_pages=500,
    memory=Room(Path("/sys/fs/cgroup/a b/memory.max"), 900 * MIB, 300 * MIB),
    tasks=Room(Path("/sys/fs/cgroup/pids.max"), 100, 80),
)


def tuned(**sysctls: str) -> HostLimits:
    """Return HOST with other settings: `fs_nr_open` is `fs.nr_open`, all but the dots as they are."""
    names = {re.sub(r"\W", "_", name): name for name in HOST.sysctls}
    return replace(HOST, sysctls={**HOST.sysctls, **{names[name]: value for name, value in sysctls.items()}})


def ceilings(host: HostLimits = HOST, needs: Needs = NEEDS, expected: int | None = None) -> dict[str, Ceiling]:
    return {one.name: one for one in diagnose(host, needs, {}, expected=expected).ceilings}


def allowed(host: HostLimits = HOST, needs: Needs = NEEDS) -> dict[str, int | None]:
    return {name: one.allows for name, one in ceilings(host, needs).items()}


def test_what_each_limit_allows_the_lowest_first() -> None:
    assert list(allowed().items()) == [
        ("open files", 2 * (20_050 - 16 - 34)),
        ("cgroup memory.max", 500 * MIB // 10_000),
        ("memory", 1000 * MIB // 10_000),
        ("cgroup pids.max", 6 * 20_000),
        ("net.netfilter.nf_conntrack_max", 262_114),
        ("fs.file-max", 300_000 - 400 - 2 * 34),
        ("fs.nr_open", 2 * (1_048_576 - 16 - 34)),
        ("net.ipv4.tcp_mem", 69_500),
        ("net.ipv4.ip_local_port_range", 8 * 28_232),
        ("accept queue", 8 * 4097),
        ("net.ipv4.tcp_max_syn_backlog", None),
    ]
    assert {one.counts for one in ceilings().values()} == set(Counts)


@pytest.mark.parametrize(
    ("host", "needs", "name", "allows"),
    [
        (HOST, ALONE, "open files", 1024 - 16 - 34),  # as it asks: the hard limit is above that
        (replace(HOST, open_files=OpenFiles(256, 256)), ALONE, "open files", 256 - 16 - 34),
        (replace(HOST, open_files=OpenFiles(40, 40)), ALONE, "open files", 40 - 5 - 34),  # fewer are kept of few
        (replace(HOST, open_files=OpenFiles(20, 20)), NEEDS, "open files", 0),
        (replace(HOST, open_files=OpenFiles(1024, sys.maxsize)), NEEDS, "open files", 2 * (1_000_000 - 50)),
        (tuned(fs_file_max="9223372036854775807"), NEEDS, "fs.file-max", None),  # systemd's: no limit
        (tuned(fs_file_max="100"), NEEDS, "fs.file-max", 0),
        (tuned(net_netfilter_nf_conntrack_count="0"), NEEDS, "net.netfilter.nf_conntrack_max", None),
        (tuned(net_ipv4_tcp_mem="1 2"), NEEDS, "net.ipv4.tcp_mem", None),
        (tuned(net_ipv4_tcp_syncookies="0"), NEEDS, "net.ipv4.tcp_max_syn_backlog", 8 * 1536),
        (HOST, ALONE, "accept queue", 6),  # five wait and one is in the hand
        (HOST, ALONE, "net.ipv4.ip_local_port_range", 28_232),
        (
            tuned(net_ipv4_ip_local_reserved_ports="80,40000,50000-50009,60990-61010"),
            ALONE,
            "net.ipv4.ip_local_port_range",
            28_232 - 1 - 10 - 10,
        ),
        (replace(HOST, memory_available=MIB), NEEDS, "memory", 0),
        (replace(HOST, tasks=Room(Path("pids.max"), 10, 9)), NEEDS, "cgroup pids.max", 0),
    ],
)
def test_a_limit_allows(host: HostLimits, needs: Needs, name: str, allows: int | None) -> None:
    assert allowed(host, needs).get(name) == allows


def test_what_cannot_be_read_bounds_nothing() -> None:
    unread = HostLimits(
        open_files=HOST.open_files, sysctls={}, memory_available=None, tcp_pages=0, memory=None, tasks=None
    )
    assert list(allowed(unread)) == ["open files"]


@pytest.mark.parametrize(
    ("host", "needs", "expected", "name", "change"),
    [
        (HOST, NEEDS, None, "open files", ("ulimit -n 40050", "LimitNOFILE=40050", "serve --nodes 4")),
        (HOST, NEEDS, 100_001, "open files", ("ulimit -n 50051", "LimitNOFILE=50051", "serve --nodes 6")),
        (HOST, NEEDS, 40_000, "open files", ()),
        (HOST, NEEDS, 3_000_000, "open files", ("ulimit -n 1000000", "LimitNOFILE=1000000", "serve --nodes 150")),
        (HOST, ALONE, 40_000, "open files", ("serve --nodes 3",)),  # each of which has more files of its own
        (HOST, replace(ALONE, more_open_files="--with x"), 40_000, "open files", ("--with x", "serve --nodes 3")),
        (replace(HOST, open_files=OpenFiles(9, 50)), ALONE, 90, "open files", ("ulimit -n 140", "LimitNOFILE=140")),
        (HOST, NEEDS, 400_000, "fs.file-max", ("sysctl -w fs.file-max=400468",)),
        (HOST, NEEDS, 3_000_000, "fs.nr_open", ("sysctl -w fs.nr_open=1500050",)),
        (HOST, NEEDS, 80_000, "net.ipv4.tcp_mem", ('sysctl -w net.ipv4.tcp_mem="1000 2000 80500"',)),
        (HOST, NEEDS, 200_000, "memory", ("make 2,007 MiB available",)),
        (
            HOST,
            NEEDS,
            60_000,
            "cgroup memory.max",
            ("echo 1019430400 > '/sys/fs/cgroup/a b/memory.max'", "MemoryMax=1019430400"),
        ),
        (HOST, NEEDS, 200_000, "cgroup pids.max", ("echo 107 > /sys/fs/cgroup/pids.max", "TasksMax=107")),
        (HOST, replace(ALONE, more_backlog="--with y"), None, "accept queue", ("--with y",)),
        (HOST, NEEDS, None, "accept queue", ()),  # no profile says how much is well
    ],
)
def test_a_limit_is_raised(
    host: HostLimits, needs: Needs, expected: int | None, name: str, change: tuple[str, ...]
) -> None:
    assert ceilings(host, needs, expected)[name].change == change


def advice(tmp_path: Path, settings: dict[str, str] | None = None) -> dict[str, Finding]:
    """Return what the small profile of `tests.common.tuning.kernel` says of a kernel."""
    return {one.setting.name: one for one in check(parse_profile(PROFILE, "small"), make_kernel(tmp_path, settings))}


def test_a_profile_gives_its_number_where_it_is_larger_and_its_reason(tmp_path: Path) -> None:
    found = {one.name: one for one in diagnose(HOST, NEEDS, advice(tmp_path), expected=80_000).ceilings}
    assert found["net.ipv4.tcp_mem"].change == ('sysctl -w net.ipv4.tcp_mem="104857 157286 209715"',)
    assert found["net.ipv4.ip_local_port_range"].change == ('sysctl -w net.ipv4.ip_local_port_range="16384 65535"',)
    assert found["accept queue"].change == ("sysctl -w net.core.somaxconn=1024",)
    assert found["accept queue"].reason == "Bounds C."
    assert found["memory"].reason == ""


def test_what_is_as_a_profile_asks_is_left_alone(tmp_path: Path) -> None:
    found = {one.name: one for one in diagnose(HOST, NEEDS, advice(tmp_path, TUNED)).ceilings}
    assert found["net.ipv4.ip_local_port_range"].change == found["accept queue"].change == ()


@pytest.mark.parametrize(
    ("settings", "ports", "line"),
    [
        ({}, range(9999, 10_003), None),
        ({}, range(32_760, 32_768), None),
        ({}, range(32_766, 32_769), "32766-32768"),
        ({}, range(60_999, 61_003), "60999-61002"),
        ({"net_ipv4_ip_local_port_range": "1024 65535"}, range(9999, 10_003), "9999-10002"),
        ({"net_ipv4_ip_local_reserved_ports": "40000-40003"}, range(40_000, 40_004), None),
        ({"net_ipv4_ip_local_reserved_ports": "80,40000"}, range(40_000, 40_004), "80,40000,40000-40003"),
    ],
)
def test_listeners_that_clients_may_hold_are_warned_of(
    settings: dict[str, str], ports: range, line: str | None
) -> None:
    warnings = diagnose(tuned(**settings), NEEDS, {}, listeners=[ports]).warnings
    assert [text.rpartition("ip_local_reserved_ports=")[2] for text in warnings] == ([] if line is None else [line])


COUNTS = st.integers(0, 2**40)
HOSTS = st.builds(
    HostLimits,
    open_files=st.builds(OpenFiles, st.just(1), st.integers(1, 2**40)),
    sysctls=st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("fs.file-max", "fs.file-nr", "fs.nr_open"), COUNTS.map(str)),
            "net.ipv4.tcp_mem": st.tuples(COUNTS, COUNTS, COUNTS).map(lambda three: " ".join(map(str, three))),
            "net.netfilter.nf_conntrack_count": COUNTS.map(str),
            "net.netfilter.nf_conntrack_max": COUNTS.map(str),
        },
    ),
    memory_available=st.none() | COUNTS,
    tcp_pages=COUNTS,
    memory=st.none() | st.builds(Room, st.just(Path("/m/memory.max")), COUNTS, COUNTS),
    tasks=st.none() | st.builds(Room, st.just(Path("/p/pids.max")), COUNTS, COUNTS),
)
SERVERS = st.builds(
    lambda processes, open_files, own: replace(NEEDS, processes=processes, open_files=open_files, own_files=own),
    st.integers(1, 200),
    st.integers(1024, 2**20),
    st.integers(1, 300),
)
FANS = st.integers(1, 2**40)


@given(host=HOSTS, needs=SERVERS, expected=st.none() | FANS)
def test_what_bounds_first_is_the_lowest_and_decides(host: HostLimits, needs: Needs, expected: int | None) -> None:
    found = diagnose(host, needs, {}, expected=expected)
    of_fans = [one.allows for one in found.ceilings if one.counts is Counts.FANS and one.allows is not None]
    assert found.holds == min(of_fans)
    assert found.first.allows == found.holds
    assert found.is_met == (expected is None or all(allows >= expected for allows in of_fans))
    assert found.is_met == (expected is None or not any(one.is_below(expected) for one in found.ceilings))


@given(host=HOSTS, needs=SERVERS)
def test_a_process_more_never_leaves_less_room_for_files(host: HostLimits, needs: Needs) -> None:
    more = replace(needs, processes=needs.processes + 1)
    for name in ("open files", "fs.nr_open"):
        assert (allowed(host, more).get(name) or 0) >= (allowed(host, needs).get(name) or 0)


@given(host=HOSTS, needs=SERVERS, fans=FANS)
def test_the_lines_make_the_room_that_is_asked_for(host: HostLimits, needs: Needs, fans: int) -> None:
    """Where every line was carried out there is room for all, if the server's own limit of open files allows it."""
    after = diagnose(carried_out(diagnose(host, needs, {}, expected=fans), host), needs, {}, expected=fans)
    most = needs.processes * (needs.open_files - kept_files(needs.open_files) - needs.own_files)
    short = [one.name for one in after.ceilings if one.is_below(fans)]
    assert set(short) <= ({"open files", "cgroup pids.max"} if fans > most else set())


def carried_out(found: Diagnosis, host: HostLimits) -> HostLimits:
    """Return what a machine is like once the first line of each ceiling was carried out."""
    sysctls = dict(host.sysctls)
    for line in (one.change[0] for one in found.ceilings if one.change):
        if setting := re.fullmatch(r'sysctl -w ([\w.-]+)="?([\d ]+)"?', line):
            sysctls[setting[1]] = setting[2]
        elif limit := re.fullmatch(r"ulimit -n (\d+)", line):
            host = replace(host, open_files=OpenFiles(int(limit[1]), int(limit[1])))
        elif memory := re.fullmatch(r"echo (\d+) > /m/memory.max", line):
            assert host.memory is not None
            host = replace(host, memory=replace(host.memory, limit=int(memory[1])))
        elif tasks := re.fullmatch(r"echo (\d+) > /p/pids.max", line):
            assert host.tasks is not None
            host = replace(host, tasks=replace(host.tasks, limit=int(tasks[1])))
        elif size := re.fullmatch(r"make ([\d,]+) MiB available", line):
            host = replace(host, memory_available=(int(size[1].replace(",", "")) + 1) * MIB)
        else:
            assert line.startswith("serve --nodes ")
    return replace(host, sysctls=sysctls)

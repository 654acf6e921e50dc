from pathlib import Path

from common.tuning.host_limits import HostLimits, read_advice, read_host_limits
from common.tuning.open_files import OpenFiles
from common.tuning.sysctl import load_profile
from tests.common.tuning.tree import plant

FILES = {
    "proc/meminfo": "MemTotal:        4096 kB\nMemFree:  1 kB\nMemAvailable:    3072 kB\n",
    "proc/net/sockstat": "sockets: used 9\nTCP: inuse 2 orphan 0 tw 39 alloc 4 mem 17\nUDP: inuse 0 mem 3\n",
    "proc/self/cgroup": "0::/\n",
    "proc/sys/fs/file-nr": "377\t0\t2466170\n",
    "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
    "proc/sys/net/ipv4/ip_local_reserved_ports": "\n",
    "proc/sys/kernel/pid_max": "32768\n",
    "sys/fs/cgroup/pids.max": "12\n",
}


def test_a_machine_is_read(tmp_path: Path) -> None:
    found = read_host_limits(plant(tmp_path, FILES))
    assert (found.memory_available, found.tcp_pages, found.memory) == (3072 * 1024, 17, None)
    assert found.tasks is not None
    assert found.tasks.limit == 12
    assert found.open_files == OpenFiles.read()
    assert found.sysctls == {
        "fs.file-nr": "377 0 2466170",
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.ipv4.ip_local_reserved_ports": "",
    }


def test_what_cannot_be_read_is_missing(tmp_path: Path) -> None:
    nothing = HostLimits(
        open_files=OpenFiles.read(), sysctls={}, memory_available=None, tcp_pages=0, memory=None, tasks=None
    )
    assert read_host_limits(tmp_path) == nothing
    assert read_host_limits(plant(tmp_path, {"proc/net/sockstat": "TCP: inuse 2\n"})) == nothing


def test_the_profiles_advise_and_the_servers_word_is_the_last(tmp_path: Path) -> None:
    advice = read_advice(plant(tmp_path, {**FILES, "proc/sys/net/core/somaxconn": "128\n"}))
    assert advice["net.ipv4.ip_local_port_range"].target == "16384 65535"  # of the generator alone
    assert advice["net.core.somaxconn"].now == "128"
    servers = {setting.name: setting for setting in load_profile("server").settings}
    assert advice["fs.file-max"].setting == servers["fs.file-max"]  # the generator has one of its own


def test_without_a_checkout_nobody_advises(tmp_path: Path) -> None:
    assert read_advice(tmp_path, profiles=tmp_path / "none") == {}


def test_this_machine_can_be_read() -> None:
    assert read_host_limits().open_files == OpenFiles.read()

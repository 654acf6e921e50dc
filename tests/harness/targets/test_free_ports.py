import socket
from pathlib import Path

import pytest

from harness.load.workload import Endpoint
from harness.targets import free_ports
from harness.targets.free_ports import free_endpoints
from harness.targets.target import TargetError


@pytest.fixture
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> range:
    """Leave five ports outside the kernel's range, and return them."""
    (tmp_path / "range").write_text("10005\t65535\n")
    monkeypatch.setattr(free_ports, "_RANGE", tmp_path / "range")
    return range(10_000, 10_005)


def test_ports_are_free_different_and_outside_the_kernels_range() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    endpoints = free_endpoints("127.0.0.1", 5)
    assert len({endpoint.port for endpoint in endpoints}) == 5
    for endpoint in endpoints:
        assert not low <= endpoint.port <= high
        socket.create_server((endpoint.host, endpoint.port)).close()


def test_a_port_where_somebody_listens_is_not_taken(narrow: range) -> None:
    with socket.create_server(("127.0.0.3", narrow[2])):
        assert Endpoint("127.0.0.3", narrow[2]) not in free_endpoints("127.0.0.3", 4)
        with pytest.raises(TargetError, match=r"^no 5 ports of 127\.0\.0\.3 are free: end what listens outside 10005-"):
            free_endpoints("127.0.0.3", 5)

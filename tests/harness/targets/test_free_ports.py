import socket
from pathlib import Path

import pytest

from harness.targets.free_ports import free_endpoints
from harness.targets.target import TargetError


def test_ports_are_free_different_and_outside_the_kernels_range() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    endpoints = free_endpoints("127.0.0.1", 5)
    assert len({endpoint.port for endpoint in endpoints}) == 5
    for endpoint in endpoints:
        assert not low <= endpoint.port <= high
        socket.create_server((endpoint.host, endpoint.port)).close()


def test_where_somebody_listens_nothing_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.3", 0)) as taken:
        monkeypatch.setattr("random.randrange", lambda *_: taken.getsockname()[1])
        with pytest.raises(TargetError, match=r"^no 1 ports of 127\.0\.0\.3 are free: end what listens there$"):
            free_endpoints("127.0.0.3", 1)

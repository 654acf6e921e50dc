"""Sockets that listen: which addresses a host stands for, and which ports are free."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.listening import LOWEST, CannotListenError, bind_socket, random_range, range_from


def connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def everywhere() -> Iterator[int]:
    """Return a port on which somebody listens at ::."""
    with closing(bind_socket("::", 0)) as sock:
        sock.listen()
        yield sock.getsockname()[1]


def test_all_addresses_are_those_of_ipv4_and_of_ipv6(everywhere: int) -> None:
    assert [connects(host, everywhere) for host in ("127.0.0.1", "127.0.0.2", "::1")] == [True, True, True]


def test_a_name_is_its_ipv4_address_if_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def both(_host: str, port: int, *, type: int) -> list[object]:  # noqa: A002  # as the original names it
        return [*resolve("::1", port, type=type), *resolve("127.0.0.1", port, type=type)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with closing(bind_socket("localhost", 0)) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_an_ipv6_address_is_that_one_alone() -> None:
    with closing(bind_socket("::1", 0)) as sock:
        sock.listen()
        assert connects("::1", sock.getsockname()[1])
        assert not connects("127.0.0.1", sock.getsockname()[1])


@given(first=st.integers(1, 65_535), count=st.integers(1, 100))
def test_a_first_port_gives_one_range(first: int, count: int) -> None:
    if first + count - 1 > 65_535:
        with pytest.raises(CannotListenError, match=f"^there are no {count} ports from {first} on: choose a lower"):
            range_from(first, count)
    else:
        assert range_from(first, count) == range(first, first + count)


@given(count=st.integers(1, 200))
def test_free_ranges_are_looked_for_where_no_client_is(count: int) -> None:
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = random_range(count)
    assert len(ports) == count
    assert ports[0] >= LOWEST
    assert ports[-1] < max(ephemeral, LOWEST + count + 1)


def test_free_ranges_are_not_always_the_same() -> None:
    assert len({random_range(4)[0] for _ in range(64)}) > 1

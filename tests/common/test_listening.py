"""Sockets that listen: which addresses a host stands for."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from common.listening import bind_socket


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

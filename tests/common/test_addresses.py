"""Addresses, read and written."""

import pytest

from common.addresses import AddressError, HostPorts, join, parse

ADDRESSES = {
    "127.0.0.1:9999": HostPorts("127.0.0.1", range(9999, 10000)),
    "node-1.example:9999-10002": HostPorts("node-1.example", range(9999, 10003)),
    "localhost:1-65535": HostPorts("localhost", range(1, 65536)),
    "localhost:80-80": HostPorts("localhost", range(80, 81)),
    "[::1]:9999-10000": HostPorts("::1", range(9999, 10001)),
    "[::ffff:127.0.0.1]:80": HostPorts("::ffff:127.0.0.1", range(80, 81)),
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.items(), ids=ADDRESSES.keys())
def test_an_address(text: str, expected: HostPorts) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9999",
        "localhost",
        "localhost:",
        ":9999",
        "localhost:http",
        "localhost:-1",
        "localhost:1-",
        "localhost:1-2-3",
        "localhost:100000",
        "localhost:٩",
        "::1:9999",
        "[]:9999",
        "[:::]:9999",
        "[127.0.0.1]:9999",
        "[fe80::1%eth0]:9999",
        "a b:9999",
        "localhost:9999\n",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError, match="write HOST:PORT or HOST:PORT-PORT") as refused:
        parse(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["localhost:0", "localhost:65536", "localhost:2-1", "localhost:1-65536"])
def test_ports_that_there_are_not(text: str) -> None:
    with pytest.raises(AddressError, match="from 1 to 65535, the lower one first") as refused:
        parse(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["localhost:9999", "127.0.0.1:9999", "[::1]:9999"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    found = parse(text)
    assert join(found.host, found.ports[0]) == text

"""Addresses, read and written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.addresses import AddressError, HostPorts, join, parse, parse_http_url, parse_one

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


hosts = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True) | st.ip_addresses(v=4).map(str)
ports = st.integers(1, 65535)


@given(hosts, ports)
def test_an_address_is_host_and_port(host: str, port: int) -> None:
    assert parse_one(f"{host}:{port}") == (host, port)


@given(st.ip_addresses(v=6).map(str), ports)
def test_an_ipv6_address_stands_in_brackets(host: str, port: int) -> None:
    assert parse_one(f"[{host}]:{port}") == (host, port)


@given(st.text() | st.text("0123456789:[].ab ", max_size=12))
@example("host:" + "9" * 5000)
@example("host:\u0663")
@example("host:99999")
@example("host:0")
@example("host:9999-10002")
@example(":9999")
@example("[]:9999")
@example("a b:9999")
@example("host:9999\n")
def test_anything_else_is_refused_and_quoted(text: str) -> None:
    try:
        host, port = parse_one(text)
    except AddressError as error:
        refusal = str(error)
    else:
        assert host.split() == [host]
        assert 0 < port < 65536
        refusal = f"{text!r} is none"
    assert repr(text) in refusal


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://127.0.0.1:8888", "127.0.0.1", 8888),
        ("http://[::1]/1", "::1", 80),
        ("https://node-1.example", "node-1.example", 443),
    ],
)
def test_a_url_has_a_host_and_a_port(text: str, host: str, port: int) -> None:
    found = parse_http_url(text)
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize("text", ["", "127.0.0.1:8888", "ftp://127.0.0.1", "http://", "http://h:x", "http://h:99999"])
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(AddressError, match="is no URL of an API") as refused:
        parse_http_url(text)
    assert repr(text) in str(refused.value)

"""Addresses as people write them: `HOST:PORT`, or `HOST:PORT-PORT` where a server listens on a range of ports."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

_ADDRESS = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]]+)):(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?"
)

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # compared with, not listened on


class AddressError(Exception):
    """That is no address; the message says in one line how to write one."""


@dataclass(frozen=True, slots=True)
class HostPorts:
    """A host, an IPv6 one without its brackets, and consecutive ports of it, of which there is at least one."""

    host: str
    ports: range


def parse(text: str) -> HostPorts:
    """Return what `HOST:PORT` or `HOST:PORT-PORT` says; an IPv6 address is in brackets. Raise AddressError.

    Whether there is such a host is not asked.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or (found["ipv6"] is not None and not _is_ipv6(found["ipv6"])):
        raise AddressError(f"{text!r} is no address: write HOST:PORT or HOST:PORT-PORT")
    first = int(found["first"])
    last = int(found["last"] or first)
    if not 1 <= first <= last <= 65535:
        raise AddressError(f"{text!r} has no such ports: they go from 1 to 65535, the lower one first")
    return HostPorts(found["ipv6"] or found["host"], range(first, last + 1))


def join(host: str, port: int) -> str:
    """Return `HOST:PORT`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str) -> str:
    """Return where to connect to a server of this machine that listens at `host`, which may be 0.0.0.0 or ::."""
    return _LOOPBACK.get(host, host)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True

"""Addresses as people write them: `HOST:PORT`, `HOST:PORT-PORT` where a server has a range of ports, or a URL."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

_ADDRESS = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]]+)):(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?"
)

_LOGIN = re.compile(r"://[^/?#]*@")
_SECURE = frozenset({"https", "wss"})
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # compared with, not listened on


class AddressError(Exception):
    """That is no address; the message says in one line how to write one."""


@dataclass(frozen=True, slots=True)
class HostPorts:
    """A host, an IPv6 one without its brackets, and consecutive ports of it, of which there is at least one."""

    host: str
    ports: range


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """A URL of HTTP, HTTPS or a WebSocket with a host; `port` is the scheme's own where the URL names none."""

    parts: SplitResult
    host: str
    port: int

    @property
    def is_secure(self) -> bool:
        """Whether its server speaks TLS."""
        return self.parts.scheme in _SECURE


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


def parse_one(text: str) -> tuple[str, int]:
    """Return the host and the one port that `HOST:PORT` says. Raise AddressError."""
    found = parse(text)
    if len(found.ports) > 1:
        raise AddressError(f"{text!r} has several ports: write HOST:PORT, with one of them")
    return found.host, found.ports[0]


def parse_http_url(text: str, of: str = "an API") -> HttpUrl:
    """Return what a URL of HTTP says. Raise AddressError, which says that it is none of `of`."""
    return _parse_url(text, of, frozenset({"http", "https"}), "http://127.0.0.1:8888")


def parse_websocket_url(text: str) -> HttpUrl:
    """Return what a URL of a WebSocket says (RFC 6455, section 3). Raise AddressError."""
    return _parse_url(text, "a WebSocket", frozenset({"ws", "wss"}), "ws://127.0.0.1:8080/live")


def _parse_url(text: str, of: str, schemes: frozenset[str], example: str) -> HttpUrl:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"{text!r} is no URL of {of}: {error}") from error
    if parts.scheme not in schemes or not parts.hostname:
        raise AddressError(f"{text!r} is no URL of {of}: write for example {example}")
    return HttpUrl(parts, parts.hostname, port or (443 if parts.scheme in _SECURE else 80))


def without_login(url: str) -> str:
    """Return a URL without the user and the password in it, to be shown and stored."""
    return _LOGIN.sub("://", url, count=1)


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

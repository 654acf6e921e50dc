"""Makes connections without waiting for them, and says what became of those that failed."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.load.samples import Outcome

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from harness.load.workload import Endpoint

IP_BIND_ADDRESS_NO_PORT: Final = 24  # ip(7); the socket module does not name it before 3.12

_OUTCOMES: Final = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.RESET,
    errno.ETIMEDOUT: Outcome.CONNECT_TIMEOUT,
    errno.EADDRNOTAVAIL: Outcome.NO_SOCKET,  # no port is free (connect(2))
    errno.EAGAIN: Outcome.NO_SOCKET,
    errno.EMFILE: Outcome.NO_SOCKET,
    errno.ENFILE: Outcome.NO_SOCKET,
    errno.ENOBUFS: Outcome.NO_SOCKET,
    errno.ENOMEM: Outcome.NO_SOCKET,
}


@dataclass(frozen=True, slots=True)
class Destination:
    """An endpoint, ready for connect(2). `chooses_source`: whether connections to it may choose whence they come."""

    family: socket.AddressFamily
    address: tuple[str, int]
    chooses_source: bool

    @classmethod
    def of(cls, endpoint: Endpoint, reach: IPv4Network) -> Destination:
        """Return the destination of an endpoint whose host is a numeric address; in `reach` a source is chosen."""
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        return cls(family, (endpoint.host, endpoint.port), endpoint.is_in(reach))


def connect(destination: Destination, source: str) -> int:
    """Begin a connection; return its file descriptor, which becomes writable when it is there or has failed.

    The port is left to connect(2), which knows the other end: bind(2) would have to find one that nobody uses towards
    anybody. Raise OSError if it cannot be begun.
    """
    with socket.socket(destination.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        if destination.chooses_source:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        error = sock.connect_ex(destination.address)
        if error not in {0, errno.EINPROGRESS}:
            raise OSError(error, "cannot connect")
        return sock.detach()


def outcome_of(error: int) -> Outcome:
    """Return what an errno of connect(2) makes of a fan."""
    return _OUTCOMES.get(error, Outcome.UNREACHABLE)


def take_error(fd: int) -> int:
    """Return why a connection failed: the errno that connect(2) would have returned, had it waited."""
    sock = socket.socket(fileno=fd)
    try:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    finally:
        sock.detach()

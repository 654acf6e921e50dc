"""Makes connections without waiting for them, and says what became of those that failed."""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.load.samples import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network

    from harness.load.workload import Endpoint

IP_BIND_ADDRESS_NO_PORT: Final = 24  # ip(7); the socket module does not name it before 3.12
SO_TIMESTAMPNS: Final = 35  # socket(7); nor this one, nor where its stamp is in what recvmsg(2) returns

_TCP_INFO: Final = struct.Struct("68xI28xI")  # tcpi_rtt and tcpi_total_retrans of linux/tcp.h
_OUTCOMES: Final = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.RESET,
    errno.ETIMEDOUT: Outcome.CONNECT_TIMEOUT,
    errno.EADDRINUSE: Outcome.NO_PORT,
    errno.EADDRNOTAVAIL: Outcome.NO_PORT,  # connect(2)
    errno.EAGAIN: Outcome.NO_SOCKET,
    errno.EMFILE: Outcome.NO_FILE,
    errno.ENFILE: Outcome.NO_FILE,
    errno.ENOBUFS: Outcome.NO_SOCKET,
    errno.ENOMEM: Outcome.NO_SOCKET,
}

SHORTAGES: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.NO_FILE: "no open file was left on its side (EMFILE, ENFILE); raise the limit (ulimit -Hn), or the "
        "machine's (fs.file-max)",
        Outcome.NO_PORT: "no local port was left on its side (EADDRNOTAVAIL, EADDRINUSE); widen "
        "net.ipv4.ip_local_port_range, wait a minute for the ports of connections that ended",
        Outcome.NO_SOCKET: "no memory was left on its side (ENOBUFS, ENOMEM); give the machine more",
    }
)
"""What the generator itself ran out of, and what to do, for each outcome of which that is the reason."""


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


def prepare(destination: Destination, source: str) -> socket.SocketType:
    """Return a socket of which only connect(2) is left to call. Raise OSError if there can be none.

    It has an address, but no port: that is left to connect(2), which knows the other end, where bind(2) would have to
    find one that nobody uses towards anybody. The kernel stamps what arrives (`harness.load.clock`). It is the
    bare object under socket.socket, with a third of its memory.
    """
    sock = socket.SocketType(destination.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if destination.chooses_source:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        sock.close()
        raise
    return sock


def handshake_s(sock: socket.SocketType) -> float | None:
    """Return how long the handshake of a connection took, as the kernel timed it; None if it had to be tried again.

    It is TCP's first measure of the round trip, from the SYN to its answer (tcp(7), TCP_INFO), so it must be asked for
    before anything is said. Whoever starts a whole wave before looking at its first connection sees only in this way
    when that was made.
    """
    round_trip_us, retries = _TCP_INFO.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    return None if retries else round_trip_us * 1e-6


def outcome_of(error: int) -> Outcome:
    """Return what an errno of connect(2) makes of a fan."""
    return _OUTCOMES.get(error, Outcome.UNREACHABLE)


def take_error(sock: socket.SocketType) -> int:
    """Return why a connection failed: the errno that connect(2) would have returned, had it waited."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

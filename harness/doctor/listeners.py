"""The accept queues of listeners, from the kernel (sock_diag(7)): what `ss -ltnm` shows, too."""

import errno
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLMSG_DONE: Final = 3
_NLMSG_ERROR: Final = 2
_REQUEST_AND_DUMP: Final = 0x301
_LISTENING: Final = 1 << 10
_SKMEMINFO: Final = 7  # INET_DIAG_SKMEMINFO of linux/inet_diag.h
_DROPS: Final = 8  # SK_MEMINFO_DROPS of linux/sock_diag.h

_HEADER: Final = struct.Struct("=IHHII")
_ASKED: Final = struct.Struct("=BBBxI48x")
_PORT: Final = struct.Struct(">4xH")
_QUEUES: Final = struct.Struct("=56xII")  # of a listener: how many wait, and how many may
_TOLD: Final = 72  # bytes of struct inet_diag_msg; attributes follow
_ATTRIBUTE: Final = struct.Struct("=HH")
_ROOM: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Listener:
    """How many may wait to be accepted, and how many were turned away since it listens, as there was no room."""

    backlog: int
    drops: int


def listeners(ports: Collection[int]) -> dict[int, Listener]:
    """Return the listener at each of these ports; of several the shortest backlog, and the drops of all.

    Ports at which nobody listens are not in it, and none is where the kernel does not tell.
    """
    found: dict[int, Listener] = {}
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            for port, listener in _listening(family):
                if port in ports:
                    other = found.get(port, Listener(listener.backlog, 0))
                    found[port] = Listener(min(listener.backlog, other.backlog), listener.drops + other.drops)
    except OSError:  # no such netlink here, as in some sandboxes
        return {}
    return found


def _listening(family: socket.AddressFamily) -> Iterator[tuple[int, Listener]]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as netlink:
        body = _ASKED.pack(family, socket.IPPROTO_TCP, 1 << _SKMEMINFO - 1, _LISTENING)
        netlink.send(_HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, 1, 0) + body)
        while True:
            said = netlink.recv(_ROOM)
            while said:
                length, kind, *_ = _HEADER.unpack_from(said)
                message, said = said[_HEADER.size : length], said[_aligned(length) :]
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    raise OSError(errno.EOPNOTSUPP, "the kernel tells nothing of its sockets")
                (port,) = _PORT.unpack_from(message)
                _, backlog = _QUEUES.unpack_from(message)
                yield port, Listener(backlog, _drops(message[_TOLD:]))


def _drops(attributes: bytes) -> int:
    """Return what the attribute of a socket's memory says; 0 in a kernel that does not."""
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _SKMEMINFO and length >= _ATTRIBUTE.size + 4 * (_DROPS + 1):
            (drops,) = struct.unpack_from("=I", attributes, _ATTRIBUTE.size + 4 * _DROPS)
            return int(drops)
        attributes = attributes[max(_aligned(length), _ATTRIBUTE.size) :]
    return 0


def _aligned(length: int) -> int:
    return -(-length // 4) * 4

"""What is seldom asked of a fan's socket: the plane has it as a descriptor, and no object for it."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from stages.stage0.client import PROBES

if TYPE_CHECKING:
    from collections.abc import Iterator


def probe(fd: int) -> None:
    """Have the kernel ask a fan's kernel whether it is still there; of one that has gone, never mind."""
    with suppress(OSError), _as_socket(fd) as fan:
        for option in PROBES:
            fan.setsockopt(*option)


def say_no_more(fd: int) -> None:
    """Tell a fan that no more comes, and go on hearing it; one that has gone, never mind."""
    with suppress(OSError), _as_socket(fd) as fan:
        fan.shutdown(socket.SHUT_WR)


@contextmanager
def _as_socket(fd: int) -> Iterator[socket.socket]:
    """Give a descriptor as a socket, which it is, for a call, and leave it open."""
    fan = socket.socket(fileno=fd)
    try:
        yield fan
    finally:
        fan.detach()

"""Where a server listens: from a host, as people write it, to a socket that is bound there. Fans and the API alike.

* `::` is every address of this machine, the IPv4 ones too. Whether it is would else depend on who opens the socket: the
  kernel goes by a setting of the machine (net.ipv6.bindv6only), `socket.create_server` and asyncio leave IPv4 out. So
  IPV6_V6ONLY is turned off here for every IPv6 socket (ipv6(7)), which changes nothing for any other address.
* A name is listened on at one address: its first IPv4 one, else its first IPv6 one. So `localhost` is 127.0.0.1, which
  whoever connects to `localhost` tries, too.
* Where any ports will do, a free range is looked for below those that the kernel hands out to outgoing connections
  (ip(7), ip_local_port_range): there no client can happen to hold one of them.
"""

from __future__ import annotations

import errno
import random
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LOWEST: Final = 10_000
"""Of a range that is looked for: below it are the ports that people name."""

_ATTEMPTS: Final = 64
_HIGHEST: Final = 65_535
_REUSE: Final = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
REUSE_PORT: Final = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
"""Several sockets of one user listen on a port, and the kernel chooses one for each connection (socket(7))."""


class CannotListenError(Exception):
    """Nobody can listen there; the message says in one line why and what to do."""


class PortTakenError(CannotListenError):
    """Another program listens on the port."""


def bind_socket(
    host: str, port: int, options: Iterable[tuple[int, int, int]] = (), *, alone: bool = False
) -> socket.socket:
    """Return a TCP socket, bound to a port of `host` and not listening yet; `options` are (level, name, value).

    `alone`: a port is taken also if another socket is bound to it that does not listen, or a connection of before is in
    TIME_WAIT. Whatever binds it afterwards needs SO_REUSEADDR. Raise OSError (EADDRINUSE: taken), UnicodeError.
    """
    family, address = _address_of(host, port)
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for option in (*options, *(() if alone else (_REUSE,))):
            bound.setsockopt(*option)
        bound.setblocking(False)
        bound.bind(address)
        bound.setsockopt(*_REUSE)  # the kernel compares the flags of both sockets as they are at the later bind
    except BaseException:
        bound.close()
        raise
    return bound


def listen_on(
    host: str, port: int, backlog: int, options: Iterable[tuple[int, int, int]] = (), *, shared: bool = False
) -> socket.socket:
    """Return a socket that listens on a port of `host`; `options` are (level, name, value). Raise as `bind_socket`.

    `shared`: sockets that are bound later with REUSE_PORT may listen there, too. It is set behind the bind here, so the
    port is taken if anybody listens there already, unless `options` have it.
    """
    listening = bind_socket(host, port, options)
    if shared:
        listening.setsockopt(*REUSE_PORT)
    listening.listen(backlog)
    return listening


def close_all(sockets: Iterable[socket.socket]) -> None:
    """Close them."""
    for sock in sockets:
        sock.close()


def open_all(
    host: str,
    ports: Sequence[int],
    open_one: Callable[[str, int], socket.socket],
    *,
    port_options: str = "--port or --http-port",
) -> list[socket.socket]:
    """Open a socket on each of the ports, and return them in that order. `port_options` are what an error advises on.

    Raise CannotListenError, PortTakenError; nothing is left open then.
    """
    opened: list[socket.socket] = []
    try:
        for port in ports:
            opened.append(open_one(host, port))  # noqa: PERF401  # those that were opened before it failed are closed
    except (OSError, UnicodeError) as error:  # UnicodeError: of a host that cannot be a name
        close_all(opened)
        reason = error.strerror if isinstance(error, OSError) else "that is no host"
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise (PortTakenError if is_taken else CannotListenError)(
            f"cannot listen on {host}:{ports[len(opened)]}: {reason}; choose another --host, {port_options}"
        ) from error
    return opened


def reserve(host: str, first: int, count: int) -> list[socket.socket]:
    """Take `count` ports in a row without listening on them: sockets with SO_REUSEADDR may still do that.

    Where any range will do (`first` is 0), it is one that nobody has reserved either: SO_REUSEADDR lets two bind a port
    as long as neither listens, and the later of two servers would fail when its nodes do. Raise CannotListenError.
    """
    if first:
        return open_all(host, range_from(first, count), bind_socket)
    for _ in range(_ATTEMPTS):
        with suppress(PortTakenError):
            return open_all(host, random_range(count), partial(bind_socket, alone=True))
    raise CannotListenError(f"found no {count} free ports in a row: choose a --port and an --http-port")


def range_from(first: int, count: int) -> range:
    """Return the `count` ports from `first` on. Raise CannotListenError where there are not as many."""
    if first + count - 1 > _HIGHEST:
        raise CannotListenError(f"there are no {count} ports from {first} on: choose a lower port")
    return range(first, first + count)


def random_range(count: int) -> range:
    """Return `count` ports in a row that no client is given by the kernel."""
    beyond = max(_first_ephemeral_port(), LOWEST + count + 1)
    start = random.randrange(LOWEST, beyond - count)  # noqa: S311  # nothing secret about a port
    return range(start, start + count)


def _address_of(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)  # the first of the smallest
    return family, address


def _first_ephemeral_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:  # not Linux, or hidden: the range that IANA reserves for it (RFC 6335)
        return 49_152

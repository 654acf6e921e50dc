"""Where a server listens: from a host, as people write it, to a socket that is bound there. Fans and the API alike.

* `::` is every address of this machine, the IPv4 ones too. Whether it is would else depend on who opens the socket: the
  kernel goes by a setting of the machine (net.ipv6.bindv6only), `socket.create_server` and asyncio leave IPv4 out. So
  IPV6_V6ONLY is turned off here for every IPv6 socket (ipv6(7)), which changes nothing for any other address.
* A name is listened on at one address: its first IPv4 one, else its first IPv6 one. So `localhost` is 127.0.0.1, which
  whoever connects to `localhost` tries, too.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_REUSE: Final = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


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


def _address_of(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)  # the first of the smallest
    return family, address

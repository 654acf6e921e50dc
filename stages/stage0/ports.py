"""Takes the ports of a server: consecutive ones from a first, or any free range.

A free range is looked for below those ports that the kernel hands out to outgoing connections (ip(7),
ip_local_port_range): there no client can happen to hold one of them.
"""

from __future__ import annotations

import errno
import random
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from common.http.server import ApiServer, CannotListenError, PortTakenError
from common.listening import bind_socket
from stages.stage0.listener import open_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from stages.options import Options
    from stages.stage0.parts import Parts

LOWEST: Final = 10_000
"""Of a range that is looked for: below it are the ports that people name."""

_ATTEMPTS: Final = 64
_HIGHEST: Final = 65_535


def listen(parts: Parts, options: Options) -> list[socket.socket]:
    """Listen for fans on as many ports as the stage has listeners, and return the sockets in the order of their ports.

    Raise CannotListenError, with nothing left bound.
    """
    with _held(options.host, options.port, parts.fan_listeners) as ports:
        return _open_all(options.host, ports, partial(open_socket, backlog=parts.backlog, options=parts.socket_options))


async def bind_api(parts: Parts, options: Options) -> ApiServer:
    """Bind the API's ports. Raise CannotListenError, with nothing left bound."""
    with _held(options.host, options.http_port, parts.http_listeners) as ports:
        api = ApiServer(options.host, ports, backlog=parts.http_backlog)
        await api.bind()
        return api


def reserve(host: str, first: int, count: int) -> list[socket.socket]:
    """Take `count` ports in a row without listening on them: sockets with SO_REUSEADDR may still do that.

    Where any range will do (`first` is 0), it is one that nobody has reserved either: SO_REUSEADDR lets two bind a port
    as long as neither listens, and the later of two servers would fail when its nodes do. Raise CannotListenError.
    """
    if first:
        return _open_all(host, range_from(first, count), bind_socket)
    for _ in range(_ATTEMPTS):
        with suppress(PortTakenError):
            return _open_all(host, random_range(count), partial(bind_socket, alone=True))
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


@contextmanager
def _held(host: str, first: int, count: int) -> Iterator[Sequence[int]]:
    """Hold the ports inside `with`, so that no other server can come between finding them and listening."""
    if first:
        yield range_from(first, count)
        return
    reserved = reserve(host, first, count)
    try:
        yield [sock.getsockname()[1] for sock in reserved]
    finally:
        for sock in reserved:
            sock.close()


def _open_all(host: str, ports: Sequence[int], open_one: Callable[[str, int], socket.socket]) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for port in ports:
            opened.append(open_one(host, port))  # noqa: PERF401  # those that were opened before it failed are closed
    except (OSError, UnicodeError) as error:  # UnicodeError: of a host that cannot be a name
        for sock in opened:
            sock.close()
        reason = error.strerror if isinstance(error, OSError) else "that is no host"
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise (PortTakenError if is_taken else CannotListenError)(
            f"cannot listen on {host}:{ports[len(opened)]}: {reason}; choose another --host or --port"
        ) from error
    return opened


def _first_ephemeral_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:  # not Linux, or hidden: the range that IANA reserves for it (RFC 6335)
        return 49_152

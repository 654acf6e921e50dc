"""Takes the ports of a server: consecutive ones from a first, or any free range."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from common.http.server import ApiServer
from common.listening import REUSE_PORT, close_all, listen_on, open_all, range_from, reserve

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from stages.options import Options
    from stages.stage0.parts import Parts


def listen(parts: Parts, options: Options, *, shared: bool = False) -> list[socket.socket]:
    """Listen for fans on as many ports as the stage has listeners, and return the sockets in the order of their ports.

    That for browsers is the last, if there is to be one. `shared`: others may then listen there, too (`listen_too`).
    Raise CannotListenError, with nothing left bound.
    """
    open_one = partial(_listen_for_fans, parts, shared=shared)
    with _held(options.host, options.port, parts.fan_listeners) as ports:
        opened = open_all(options.host, ports, open_one)
    if options.browser_port is None:
        return opened
    try:
        with _held(options.host, options.browser_port, 1) as ports:
            return opened + open_all(options.host, ports, open_one, port_options="or --browser-port")
    except BaseException:
        close_all(opened)
        raise


def listen_too(parts: Parts, options: Options, ports: Sequence[int]) -> list[socket.socket]:
    """Listen for fans on ports that are shared, besides those who do already. Raise as `listen` does."""
    return open_all(options.host, ports, partial(_listen_for_fans, parts, shared=True, too=True))


def _listen_for_fans(parts: Parts, host: str, port: int, *, shared: bool, too: bool = False) -> socket.socket:
    options = (*parts.socket_options, REUSE_PORT) if too else parts.socket_options
    return listen_on(host, port, parts.backlog, options, shared=shared)


async def bind_api(parts: Parts, options: Options) -> ApiServer:
    """Bind the API's ports. Raise CannotListenError, with nothing left bound."""
    with _held(options.host, options.http_port, parts.http_listeners) as ports:
        api = ApiServer(options.host, ports, backlog=parts.http_backlog)
        await api.bind()
        return api


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
        close_all(reserved)

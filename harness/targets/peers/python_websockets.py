"""WebSocket servers in Python, each as its library's documentation runs one, in one process.

Of `websockets` posts come in at a port of their own, of the others by HTTP at the same.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from common.addresses import join
from common.tuning.children import python_module
from harness.load.workload import Dialogue, Endpoint
from harness.targets.description import Description, check
from harness.targets.http_publisher import HttpPublisher
from harness.targets.payload import MARK, line_of
from harness.targets.peers.peer import Peer, PeerPlace
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher
from harness.targets.target import TargetError


def websockets_peer() -> Peer:
    """Return a server of the package websockets."""

    def command(place: PeerPlace) -> Sequence[str]:
        module = "harness.targets.peers.websocket_server"
        return python_module(module, place.fans.host, str(place.fans.port), str(place.posts.port))

    def publisher(endpoint: Endpoint) -> Publisher:
        return SocketPublisher("tcp", endpoint, message=lambda line: line + b"\n", ack=b"ok\n")

    name = f"websockets {version('websockets')}"
    return Peer(name, _dialogue("/"), command, publisher, has_port_for_posts=True)


def aiohttp_peer() -> Peer:
    """Return a server of aiohttp."""
    return Peer(f"aiohttp {version('aiohttp')}", _dialogue("/live"), _command_of("aiohttp_server"), _by_http)


def uvicorn_peer() -> Peer:
    """Return a server of uvicorn. Raise TargetError if it is not installed."""
    try:
        installed = version("uvicorn")
    except PackageNotFoundError as error:
        raise TargetError("there is no Python package uvicorn here: pip install 'matchstream-lab[peers]'") from error
    return Peer(f"uvicorn {installed}", _dialogue("/live"), _command_of("uvicorn_server"), _by_http)


def _dialogue(path: str) -> Dialogue:
    return check(Description(f"ws://localhost{path}", mark=MARK.decode()), "a WebSocket").dialogue


def _command_of(module: str) -> Callable[[PeerPlace], Sequence[str]]:
    def command(place: PeerPlace) -> Sequence[str]:
        return python_module(f"harness.targets.peers.{module}", place.fans.host, str(place.fans.port))

    return command


def _by_http(endpoint: Endpoint) -> Publisher:
    return HttpPublisher(f"http://{join(endpoint.host, endpoint.port)}/post", line_of)

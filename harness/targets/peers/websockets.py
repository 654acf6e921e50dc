"""A WebSocket server of the `websockets` package, on plain asyncio as its documentation runs it."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from common.tuning.children import python_module
from harness.load.workload import Dialogue, Endpoint
from harness.targets.payload import MARK
from harness.targets.peers.peer import Peer, PeerPlace
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher
from harness.targets.target import TargetError

DIALOGUE = Dialogue(
    hello=(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"  # RFC 6455's example
    ),
    welcome_end=b"",
    answer_end=b"\r\n\r\n",
    mark=MARK,
    error_start=b"HTTP/1.1 5",
)
"""How a fan becomes a WebSocket; what it hears then are frames, whose text the server leaves readable."""


def websockets_peer() -> Peer:
    """Return the server. Raise TargetError if the package is not installed."""
    try:
        installed = version("websockets")
    except PackageNotFoundError as error:
        raise TargetError("there is no Python package websockets here: pip install 'matchstream-lab[peers]'") from error
    return Peer(f"websockets {installed}", DIALOGUE, _command, _publisher, has_port_for_posts=True)


def _command(place: PeerPlace) -> Sequence[str]:
    module = "harness.targets.peers.websocket_server"
    return python_module(module, place.fans.host, str(place.fans.port), str(place.posts.port))


def _publisher(endpoint: Endpoint) -> Publisher:
    return SocketPublisher("tcp", endpoint, message=lambda line: line + b"\n", ack=b"ok\n")

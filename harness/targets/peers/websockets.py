"""A WebSocket server of the `websockets` package, on plain asyncio as its documentation runs it."""

from collections.abc import Sequence
from importlib.metadata import version

from common.tuning.children import python_module
from harness.load.workload import Endpoint
from harness.targets.description import Description, check
from harness.targets.payload import MARK
from harness.targets.peers.peer import Peer, PeerPlace
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher

NAME = "websockets"


def websockets_peer() -> Peer:
    """Return the server."""
    described = check(Description("ws://localhost/", mark=MARK.decode()), NAME)
    return Peer(f"{NAME} {version(NAME)}", described.dialogue, _command, _publisher, has_port_for_posts=True)


def _command(place: PeerPlace) -> Sequence[str]:
    module = "harness.targets.peers.websocket_server"
    return python_module(module, place.fans.host, str(place.fans.port), str(place.posts.port))


def _publisher(endpoint: Endpoint) -> Publisher:
    return SocketPublisher("tcp", endpoint, message=lambda line: line + b"\n", ack=b"ok\n")

"""WebSocket servers in Python and for Node.js, each as its library's documentation runs one, in one process.

Of `websockets` posts come in at a port of their own, of the others by HTTP at the same.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from common.addresses import join
from common.tuning.children import python_module
from harness.load.workload import Dialogue, Endpoint
from harness.targets.description import Description, check
from harness.targets.http_publisher import HttpPublisher
from harness.targets.payload import MARK, line_of
from harness.targets.peers.peer import BACKLOG, Peer, PeerPlace, find_program
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher
from harness.targets.target import TargetError

_WS_SERVER: Final = Path(__file__).with_name("ws_server.js")


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


def ws_peer() -> Peer:
    """Return a server of the package ws for Node.js, Debian's or the user's. Raise TargetError where one is missing."""
    node = find_program("node", "nodejs node-ws")
    environ = {"NODE_PATH": os.pathsep.join(("node_modules", "/usr/share/nodejs"))}
    asked = [node, "-p", "require('ws/package.json').version"]
    found = subprocess.run(asked, capture_output=True, text=True, env=os.environ | environ, check=False)  # noqa: S603
    if found.returncode != 0:
        raise TargetError("there is no package ws for Node.js here: apt-get install node-ws, or npm install ws")

    def command(place: PeerPlace) -> Sequence[str]:
        return [node, str(_WS_SERVER), place.fans.host, str(place.fans.port), str(BACKLOG)]

    return Peer(f"ws {found.stdout.strip()} for Node.js", _dialogue("/live"), command, _by_http, environ=environ)


def _dialogue(path: str) -> Dialogue:
    return check(Description(f"ws://localhost{path}", mark=MARK.decode()), "a WebSocket").dialogue


def _command_of(module: str) -> Callable[[PeerPlace], Sequence[str]]:
    def command(place: PeerPlace) -> Sequence[str]:
        return python_module(f"harness.targets.peers.{module}", place.fans.host, str(place.fans.port))

    return command


def _by_http(endpoint: Endpoint) -> Publisher:
    return HttpPublisher(f"http://{join(endpoint.host, endpoint.port)}/post", line_of)

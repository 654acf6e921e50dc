"""All the peers, by the names that `--peer` knows."""

from collections.abc import Callable, Mapping
from typing import Final

from harness.targets.peers.floor import floor_peer
from harness.targets.peers.mosquitto import mosquitto_peer
from harness.targets.peers.nats import nats_peer
from harness.targets.peers.nchan import nchan_peer
from harness.targets.peers.peer import Peer
from harness.targets.peers.redis import redis_peer
from harness.targets.peers.target import PeerTarget
from harness.targets.peers.websockets import aiohttp_peer, uvicorn_peer, websockets_peer, ws_peer
from harness.targets.target import TargetError

PEERS: Final[Mapping[str, Callable[[], Peer]]] = {
    "redis": redis_peer,
    "nats": nats_peer,
    "mosquitto": mosquitto_peer,
    "nchan": nchan_peer,
    "websockets": websockets_peer,
    "aiohttp": aiohttp_peer,
    "uvicorn": uvicorn_peer,
    "ws": ws_peer,
    "floor": floor_peer,
}
"""Each raises TargetError where its program is not installed."""


def peer_target(kind: str) -> PeerTarget:
    """Return the peer of that name. Raise TargetError if there is none, or if its program is not installed."""
    if kind not in PEERS:
        raise TargetError(f"there is no peer {kind!r}: give one of {', '.join(PEERS)}")
    return PeerTarget(kind, PEERS[kind]())

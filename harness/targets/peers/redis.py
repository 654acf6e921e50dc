"""Redis pub/sub: fans subscribe to a channel, a reporter publishes to it.

Redis itself cuts off a subscriber that is 32 MB behind, or 8 MB for a minute (`client-output-buffer-limit pubsub`);
that default stays, as do all others that bear on speed. Nothing is written to disk.
"""

from collections.abc import Sequence

from common.store.errors import RedisNotFoundError
from common.store.process import RedisVersion, find_redis_server, redis_version
from harness.targets.brokers.broker import Subscription
from harness.targets.brokers.redis import redis_broker
from harness.targets.peers.peer import BACKLOG, Peer, PeerPlace, most_connections
from harness.targets.target import TargetError


def redis_peer() -> Peer:
    """Return Redis, or Valkey: the one that a stage would start too. Raise TargetError if there is none."""
    try:
        program = find_redis_server()
    except RedisNotFoundError as error:
        raise TargetError("there is no redis-server on this machine: apt-get install redis-server") from error
    name, version = redis_version(program) or RedisVersion("Redis", "")

    def command(place: PeerPlace) -> Sequence[str]:
        settings = {
            "bind": place.fans.host,
            "protected-mode": "no",  # which takes 127.0.0.1 alone for this machine; fans have addresses of their own
            "port": str(place.fans.port),
            "dir": str(place.directory),
            "tcp-backlog": str(BACKLOG),
            "maxclients": str(most_connections()),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
        }
        return [str(program), *(word for key, value in settings.items() for word in (f"--{key}", value))]

    broker = redis_broker(Subscription("match"))
    return Peer(f"{name} pub/sub {version}".strip(), broker.dialogue, command, broker.publisher)

"""Redis pub/sub: fans subscribe to a channel, a reporter publishes to it.

Redis itself cuts off a subscriber that is 32 MB behind, or 8 MB for a minute (`client-output-buffer-limit pubsub`);
that default stays, as do all others that bear on speed. Nothing is written to disk.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from common.addresses import join
from common.domain.posts import Post
from common.store.errors import RedisNotFoundError
from common.store.process import RedisVersion, find_redis_server, redis_version
from harness.load.match import MatchPlan
from harness.load.workload import Dialogue, Endpoint
from harness.targets.payload import MARK, line_of
from harness.targets.peers.peer import BACKLOG, Peer, PeerPlace, most_connections
from harness.targets.target import TargetError

CHANNEL = "match"
ANSWER_TIMEOUT_S = 10.0

DIALOGUE = Dialogue(
    hello=b"SUBSCRIBE match\r\n",  # an inline command, as one types it in telnet
    welcome_end=b"",
    answer_end=b":1\r\n",  # of the array that confirms: the channels that this client has now
    mark=MARK,
    error_start=b"-",
)
"""How a fan subscribes."""


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

    return Peer(f"{name} pub/sub {version}".strip(), DIALOGUE, command, RedisPublisher)


@dataclass(frozen=True, slots=True)
class RedisPublisher:
    """PUBLISH, which Redis answers when the message is in the output buffer of every subscriber."""

    endpoint: Endpoint

    @property
    def url(self) -> str:
        """The URL of this Redis."""
        return f"redis://{join(self.endpoint.host, self.endpoint.port)}"

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """An error that Redis answers, or no answer."""
        return (RedisError, OSError)

    @property
    def closes_fans(self) -> bool:
        """A channel has no end."""
        return False

    def announced(self, match: MatchPlan) -> contextlib.AbstractContextManager[None]:
        """There is nothing to announce."""
        return contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator["_RedisPoster"]:
        """Return a poster that has asked Redis once whether it is there."""
        client = redis.asyncio.Redis(
            host=self.endpoint.host,
            port=self.endpoint.port,
            socket_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # what is published again because its answer is missing may be heard twice
        )
        async with client:
            with contextlib.suppress(*self.refusals):
                await client.ping()
            yield _RedisPoster(client)


class _RedisPoster:
    def __init__(self, client: Any) -> None:
        self._client = client

    async def post_event(self, match_id: str, post: Post) -> None:
        await self._client.publish(CHANNEL, line_of(post))

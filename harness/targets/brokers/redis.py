"""Redis pub/sub: fans subscribe to a channel, a reporter publishes to it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from common.addresses import join
from common.domain.posts import Post
from harness.load.match import MatchPlan
from harness.load.workload import Dialogue, Endpoint
from harness.targets.brokers.broker import Broker, Subscription
from harness.targets.payload import MARK, line_of

ANSWER_TIMEOUT_S = 10.0


def redis_broker(subscription: Subscription) -> Broker:
    """Return how one subscribes to a channel, and publishes to it."""
    login = subscription.login
    auth = b"" if login is None else _command(b"AUTH", *filter(None, (login.user.encode(), login.password.encode())))
    dialogue = Dialogue(
        hello=auth + _command(b"SUBSCRIBE", subscription.channel.encode()),
        welcome_end=b"",
        answer_end=b":1\r\n",  # of the array that confirms: the channels that this client has now
        mark=MARK,
        error_start=b"-",
        tls=subscription.tls,
    )
    return Broker(dialogue, lambda endpoint: RedisPublisher(endpoint, subscription))


def _command(*words: bytes) -> bytes:
    """Return a command in RESP, the protocol of Redis: an array of strings."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@dataclass(frozen=True, slots=True)
class RedisPublisher:
    """PUBLISH, which Redis answers when the message is in the output buffer of every subscriber."""

    endpoint: Endpoint
    subscription: Subscription

    @property
    def url(self) -> str:
        """The URL of this Redis."""
        scheme = "redis" if self.subscription.tls is None else "rediss"
        return f"{scheme}://{join(self.endpoint.host, self.endpoint.port)}"

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
        login, tls = self.subscription.login, self.subscription.tls
        secured: dict[str, Any] = {}
        if tls is not None:
            secured = {"ssl": True, "ssl_ca_certs": None if tls.ca is None else str(tls.ca)}
            if tls.insecure:
                secured |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
        client = redis.asyncio.Redis(
            host=self.endpoint.host if tls is None else tls.server_name,
            port=self.endpoint.port,
            username=None if login is None else login.user or None,
            password=None if login is None else login.password,
            socket_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # what is published again because its answer is missing may be heard twice
            **secured,
        )
        async with client:
            with contextlib.suppress(*self.refusals):
                await client.ping()
            yield _RedisPoster(client, self.subscription.channel)


class _RedisPoster:
    def __init__(self, client: Any, channel: str) -> None:
        self._client = client
        self._channel = channel

    async def post_event(self, match_id: str, post: Post) -> None:
        await self._client.publish(self._channel, line_of(post))

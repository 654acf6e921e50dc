"""What a harness must know of a broker: how a fan subscribes to one channel, and how events are published to it."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.load.workload import Dialogue, Endpoint, Tls
from harness.targets.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Login:
    """As whom one comes; either may be empty."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A channel, topic or subject, as whom one comes to it, if as anybody, and by TLS or not."""

    channel: str
    login: Login | None = None
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Broker:
    """A fan's dialogue, and who publishes at an endpoint to the same channel."""

    dialogue: Dialogue
    publisher: Callable[[Endpoint], Publisher]

"""Somebody's broker, which runs already: `redis://HOST:PORT/CHANNEL`, and the same of NATS and MQTT.

Events are published to the channel that the fans subscribe to, as lines of this project (`harness.targets.payload`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from common.addresses import join
from harness.load.workload import Dialogue, Endpoint, Tls
from harness.targets.brokers.broker import Broker, Login, Subscription
from harness.targets.brokers.mqtt import mqtt_broker
from harness.targets.brokers.nats import nats_broker
from harness.targets.brokers.redis import redis_broker
from harness.targets.one_fan import OneFan
from harness.targets.publisher import Publisher
from harness.targets.running import RunningTarget
from harness.targets.target import TargetError


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a scheme stands for."""

    broker: Callable[[Subscription], Broker]
    port: int
    is_secure: bool = False


_KINDS: Final[Mapping[str, _Kind]] = {
    "redis": _Kind(redis_broker, 6379),
    "rediss": _Kind(redis_broker, 6379, is_secure=True),
    "nats": _Kind(nats_broker, 4222),
    "mqtt": _Kind(mqtt_broker, 1883),
    "mqtts": _Kind(mqtt_broker, 8883, is_secure=True),
}


class BrokerTarget(RunningTarget):
    """The broker at an endpoint, which people call `name`."""

    def __init__(self, name: str, named: Endpoint, broker: Broker) -> None:
        super().__init__(name, (named,))
        self._broker = broker

    @property
    def publishes(self) -> bool:
        """True."""
        return True

    @property
    def publisher(self) -> Publisher:
        """Who publishes to the channel."""
        return self._broker.publisher(self._named[0])

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return how a fan subscribes."""
        return self._broker.dialogue

    def _try(self, first: Endpoint) -> None:
        """Make sure that one fan may subscribe. Raise TargetError."""
        with OneFan(first, self._broker.dialogue, self.name) as fan:
            fan.converse()


def is_broker(address: str) -> bool:
    """Return whether an address is of a kind that is known here."""
    return address.partition("://")[0] in _KINDS


def broker_target(address: str, ca: Path | None, *, insecure: bool) -> BrokerTarget:
    """Return the broker at `SCHEME://[USER:PASSWORD@]HOST[:PORT]/CHANNEL`. Raise TargetError for what is none."""
    example = "write for example redis://127.0.0.1:6379/news"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise TargetError(f"{address!r} is no URL of a broker: {error}") from error
    kind = _KINDS[parts.scheme]
    channel = unquote(parts.path.removeprefix("/"))
    if not parts.hostname or not channel or any(character.isspace() for character in channel):
        raise TargetError(f"{address!r} names no host and channel: {example}")
    if not kind.is_secure and (ca is not None or insecure):
        raise TargetError(f"{address}: --ca and --insecure go with rediss:// and mqtts://: leave them out")
    login = None
    if parts.username is not None or parts.password is not None:
        login = Login(unquote(parts.username or ""), unquote(parts.password or ""))
    tls = Tls(parts.hostname, ca, insecure) if kind.is_secure else None
    endpoint = Endpoint(parts.hostname, port or kind.port)
    name = f"{parts.scheme}://{join(endpoint.host, endpoint.port)}/{channel}"  # without the password
    return BrokerTarget(name, endpoint, kind.broker(Subscription(channel, login, tls)))

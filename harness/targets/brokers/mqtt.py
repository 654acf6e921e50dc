"""MQTT 3.1.1: fans subscribe to a topic with QoS 0, a reporter publishes to it with QoS 1.

What the reporter gets for QoS 1 is the broker's word that it has the message; to the fans it goes as they subscribed,
at most once. They ask for no keepalive, so no ping is due (section 3.1.2.10). Packets are those of the library mqttium.
"""

from typing import Final

from mqttium.enums import PacketType, QoS
from mqttium.packets import ConnectPacket, PubAckPacket, PublishPacket, SubscribePacket, encode_frame
from mqttium.packets import Subscription as TopicSubscription

from harness.load.workload import Dialogue, Endpoint, Protocol
from harness.targets.brokers.broker import Broker, Login, Subscription
from harness.targets.payload import MARK
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher

_ID: Final = 1
"""Of a packet: it is free again as soon as it was acknowledged, so one is enough."""
_CONNACK: Final = encode_frame(PacketType.CONNACK, 0, bytes(2))  # accepted, and no session from before (section 3.2)


def mqtt_broker(subscription: Subscription) -> Broker:
    """Return how one connects, without an id of one's own, and subscribes to a topic, and publishes to it."""
    hello = _connect(subscription.login)
    topic = subscription.channel

    def publisher(endpoint: Endpoint) -> Publisher:
        return SocketPublisher(
            "mqtt" if subscription.tls is None else "mqtts",
            endpoint,
            message=lambda line: PublishPacket(topic, line, QoS.AT_LEAST_ONCE, False, False, _ID).encode(),
            ack=PubAckPacket(_ID).encode(),
            hello=hello,
            welcome=_CONNACK,
            tls=subscription.tls,
        )

    dialogue = Dialogue(
        hello=hello + SubscribePacket(_ID, (TopicSubscription(topic),)).encode(),
        welcome_end=b"",
        answer_end=b"",
        mark=MARK,
        error_start=b"",
        protocol=Protocol.MQTT,
        tls=subscription.tls,
    )
    return Broker(dialogue, publisher)


def _connect(login: Login | None) -> bytes:
    if login is None:
        return ConnectPacket("", keepalive=0).encode()
    password = login.password.encode() or None
    return ConnectPacket("", keepalive=0, username=login.user, password=password).encode()

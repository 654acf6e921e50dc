"""MQTT 3.1.1: fans subscribe to a topic with QoS 0, a reporter publishes to it with QoS 1.

What the reporter gets for QoS 1 is the broker's word that it has the message; to the fans it goes as they subscribed,
at most once. They ask for no keepalive, so no ping is due (section 3.1.2.10).
"""

from harness.load.workload import Dialogue, Endpoint
from harness.targets.brokers.broker import Broker, Login, Subscription
from harness.targets.payload import MARK
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher

# MQTT 3.1.1, sections 3.1 to 3.9. A packet is its type and flags, its length, and what these say.
_CONNECT = 0x10
_PUBLISH_QOS_1 = 0x32
_SUBSCRIBE = 0x82
_CLEAN_SESSION = 0x02
_HAS_PASSWORD = 0x40
_HAS_USER = 0x80
_NO_KEEPALIVE = b"\x00\x00"
_PACKET_ID = b"\x00\x01"  # free again as soon as it was acknowledged, so one is enough
_CONNACK = b"\x20\x02\x00\x00"
_PUBACK = b"\x40\x02" + _PACKET_ID
_SUBACK = b"\x90\x03" + _PACKET_ID + b"\x00"


def mqtt_broker(subscription: Subscription) -> Broker:
    """Return how one connects, without an id of one's own, and subscribes to a topic, and publishes to it.

    A broker that refuses closes the connection.
    """
    hello = packet(_CONNECT, _string(b"MQTT") + b"\x04" + _introduction(subscription.login))
    topic = _string(subscription.channel.encode())

    def publisher(endpoint: Endpoint) -> Publisher:
        return SocketPublisher(
            "mqtt" if subscription.tls is None else "mqtts",
            endpoint,
            message=lambda line: packet(_PUBLISH_QOS_1, topic + _PACKET_ID + line),
            ack=_PUBACK,
            hello=hello,
            welcome=_CONNACK,
            tls=subscription.tls,
        )

    dialogue = Dialogue(
        hello=hello + packet(_SUBSCRIBE, _PACKET_ID + topic + b"\x00"),
        welcome_end=b"",
        answer_end=_SUBACK,
        mark=MARK,
        error_start=b"",
        tls=subscription.tls,
    )
    return Broker(dialogue, publisher)


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT packet. Its length has seven bits in each byte, the lowest first (section 2.2.3)."""
    length, left = bytearray(), len(body)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((kind, *length, left)) + body


def _introduction(login: Login | None) -> bytes:
    """Return the flags, the keepalive, the empty id, and as whom one comes (section 3.1.3)."""
    flags, texts = _CLEAN_SESSION, _string(b"")
    if login is not None:
        flags |= _HAS_USER | (_HAS_PASSWORD if login.password else 0)
        texts += _string(login.user.encode()) + (_string(login.password.encode()) if login.password else b"")
    return bytes([flags]) + _NO_KEEPALIVE + texts


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text

"""MQTT 3.1.1 with mosquitto: fans subscribe to a topic with QoS 0, a reporter publishes to it with QoS 1.

What the reporter gets for QoS 1 is the broker's word that it has the message; to the fans it goes as they subscribed,
at most once. mosquitto listens with an accept queue of 100, which no setting changes: of a larger wave the rest comes
with the next SYN, a second later.
"""

import re
import subprocess
from collections.abc import Sequence

from harness.load.workload import Dialogue, Endpoint
from harness.targets.payload import MARK
from harness.targets.peers.peer import Peer, PeerPlace, find_program, this_user
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher

TOPIC = b"match"

# MQTT 3.1.1, sections 3.1 to 3.9. A packet is its type and flags, its length, and what these say.
_CONNECT = 0x10
_PUBLISH_QOS_1 = 0x32
_SUBSCRIBE = 0x82
_CLEAN_SESSION = b"\x02"
_NO_KEEPALIVE = b"\x00\x00"
_PACKET_ID = b"\x00\x01"  # free again as soon as it was acknowledged, so one is enough
_CONNACK = b"\x20\x02\x00\x00"
_PUBACK = b"\x40\x02" + _PACKET_ID
_SUBACK = b"\x90\x03" + _PACKET_ID + b"\x00"


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT packet. Its length has seven bits in each byte, the lowest first (section 2.2.3)."""
    length, left = bytearray(), len(body)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((kind, *length, left)) + body


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


_HELLO = packet(_CONNECT, _string(b"MQTT") + b"\x04" + _CLEAN_SESSION + _NO_KEEPALIVE + _string(b""))

DIALOGUE = Dialogue(
    hello=_HELLO + packet(_SUBSCRIBE, _PACKET_ID + _string(TOPIC) + b"\x00"),
    welcome_end=b"",
    answer_end=_SUBACK,
    mark=MARK,
    error_start=b"",
)
"""How a fan connects, without an id of its own, and subscribes. A broker that refuses closes the connection."""


def mosquitto_peer() -> Peer:
    """Return mosquitto. Raise TargetError if it is not installed."""
    program = find_program("mosquitto", "mosquitto")
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout  # noqa: S603 -- the program found
    version = re.search(r"version (\S+)", said)

    def command(place: PeerPlace) -> Sequence[str]:
        configuration = place.directory / "mosquitto.conf"
        configuration.write_text(
            f"listener {place.fans.port} {place.fans.host}\n"
            "max_connections -1\n"
            "allow_anonymous true\n"
            "persistence false\n"
            "sys_interval 0\n"
            "connection_messages false\n"
            "log_type error\n"
            "log_dest stderr\n"
            f"user {this_user()}\n"
        )
        return [program, "-c", str(configuration)]

    return Peer(f"mosquitto {version[1] if version else ''}".strip(), DIALOGUE, command, _publisher)


def _publisher(endpoint: Endpoint) -> Publisher:
    return SocketPublisher(
        "mqtt",
        endpoint,
        message=lambda line: packet(_PUBLISH_QOS_1, _string(TOPIC) + _PACKET_ID + line),
        ack=_PUBACK,
        hello=_HELLO,
        welcome=_CONNACK,
    )

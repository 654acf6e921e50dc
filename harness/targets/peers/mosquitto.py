"""MQTT 3.1.1 with mosquitto: fans subscribe to a topic, a reporter publishes to it.

mosquitto listens with an accept queue of 100, which no setting changes: of a larger wave the rest comes
with the next SYN, a second later.
"""

import re
import subprocess
from collections.abc import Sequence

from harness.targets.brokers.broker import Subscription
from harness.targets.brokers.mqtt import mqtt_broker
from harness.targets.peers.peer import Peer, PeerPlace, find_program, this_user


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

    broker = mqtt_broker(Subscription("match"))
    return Peer(f"mosquitto {version[1] if version else ''}".strip(), broker.dialogue, command, broker.publisher)

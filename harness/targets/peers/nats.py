r"""NATS: fans subscribe to a subject, a reporter publishes to it.

A client of NATS must answer the server's PINGs, which come every two minutes; the server is told to ask once a day, so
that this is no part of what is compared. It runs on one core (`GOMAXPROCS`), as everyone does who is compared.
"""

import subprocess
from collections.abc import Sequence

from harness.targets.brokers.broker import Subscription
from harness.targets.brokers.nats import nats_broker
from harness.targets.peers.peer import Peer, PeerPlace, find_program, most_connections


def nats_peer() -> Peer:
    """Return NATS. Raise TargetError if it is not installed."""
    program = find_program("nats-server", "nats-server")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 -- the program found

    def command(place: PeerPlace) -> Sequence[str]:
        configuration = place.directory / "nats.conf"
        configuration.write_text(
            f"listen: {place.fans.host}:{place.fans.port}\n"
            f"max_connections: {most_connections()}\n"
            'ping_interval: "24h"\n'
        )
        return [program, "--config", str(configuration)]

    broker = nats_broker(Subscription("match"))
    name = f"NATS {said.rpartition(' v')[2].strip()}"
    return Peer(name, broker.dialogue, command, broker.publisher, environ={"GOMAXPROCS": "1"})

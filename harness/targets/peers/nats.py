r"""NATS: fans subscribe to a subject, a reporter publishes to it.

A client of NATS must answer the server's PINGs, which come every two minutes, or it is cut off. Fans here only listen,
so the server is told to ask once a day. It runs on one core (`GOMAXPROCS`), as everyone does who is compared.
"""

import subprocess
from collections.abc import Sequence

from harness.load.workload import Dialogue, Endpoint
from harness.targets.payload import MARK
from harness.targets.peers.peer import Peer, PeerPlace, find_program, most_connections
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher

DIALOGUE = Dialogue(
    hello=b'CONNECT {"verbose":false}\r\nSUB match 1\r\nPING\r\n',
    welcome_end=b"\r\n",  # of the INFO line
    answer_end=b"PONG\r\n",
    mark=MARK,
    error_start=b"-ERR",
)
"""How a fan subscribes; the answer to its PING says that the server has read what stood before it."""


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

    return Peer(f"NATS {said.rpartition(' v')[2].strip()}", DIALOGUE, command, _publisher, environ={"GOMAXPROCS": "1"})


def _publisher(endpoint: Endpoint) -> Publisher:
    return SocketPublisher(
        "nats",
        endpoint,
        message=lambda line: b"PUB match %d\r\n%b\r\nPING\r\n" % (len(line), line),
        ack=b"PONG\r\n",
        hello=b'CONNECT {"verbose":false}\r\nPING\r\n',
        welcome=b"PONG\r\n",
    )

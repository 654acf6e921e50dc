r"""NATS: fans subscribe to a subject, a reporter publishes to it.

A client of NATS must answer the server's PINGs, which come every two minutes by default, or it is cut off. It becomes
TLS only after the server's first line, which is not spoken here.
"""

import json

from harness.load.workload import Dialogue, Endpoint, Heartbeat
from harness.targets.brokers.broker import Broker, Login, Subscription
from harness.targets.payload import MARK
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher

_PING = b"PING\r\n"
_PONG = b"PONG\r\n"


def nats_broker(subscription: Subscription) -> Broker:
    """Return how one subscribes to a subject, and publishes to it.

    The answer to a fan's PING says that the server has read what stood before it.
    """
    connect = _connect(subscription.login)
    subject = subscription.channel.encode()

    def publisher(endpoint: Endpoint) -> Publisher:
        return SocketPublisher(
            "nats",
            endpoint,
            message=lambda line: b"PUB %b %d\r\n%b\r\n%b" % (subject, len(line), line, _PING),
            ack=_PONG,
            hello=connect + _PING,
            welcome=_PONG,
        )

    dialogue = Dialogue(
        hello=connect + b"SUB %b 1\r\n" % subject + _PING,
        welcome_end=b"\r\n",  # of the INFO line
        answer_end=_PONG,
        mark=MARK,
        error_start=b"-ERR",
        heartbeat=Heartbeat(_PING, _PONG),
    )
    return Broker(dialogue, publisher)


def _connect(login: Login | None) -> bytes:
    """Return the line with which a client introduces itself; a login without a user is a token."""
    options: dict[str, object] = {"verbose": False}
    if login is not None and login.user:
        options |= {"user": login.user, "pass": login.password}
    elif login is not None:
        options |= {"auth_token": login.password}
    return b"CONNECT %b\r\n" % json.dumps(options, separators=(",", ":")).encode()

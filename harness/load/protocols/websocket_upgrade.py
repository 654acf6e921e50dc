"""How a connection becomes a WebSocket (RFC 6455, section 4): a request and its answer, read by h11.

All fans of a load ask with the same nonce, though it should be chosen at random for each connection: it is there
against caches that have an answer ready, and with one nonce all answers are alike, which the reader makes use of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import h11
from websockets.utils import accept_key, generate_key

from harness.load.protocols.reader import StatusError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = re.compile(rb"(?mi)^sec-websocket-key: *(\S+)")
_ASKED: Final = h11.Request(
    method="GET", target="/", headers=[("Host", "h"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
)


def upgrade_headers() -> Mapping[str, str]:
    """Return the headers with which a WebSocket is asked for."""
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": generate_key(),
        "Sec-WebSocket-Version": "13",
    }


def accept_of(request: bytes) -> bytes:
    """Return the proof that the answer to a request must have."""
    found = _KEY.search(request)
    return accept_key(found[1].decode()).encode() if found else b""


def read_upgrade(said: bytes, accept: bytes) -> bytes | None:
    """Return what came after the head of an answer that agrees, or None while that is cut off.

    Raise StatusError where the answer is another, UnreadableError where it is no HTTP, or lacks the proof `accept`.
    """
    http = h11.Connection(h11.CLIENT)
    http.send(_ASKED)
    http.send(h11.EndOfMessage())
    http.receive_data(said)
    try:
        while isinstance(event := http.next_event(), h11.InformationalResponse) and event.status_code != 101:
            pass
    except h11.RemoteProtocolError as error:
        raise UnreadableError(f"speaks no HTTP: {error}") from None
    if isinstance(event, h11.Response):
        raise StatusError(event.status_code, event.reason.decode("latin-1"), http.trailing_data[0])
    if not isinstance(event, h11.InformationalResponse):
        return None
    if dict(event.headers).get(b"sec-websocket-accept") != accept:
        raise UnreadableError("agrees to a WebSocket without the right Sec-WebSocket-Accept")
    return http.trailing_data[0]

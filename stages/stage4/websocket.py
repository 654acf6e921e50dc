"""Lesson `websocket`: programs and pages that have a library for WebSockets (RFC 6455) watch a match by one.

    GET /1/match/<id>/ws[?after=<epoch>-<number>]     at the port for browsers (`stages.stage4.http_front`)

What is sent is what an EventSource is sent (`stages.stage4.event_source`), each as one message of text: JSON, where the
match stands first, or all that was missed `after` that place, and then each event. There is nothing that a fan could
say: its messages are passed over, up to MOST_SAID bytes in a frame. Its pings are answered, and the server pings it
every `HEARTBEAT_S`. The last that either says is a close, with a code and a line that says why:

| code | name               | why                                                                       |
|------|--------------------|---------------------------------------------------------------------------|
| 1000 | `NORMAL_CLOSURE`   | the match is over, and all was told                                       |
| 1002 | `PROTOCOL_ERROR`   | what the fan sent is no frame                                             |
| 1008 | `POLICY_VIOLATION` | it read too slowly                                                        |
| 1009 | `MESSAGE_TOO_BIG`  | it sent a frame that is too large                                         |
| 1012 | `SERVICE_RESTART`  | the server stops: connect again in as many seconds as the line says       |
| 1013 | `TRY_AGAIN_LATER`  | the match has not begun, or Redis is away                                 |
| 4410 | `GONE`             | the match was cancelled, was set back, or cannot be read                  |

Who is refused before that is answered by HTTP, as at the other door; who asks for no WebSocket gets a 426. A page of
any site may watch, as it may read the API: all that is told is public.

It costs no task, and no object for a fan: an event is made into a frame once, since what a server sends is not masked,
and sent by the plane. What a fan says is kept only while a frame of it is not complete. Frames and the handshake are
those of the library websockets, which is not asked about a request of the usual form: to find it right takes it 18 to
28 µs. So until a fan is answered it costs 2 to 4 µs more than by the other door. It moves nothing for others.
"""

from __future__ import annotations

import re
from enum import IntEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from websockets import http11
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidHeader, PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.utils import accept_key

from common.wire.streamed import streamed
from stages.stage4.door import Heard
from stages.stage4.http_front import STOPPING, RequestError, head
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from common.domain.events import Event
    from stages.stage0.messages import Notification
    from stages.stage4.http_front import Asked
    from stages.stage4.request_head import Request
    from stages.stage4.window import Stand

MOST_SAID: Final = 1024
"""Bytes that a fan's frame may hold."""
_KEY: Final = "Sec-WebSocket-Key"
_KEY_NAME: Final = _KEY.lower().encode()
_KEY_FORM: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
"""16 bytes in base64 (RFC 4648, section 4)."""
_CONNECTIONS: Final = frozenset({b"upgrade", b"keep-alive, upgrade"})
"""How browsers ask for it, Firefox the latter way."""
_MOST_REASON: Final = 123
"""Bytes: what a control frame can hold beside the code (RFC 6455, section 5.5)."""


class OwnCode(IntEnum):
    """Codes that are this server's own (RFC 6455, section 7.4.2)."""

    GONE = 4410


_CODES: Final[Mapping[Drop, CloseCode | OwnCode]] = {
    Drop.SLOW: CloseCode.POLICY_VIOLATION,
    Drop.STORE: CloseCode.TRY_AGAIN_LATER,
    Drop.MATCH: OwnCode.GONE,
}
"""Why a fan who was let in may have to go."""


class WebSocketDoor:
    """WebSockets."""

    name: Final = "websocket"
    path: Final = "ws"
    heartbeat: Final = Frame(Opcode.PING, b"").serialize(mask=False)

    @property
    def goodbye(self) -> bytes:
        """What a server that stops says last."""
        return self.goodbye_for(1)

    def place(self, asked: Asked) -> str:
        """Return what the fan says that it has heard."""
        return asked.query.get("after", "")

    def opening(self, asked: Asked) -> bytes:
        """Return the answer that makes the connection a WebSocket. Raise RequestError."""
        made = head(HTTPStatus.SWITCHING_PROTOCOLS, "Upgrade: websocket", "Connection: Upgrade")
        return b"%bSec-WebSocket-Accept: %b\r\n\r\n" % (made[:-2], _accept(asked.request).encode())

    def event(self, sent: Notification, at: Stand) -> bytes:
        """Return an event, and after the last one a close."""
        assert sent.event is not None  # noqa: S101  # where there is this door, matches tell it
        message = _message(sent.event, at)
        return message + self.end(is_over=True) if sent.is_last else message

    def status(self, status: Event, frame: bytes, at: Stand, missed: str) -> bytes:
        """Return a status."""
        del frame
        return _message(status, at, missed)

    def resumed(self, events: int, number: int) -> bytes:
        """Say nothing: what was missed tells itself by its numbers."""
        del events, number
        return b""

    def end(self, *, is_over: bool) -> bytes:
        """Return a close."""
        if is_over:
            return _close(CloseCode.NORMAL_CLOSURE, "the match is over")
        return _close(CloseCode.TRY_AGAIN_LATER, "the match has not begun")

    def nothing_follows(self) -> None:
        """Have the status told, and the close."""

    def error(self, why: str, drop: Drop) -> bytes:
        """Return a close."""
        return _close(_CODES[drop], why)

    def goodbye_for(self, after_s: int) -> bytes:
        """Return a close."""
        return _close(CloseCode.SERVICE_RESTART, STOPPING.format(after_s))

    def hear(self, said: bytes) -> Heard:
        """Answer pings and a close, and pass over the rest."""
        stream = StreamReader()
        stream.feed_data(said)
        answer = b""
        while True:
            rest = bytes(stream.buffer)
            try:
                next(Frame.parse(stream.read_exact, mask=True, max_size=MOST_SAID))
            except StopIteration as parsed:
                frame: Frame = parsed.value
            except ProtocolError:
                return Heard(answer + _close(CloseCode.PROTOCOL_ERROR, "that is no frame"), b"", is_over=True)
            except PayloadTooBig:
                why = f"a frame is larger than {MOST_SAID} bytes"
                return Heard(answer + _close(CloseCode.MESSAGE_TOO_BIG, why), b"", is_over=True)
            else:
                return Heard(answer, rest, is_over=False)
            if frame.opcode is Opcode.PING:
                answer += Frame(Opcode.PONG, frame.data).serialize(mask=False)
            elif frame.opcode is Opcode.CLOSE:
                return Heard(answer + _closed(bytes(frame.data)), b"", is_over=True)


def _accept(request: Request) -> str:
    """Return the proof that the request was understood. Raise RequestError."""
    if _is_usual(request):
        return accept_key(request.last[_KEY_NAME].decode())
    headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers]
    if request.is_old:
        headers = [header for header in headers if header[0] != "upgrade"]  # RFC 9110, section 7.8
    try:
        return ServerProtocol().process_request(http11.Request("", Headers(headers)))[0]
    except InvalidHandshake as error:
        if isinstance(error, InvalidHeader) and error.name == _KEY:
            why = f"the {_KEY} is not one of 16 bytes (RFC 6455)"
            raise RequestError(HTTPStatus.BAD_REQUEST, why) from None
        wanted = ("Upgrade: websocket", "Sec-WebSocket-Version: 13")
        raise RequestError(HTTPStatus.UPGRADE_REQUIRED, "ask for a WebSocket of version 13", *wanted) from None


def _is_usual(request: Request) -> bool:
    """Whether a request has the form that nearly all have, of which the library would find just that it is right."""
    last = request.last
    return (
        not request.is_old
        and len(last) == len(request.headers)  # none comes twice
        and last.get(b"connection", b"").lower() in _CONNECTIONS
        and last.get(b"upgrade", b"").lower() == b"websocket"
        and last.get(b"sec-websocket-version") == b"13"
        and b"sec-websocket-protocol" not in last
        and _KEY_FORM.fullmatch(last.get(_KEY_NAME, b"")) is not None
    )


def _message(event: Event, at: Stand, missed: str = "") -> bytes:
    return Frame(Opcode.TEXT, streamed(event, *at, missed)).serialize(mask=False)


def _close(code: CloseCode | OwnCode, why: str) -> bytes:
    reason = why.encode()[:_MOST_REASON].decode(errors="ignore")
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)


def _closed(said: bytes) -> bytes:
    """Return the answer to a close: the same, unless that was none."""
    try:
        Close.parse(said)
    except (ProtocolError, UnicodeDecodeError):
        return _close(CloseCode.PROTOCOL_ERROR, "that is no close")
    return Frame(Opcode.CLOSE, said).serialize(mask=False)

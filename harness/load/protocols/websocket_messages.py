"""The messages of WebSockets (RFC 6455, section 5), out of frames that are parsed by the library websockets.

Between two messages nothing of a connection is left to know, since no extension is asked for. So something is kept only
of a fan whose frame or message stands in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.streams import StreamReader

from harness.load.protocols.reader import ClosedError, UnreadableError

if TYPE_CHECKING:
    from harness.load.protocols.reader import Say

MAX_MESSAGE: Final = 1024 * 1024  # bytes

GOODBYE: Final = Close(CloseCode.GOING_AWAY, "").serialize()


def framed(text: bytes) -> bytes:
    """Return what a fan says as the one frame of a message: of text, or binary where it is none."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return Frame(Opcode.BINARY, text).serialize(mask=True)
    return Frame(Opcode.TEXT, text).serialize(mask=True)


def close_frame(data: bytes) -> bytes:
    """Return the frame with which a fan closes; `data` is what a Close has in it."""
    return Frame(Opcode.CLOSE, data).serialize(mask=True)


def take_frame(data: bytes, *, is_masked: bool = False) -> tuple[Frame | None, bytes]:
    """Return the frame with which `data` begins, and what comes after it; None, and all of it, if that is cut off.

    What fans say is masked, what servers say is not. Raise UnreadableError.
    """
    stream = StreamReader()
    stream.feed_data(data)
    try:
        next(Frame.parse(stream.read_exact, mask=is_masked, max_size=MAX_MESSAGE))
    except StopIteration as parsed:
        frame: Frame = parsed.value
        return frame, bytes(stream.buffer)
    except ProtocolError as error:
        raise UnreadableError(f"sends a frame that is no WebSocket's: {error}") from None
    except PayloadTooBig:
        raise _too_long() from None
    return None, data


class Messages:
    """The messages of all fans. It answers their pings and closes by `say`; `controls` counts such frames."""

    __slots__ = ("_begun", "_left", "_say", "controls")

    def __init__(self, say: Say) -> None:
        self._say = say
        self._left: dict[int, bytes] = {}
        self._begun: dict[int, list[bytes]] = {}
        self.controls = 0

    def is_in_the_middle(self, fan: int) -> bool:
        """Return whether a fan's frame or message has begun."""
        return fan in self._left or fan in self._begun

    def take(self, fan: int, data: bytes) -> tuple[bytes | None, bytes]:
        """Return the fan's first message that is complete with `data`, and what comes after it; None if none is.

        Raise ClosedError where the server closes, UnreadableError for what is no frame, or too long.
        """
        rest = self._left.pop(fan, b"") + data
        while True:
            frame, rest = take_frame(rest)
            if frame is None:
                if rest:
                    self._left[fan] = rest
                return None, b""
            if frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                message = self._message(fan, frame)
                if message is not None:
                    return message, rest
            else:
                self._obey(fan, frame)

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more: a message that does not end is none."""
        self._left.pop(fan, None)
        self._begun.pop(fan, None)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return sum(map(len, self._left.values())) + sum(len(part) for parts in self._begun.values() for part in parts)

    def _message(self, fan: int, frame: Frame) -> bytes | None:
        """Return the message that a frame is, or the last of; None if more of it comes."""
        parts = self._begun.pop(fan, None)
        if (parts is not None) != (frame.opcode is Opcode.CONT):
            raise UnreadableError("sends frames that are no WebSocket's: one message in the middle of another")
        parts = [*(parts or ()), bytes(frame.data)]
        if sum(map(len, parts)) > MAX_MESSAGE:
            raise _too_long()
        if frame.fin:
            return b"".join(parts)
        self._begun[fan] = parts
        return None

    def _obey(self, fan: int, frame: Frame) -> None:
        """Answer a control frame. Raise ClosedError for a Close."""
        self.controls += 1
        if frame.opcode is Opcode.PING:
            self._say(fan, Frame(Opcode.PONG, frame.data).serialize(mask=True))
        elif frame.opcode is Opcode.CLOSE:
            try:
                close = Close.parse(bytes(frame.data))
            except (ProtocolError, UnicodeDecodeError) as error:
                raise UnreadableError(f"closes with a frame that is no WebSocket's: {error}") from None
            self._say(fan, close_frame(bytes(frame.data)))
            raise ClosedError(int(close.code), close.reason)


def _too_long() -> UnreadableError:
    return UnreadableError(f"sends a message of more than {MAX_MESSAGE:,} bytes")

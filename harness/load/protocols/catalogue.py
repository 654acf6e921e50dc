"""All the protocols that fans speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.load.protocols import event_stream, numbered_frames
from harness.load.protocols.http_stream import HttpReader
from harness.load.protocols.lines import LineReader
from harness.load.protocols.mqtt import MqttReader
from harness.load.protocols.numbered_frames import NumberedFrameReader
from harness.load.protocols.websocket import WebSocketReader
from harness.load.workload import Protocol

if TYPE_CHECKING:
    from harness.load.protocols.reader import Callbacks, Reader
    from harness.load.workload import Dialogue


def reader_of(dialogue: Dialogue, callbacks: Callbacks) -> Reader:
    """Return a reader of what the server says in a dialogue."""
    match dialogue.protocol:
        case Protocol.HTTP:
            return HttpReader(dialogue, callbacks)
        case Protocol.LINES:
            if dialogue.numbers and callbacks.place is not None:
                return NumberedFrameReader(dialogue, callbacks, callbacks.place)
            return LineReader(dialogue, callbacks)
        case Protocol.MQTT:
            return MqttReader(dialogue, callbacks)
        case Protocol.WEBSOCKET:
            return WebSocketReader(dialogue, callbacks)


def resuming(dialogue: Dialogue, hello: bytes, place: bytes) -> bytes:
    """Return what a fan says who comes back from the place that a reader told of; nothing: it had none."""
    if dialogue.protocol is Protocol.LINES:
        return numbered_frames.resuming(hello, place)
    return event_stream.resuming(hello, place)

"""What one fan said and heard, line by line, and what was recognised in it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from mqttium.enums import PacketType

from harness.load.protocols.mqtt import take_packet
from harness.load.protocols.reader import UnreadableError
from harness.load.protocols.websocket_messages import take_frame
from harness.load.workload import Protocol
from harness.targets.one_fan import Recognised, Said
from harness.units import show_time

_HEAD_END = b"\r\n\r\n"
_LONGEST = 120  # characters of a line


def transcript_lines(transcript: Sequence[Said | Recognised], protocol: Protocol) -> Iterator[str]:
    """Return a line for each line or frame that was said, and for each thing that the fan recognised after it."""
    for entry in transcript:
        if isinstance(entry, Recognised):
            after = "" if entry.after_s is None else f", after {show_time(entry.after_s)}"
            yield f"        = {entry.what}{after}"
            continue
        who = "fan    >" if entry.by_fan else "server <"
        yield from (f"{who} {_short(part)}" for part in _parts(entry, protocol))


def _parts(said: Said, protocol: Protocol) -> Iterator[str]:
    match protocol:
        case Protocol.WEBSOCKET:
            return _frames(said)
        case Protocol.MQTT:
            return _packets(said.data)
        case _:
            return _lines(said.data)


def _lines(data: bytes) -> Iterator[str]:
    for line in data.splitlines(keepends=True):
        yield repr(line)[2:-1]


def _frames(said: Said) -> Iterator[str]:
    """Return the head of an upgrade, as far as there is one, and the frames after it; what is cut off is as it is."""
    head, end, rest = said.data.partition(_HEAD_END)
    if end and head.startswith((b"GET ", b"HTTP/")):
        yield from _lines(head + end)
    else:
        rest = said.data
    while rest:
        try:
            frame, rest = take_frame(rest, is_masked=said.by_fan)
        except UnreadableError:
            frame = None
        if frame is None:
            yield from _lines(rest)
            return
        yield str(frame)


def _packets(data: bytes) -> Iterator[str]:
    """Return the packets of MQTT, of which a CONNECT has a password in it; what is cut off is as it is."""
    with suppress(UnreadableError):
        packet, rest = take_packet(data)
        while packet is not None:
            data = rest
            said = "" if packet.packet_type is PacketType.CONNECT else f" {repr(packet.remaining)[2:-1]}"
            yield f"{packet.packet_type.name}{said}"
            packet, rest = take_packet(data)
    yield from _lines(data)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

"""MQTT 3.1.1: the answer is a CONNACK and a SUBACK, then each event is a PUBLISH, which ends where its length says.

The fan says its CONNECT and its SUBSCRIBE together (section 3.1.4), and asks for no keepalive, so it sends no ping.
Packets are parsed by the library mqttium. Nothing is kept of a fan between two packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqttium.codec import IncrementalDecoder
from mqttium.enums import PacketType
from mqttium.errors import MQTTError
from mqttium.packets import ConnAckPacket, PublishPacket, SubAckPacket, encode_disconnect

from harness.load.protocols.reader import Completeness, RefusedError, StreamError, UnreadableError, number_behind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mqttium.codec import RawPacket

    from harness.load.protocols.reader import Callbacks
    from harness.load.workload import Dialogue

MAX_PACKET: Final = 1024 * 1024  # bytes

_REFUSED: Final[Mapping[int, str]] = {
    1: "it speaks another version of MQTT",
    2: "it does not take the client's id",
    3: "it is not available",
    4: "the user or the password is wrong",
    5: "this client may not connect",
}
"""What the return code of a CONNACK says (table 3.1)."""
_NO_SUBSCRIPTION: Final = 0x80  # table 3.9


def take_packet(data: bytes) -> tuple[RawPacket | None, bytes]:
    """Return the packet with which `data` begins, and what comes after it; None, and all of it, if that is cut off.

    Raise UnreadableError.
    """
    decoder = IncrementalDecoder(MAX_PACKET)
    decoder.feed(data)
    try:
        packet = decoder.next_packet()
    except MQTTError as error:
        raise UnreadableError(f"sends what is no packet of MQTT: {error}") from None
    return packet, data[len(data) - decoder.buffered :]


class MqttReader:
    """A Reader of MQTT. Most fans hear what the fan before heard, so that is remembered, and not read again."""

    __slots__ = ("_cut", "_last", "_last_numbers", "_number", "_settle", "_usual_answer")

    goodbye = encode_disconnect()

    def __init__(self, dialogue: Dialogue, callbacks: Callbacks) -> None:
        self._number = number_behind(dialogue.mark)
        self._settle = callbacks.settle
        self._cut: dict[int, bytes] = {}
        self._usual_answer = self._last = b""
        self._last_numbers: tuple[int, ...] = ()

    def greeting(self, fan: int, data: bytes) -> Completeness:
        """Greet nobody: it is the fan who speaks first."""
        return Completeness.COMPLETE

    def answer(self, fan: int, data: bytes) -> tuple[Completeness, bytes]:
        """Read more of the fan's answer, up to the SUBACK; return with it what follows that.

        Raise RefusedError where the broker takes the connection or the subscription not, or UnreadableError.
        """
        if data == self._usual_answer and fan not in self._cut:
            return Completeness.COMPLETE, b""
        said = self._cut.pop(fan, b"") + data
        packet, rest = take_packet(said)
        while packet is not None:
            if packet.packet_type is PacketType.SUBACK:
                _check_subscription(packet)
                if not rest:
                    self._usual_answer = said
                return Completeness.COMPLETE, rest
            if packet.packet_type is PacketType.CONNACK:
                _check_connection(packet)
            packet, rest = take_packet(rest)
        self._keep(fan, rest)
        return Completeness.PART, b""

    def sequences(self, fan: int, data: bytes, at_s: float) -> tuple[int, ...]:
        """Return the numbers in the events that are complete with `data`, in order.

        Raise UnreadableError for what is no packet; numbers that came in the same piece before that are told to Settle.
        """
        is_whole = fan not in self._cut
        if is_whole and data == self._last:
            return self._last_numbers
        numbers: list[int] = []
        try:
            packet, rest = take_packet(self._cut.pop(fan, b"") + data)
            while packet is not None:
                if packet.packet_type is PacketType.PUBLISH:
                    numbers += map(int, self._number.findall(_payload(packet)))
                packet, rest = take_packet(rest)
        except StreamError:
            for number in numbers:
                self._settle(fan, number, at_s)
            raise
        self._keep(fan, rest)
        if is_whole and not rest:
            self._last, self._last_numbers = data, tuple(numbers)
        return tuple(numbers)

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more: a packet that does not end is none."""
        self._cut.pop(fan, None)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return sum(map(len, self._cut.values()))

    @property
    def open(self) -> int:
        """None: an event ends where its packet does."""
        return 0

    def _keep(self, fan: int, rest: bytes) -> None:
        if rest:
            self._cut[fan] = rest


def _check_connection(packet: RawPacket) -> None:
    try:
        code = ConnAckPacket.decode(packet.remaining).reason_code
    except MQTTError as error:
        raise UnreadableError(f"sends a CONNACK that is none: {error}") from None
    if code:
        raise RefusedError(f"refuses the connection: {_REFUSED.get(code, 'it does not say why')} (code {code})")


def _check_subscription(packet: RawPacket) -> None:
    try:
        codes = SubAckPacket.decode(packet.remaining).reason_codes
    except MQTTError as error:
        raise UnreadableError(f"sends a SUBACK that is none: {error}") from None
    if _NO_SUBSCRIPTION in codes:
        raise RefusedError("refuses the subscription: this client may not read that topic (code 128)")


def _payload(packet: RawPacket) -> bytes:
    try:
        return PublishPacket.decode(packet.flags, packet.remaining).payload
    except MQTTError as error:
        raise UnreadableError(f"sends a PUBLISH that is none: {error}") from None

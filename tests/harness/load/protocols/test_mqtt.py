import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqttium.enums import PacketType, QoS
from mqttium.packets import PublishPacket, encode_frame

from harness.load.protocols.catalogue import reader_of
from harness.load.protocols.mqtt import MAX_PACKET
from harness.load.protocols.reader import Completeness, RefusedError, UnreadableError
from harness.load.workload import Dialogue, Protocol
from tests.harness.load.protocols.receiving import Hearing, cut, cuts

FAN = 3
DIALOGUE = Dialogue(b"CONNECT", b"", b"", b"goal #", b"", Protocol.MQTT)
CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x03\x00\x01\x00"
PINGRESP = b"\xd0\x00"


def hearing() -> Hearing:
    return Hearing(reader_of, DIALOGUE)


def answered(heard: Hearing, fan: int = FAN) -> Hearing:
    assert heard.reader.answer(fan, CONNACK + SUBACK) == (Completeness.COMPLETE, b"")
    return heard


def event(said: bytes) -> bytes:
    return PublishPacket("goal/7", said, QoS.AT_MOST_ONCE, False, False).encode()


@given(st.lists(st.tuples(st.integers(0, 999_999_999), st.sampled_from((b"", PINGRESP))), max_size=6), cuts)
def test_numbers_are_the_same_however_packets_are_cut(wanted: list[tuple[int, bytes]], at: list[int]) -> None:
    heard = answered(hearing())
    heard.hear(FAN, cut(b"".join(event(b"a goal #%d" % number) + between for number, between in wanted), at))
    assert heard.numbers(FAN) == [number for number, _ in wanted]
    assert heard.reader.kept == 0


def test_a_number_ends_with_its_packet_though_the_next_begins_with_the_digit_0() -> None:
    assert event(b"")[:1] == b"0"
    heard = answered(hearing())
    for fan in (1, 2, 2):
        heard.hear(fan, [event(b"goal #1") + event(b"2 goal #3")])
    assert (heard.numbers(1), heard.numbers(2)) == ([1, 3], [1, 3, 1, 3])


@given(cuts)
def test_an_answer_is_the_same_however_it_is_cut(at: list[int]) -> None:
    heard = hearing()
    for index, data in enumerate(pieces := cut(CONNACK + SUBACK + event(b"goal #5"), at)):
        how, rest = heard.reader.answer(FAN, data)
        if how is Completeness.COMPLETE:
            heard.hear(FAN, [left for left in (rest, *pieces[index + 1 :]) if left])
            break
    assert heard.numbers(FAN) == [5]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"\x20\x02\x00\x04", r"^refuses the connection: the user or the password is wrong \(code 4\)$"),
        (b"\x20\x02\x00\x05", r"^refuses the connection: this client may not connect \(code 5\)$"),
        (CONNACK + b"\x90\x03\x00\x01\x80", r"^refuses the subscription: this client may not read that topic"),
    ],
)
def test_a_broker_that_refuses_says_why(said: bytes, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        hearing().reader.answer(FAN, said)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n", b"\x00\x00", b"\x20\x01\x00", b"\x90\x02\x00\x01"])
def test_an_answer_that_is_none(said: bytes) -> None:
    with pytest.raises(UnreadableError):
        hearing().reader.answer(FAN, said + b"\xff" * MAX_PACKET)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",
        b"\x30\xff\xff\xff\xff\x7f",
        encode_frame(PacketType.PUBLISH, 0, b"\x00\x09x"),
        b"\x30\x80\x80\x80\x7f",
    ],
)
def test_what_is_no_packet_is_told_after_what_came_before_it_and_others_are_not_disturbed(data: bytes) -> None:
    heard = answered(answered(hearing()), 2)
    with pytest.raises(UnreadableError):
        heard.hear(FAN, [event(b"goal #7") + data], at_s=2.0)
    heard.reader.forget(FAN)
    heard.hear(2, [event(b"goal #1")])
    assert (heard.receipts[FAN], heard.numbers(2), heard.reader.kept) == ([(7, 2.0)], [1], 0)


def test_a_fan_that_left_is_forgotten() -> None:
    heard = answered(hearing())
    reader = heard.reader
    reader.answer(1, CONNACK[:3])
    heard.hear(FAN, [event(b"goal #1")[:5]])
    assert reader.kept == 3 + 5
    for fan in (1, FAN):
        reader.forget(fan)
    assert reader.kept == 0


def test_a_fan_says_goodbye() -> None:
    assert hearing().reader.goodbye == b"\xe0\x00"

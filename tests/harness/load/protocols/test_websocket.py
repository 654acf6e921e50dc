from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader
from websockets.utils import accept_key

from harness.load.protocols.catalogue import reader_of
from harness.load.protocols.reader import ClosedError, Completeness, StatusError, UnreadableError
from harness.load.protocols.websocket_messages import MAX_MESSAGE
from harness.load.workload import Dialogue, Protocol, Turn
from tests.harness.load.protocols.receiving import Hearing, cut, cuts

FAN = 3
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
DIALOGUE = Dialogue(
    f"GET / HTTP/1.1\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode(), b"", b"", b"goal #", b"", Protocol.WEBSOCKET
)
AGREED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {accept_key(KEY)}\r\n\r\n"
).encode()


def hearing(*turns: Turn, error_start: bytes = b"") -> Hearing:
    return Hearing(reader_of, replace(DIALOGUE, turns=turns, error_start=error_start))


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def text(said: str) -> bytes:
    return frame(Opcode.TEXT, said.encode())


def in_parts(said: bytes, at: list[int]) -> bytes:
    """Return a message in frames, with a ping between each two of them."""
    parts = cut(said, at) or [b""]
    frames = [
        frame(Opcode.TEXT if index == 0 else Opcode.CONT, part, fin=index == len(parts) - 1)
        for index, part in enumerate(parts)
    ]
    return frame(Opcode.PING, b"p").join(frames)


def unmasked(said: bytes) -> list[tuple[Opcode, bytes]]:
    """Return the frames that a fan said."""
    stream = StreamReader()
    stream.feed_data(said)
    frames = []
    while stream.buffer:
        with pytest.raises(StopIteration) as parsed:
            next(Frame.parse(stream.read_exact, mask=True))
        frames.append((parsed.value.value.opcode, bytes(parsed.value.value.data)))
    return frames


def answered(heard: Hearing, fan: int = FAN) -> Hearing:
    assert heard.reader.answer(fan, AGREED) == (Completeness.COMPLETE, b"")
    return heard


@given(st.lists(st.tuples(st.integers(0, 999_999_999), cuts), max_size=6), cuts)
def test_numbers_are_the_same_however_messages_and_frames_are_cut(
    wanted: list[tuple[int, list[int]]], at: list[int]
) -> None:
    heard = answered(hearing())
    stream = b"".join(in_parts(b"a goal #%d" % number, parts_at) for number, parts_at in wanted)
    heard.hear(FAN, cut(stream, at))
    assert heard.numbers(FAN) == [number for number, _ in wanted]
    assert heard.reader.kept == 0
    pongs = unmasked(b"".join(heard.said.get(FAN, [])))
    assert pongs == [(Opcode.PONG, b"p")] * stream.count(frame(Opcode.PING, b"p"))


def test_the_same_message_twice_is_two_receipts_and_a_number_ends_with_its_message() -> None:
    heard = answered(hearing())
    for fan in (1, 2, 2):
        heard.hear(fan, [text("goal #1"), text("2 goal #3")])
    assert (heard.numbers(1), heard.numbers(2)) == ([1, 3], [1, 3, 1, 3])


@given(cuts)
def test_an_answer_is_the_same_however_it_is_cut(at: list[int]) -> None:
    heard = hearing()
    stream = AGREED + text("goal #5")
    for index, data in enumerate(pieces := cut(stream, at)):
        how, rest = heard.reader.answer(FAN, data)
        if how is Completeness.COMPLETE:
            heard.hear(FAN, [left for left in (rest, *pieces[index + 1 :]) if left])
            break
    assert heard.numbers(FAN) == [5]


def test_what_a_fan_says_is_said_in_turn() -> None:
    heard = hearing(Turn(b"", b"hello"), Turn(b"I am {user}", b""), Turn(b"no answer", None), Turn(b"\xff", b"ok"))
    reader = heard.reader
    assert reader.answer(FAN, AGREED)[0] is Completeness.PART
    assert heard.said == {}
    assert reader.answer(FAN, text("wait") + text("hello you"))[0] is Completeness.PART
    assert unmasked(heard.said[FAN].pop()) == [(Opcode.TEXT, b"I am fan-3")]
    assert reader.answer(FAN, text("anything"))[0] is Completeness.PART
    assert list(map(unmasked, heard.said[FAN])) == [[(Opcode.TEXT, b"no answer")], [(Opcode.BINARY, b"\xff")]]
    assert reader.answer(FAN, text("goal #1")) == (Completeness.PART, b"")
    assert reader.answer(FAN, text("ok") + text("goal #2")) == (Completeness.COMPLETE, text("goal #2"))


def test_who_says_something_that_nothing_answers_is_answered_by_the_head() -> None:
    heard = answered(hearing(Turn(b"SUB", None)))
    assert list(map(unmasked, heard.said[FAN])) == [[(Opcode.TEXT, b"SUB")]]


def test_a_message_may_refuse() -> None:
    reader = hearing(Turn(b"SUB", b""), error_start=b"ERR").reader
    assert reader.answer(FAN, AGREED + text("ERR full")) == (Completeness.REFUSAL, b"")


@pytest.mark.parametrize(
    ("data", "code", "reason", "is_good"),
    [
        (Close(1011, "out of memory").serialize(), 1011, "out of memory", False),
        (Close(4001, "").serialize(), 4001, "", False),
        (Close(1000, "done").serialize(), 1000, "done", True),
        (Close(1001, "").serialize(), 1001, "", True),
        (b"", 1005, "", True),
    ],
)
def test_a_close_is_told_and_answered_after_what_came_before_it(
    data: bytes, code: int, reason: str, *, is_good: bool
) -> None:
    heard = answered(hearing())
    with pytest.raises(ClosedError) as closed:
        heard.hear(FAN, [text("goal #7") + frame(Opcode.CLOSE, data)], at_s=2.0)
    assert (closed.value.code, closed.value.reason, closed.value.is_in_good_order) == (code, reason, is_good)
    assert heard.receipts == {FAN: [(7, 2.0)]}
    assert unmasked(heard.said[FAN][0]) == [(Opcode.CLOSE, data)]


def test_a_close_before_the_answer() -> None:
    with pytest.raises(ClosedError, match=r"^closes with 1008 \(no token\)$"):
        hearing(Turn(b"SUB", b"")).reader.answer(FAN, AGREED + frame(Opcode.CLOSE, Close(1008, "no token").serialize()))


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", StatusError, "answers 403 Forbidden; it said 'no'"),
        (b"HTTP/1.1 200 OK\r\n\r\n", StatusError, "answers 200 OK"),
        (AGREED.replace(b"Accept: ", b"Accept: x"), UnreadableError, "without the right Sec-WebSocket-Accept"),
        (b"HTTP/1.1 101\r\n\r\n", UnreadableError, "without the right Sec-WebSocket-Accept"),
        (b"hello\r\n\r\n", UnreadableError, "speaks no HTTP"),
    ],
)
def test_an_answer_that_is_none(answer: bytes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        hearing().reader.answer(FAN, answer)


@pytest.mark.parametrize(
    "data",
    [
        b"\x83\x00",  # an opcode that means nothing
        b"\x81\x80abcd",  # masked
        b"\xc1\x00",  # a bit of an extension that nobody asked for
        frame(Opcode.CONT, b"x"),
        frame(Opcode.TEXT, b"x", fin=False) + text("x"),
        frame(Opcode.CLOSE, b"x"),
        b"\x81\x7f" + (MAX_MESSAGE + 1).to_bytes(8, "big"),
        frame(Opcode.TEXT, b"x" * MAX_MESSAGE, fin=False) + frame(Opcode.CONT, b"x"),
    ],
)
def test_what_is_no_message_is_told_and_others_are_not_disturbed(data: bytes) -> None:
    heard = answered(answered(hearing()), 2)
    with pytest.raises(UnreadableError):
        heard.hear(FAN, [data])
    heard.reader.forget(FAN)
    heard.hear(2, [text("goal #1")])
    assert (heard.numbers(2), heard.reader.kept) == ([1], 0)


def test_an_answer_without_end_is_given_up() -> None:
    with pytest.raises(UnreadableError):
        hearing().reader.answer(FAN, b"HTTP/1.1 101 x\r\nX: " + b"x" * 100_000)


def test_a_fan_that_left_is_forgotten() -> None:
    heard = hearing(Turn(b"SUB", b""))
    reader = heard.reader
    reader.answer(1, AGREED[:9])
    reader.answer(2, AGREED + text("ok")[:1])
    reader.answer(FAN, AGREED + text("ok"))
    heard.hear(FAN, [frame(Opcode.TEXT, b"goal #1", fin=False), b"\x81"])
    assert reader.kept == 9 + 1 + 7 + 1
    for fan in (1, 2, FAN):
        reader.forget(fan)
    assert reader.kept == 0
    assert reader.answer(2, AGREED) == (Completeness.PART, b"")


def test_a_fan_says_goodbye() -> None:
    assert unmasked(hearing().reader.goodbye) == [(Opcode.CLOSE, Close(1001, "").serialize())]

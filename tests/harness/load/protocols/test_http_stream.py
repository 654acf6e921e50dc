from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.protocols.catalogue import reader_of
from harness.load.protocols.reader import MAX_PENDING, Completeness, StatusError, UnreadableError
from harness.load.workload import Dialogue, Protocol
from tests.harness.load.protocols.receiving import Hearing, cut, cuts

FAN = 3
DIALOGUE = Dialogue(b"GET / HTTP/1.1\r\n\r\n", b"", b"", b"goal #", b"", Protocol.HTTP)
GREETED = replace(DIALOGUE, answer_end=b": hi\n\n", error_start=b"data: no")
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
CHUNKED = EVENTS + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSING = EVENTS + b"Connection: close\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
OVER = b"0\r\n\r\n"


def hearing(dialogue: Dialogue = DIALOGUE) -> Hearing:
    return Hearing(reader_of, dialogue)


def chunk(*texts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(text), text) for text in texts)


def frame(number: int) -> bytes:
    return b"data: goal #%d\n\n" % number


def begin(heard: Hearing, fan: int, *chunks: bytes) -> None:
    """Have a fan hear its answer, and go on with what follows."""
    for index, data in enumerate(chunks):
        how, rest = heard.reader.answer(fan, data)
        if how is Completeness.COMPLETE:
            heard.hear(fan, [text for text in (rest, *chunks[index + 1 :]) if text])
            return
    raise AssertionError("there was no answer")


@given(st.lists(st.integers(0, 999_999_999), max_size=6), cuts, cuts)
def test_numbers_are_the_same_however_events_and_chunks_are_cut(
    wanted: list[int], chunks_at: list[int], at: list[int]
) -> None:
    heard = hearing()
    text = b"".join(map(frame, wanted))
    begin(heard, FAN, *cut(CHUNKED + chunk(*cut(text, chunks_at)) + OVER, at))
    assert heard.numbers(FAN) == wanted
    assert heard.reader.kept == 0


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40)), max_size=40))
def test_fans_in_the_middle_of_chunks_are_told_apart(steps: list[tuple[int, int]]) -> None:
    heard = hearing()
    left = {fan: chunk(frame(fan)[:13], frame(fan)[13:]) + chunk(frame(fan * 10)) + OVER for fan in (1, 2, 3)}
    for fan in left:
        begin(heard, fan, CHUNKED)
    for fan, size in [*steps, (1, 999), (2, 999), (3, 999)]:
        now, left[fan] = left[fan][:size], left[fan][size:]
        heard.hear(fan, [now] if now else [])
    assert [heard.numbers(fan) for fan in (1, 2, 3)] == [[1, 10], [2, 20], [3, 30]]


@pytest.mark.parametrize("head", [CHUNKED, PLAIN])
def test_what_one_fan_got_is_read_for_the_next_as_well(head: bytes) -> None:
    heard = hearing()
    for fan in (1, 2):
        begin(heard, fan, head)
    for data in (chunk(frame(1)), chunk(frame(2)[:12]), chunk(frame(2)[12:]), chunk(frame(3)), OVER):
        heard.hear(1, [data])
        heard.hear(2, [data])
    heard.hear(1, [chunk(frame(4))])  # after its end
    assert heard.numbers(1) == heard.numbers(2) == [1, 2, 3]


@pytest.mark.parametrize(
    "head",
    [
        CLOSING,
        CLOSING.replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200"),
        CLOSING.replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200 "),
        CLOSING.replace(b"HTTP/1.1", b"HTTP/1.0"),
        CLOSING.replace(b"text/event-stream; charset=utf-8", b"TEXT/Event-Stream"),
        EVENTS + b"Content-Length: 41\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + CLOSING,
    ],
)
def test_bodies_without_chunks(head: bytes) -> None:
    heard = hearing()
    begin(heard, FAN, head)
    heard.hear(FAN, [frame(1), b"data: goal #", b"12\n\n"])
    assert heard.numbers(FAN) == [1, 12]


def test_fans_may_have_answers_of_different_kinds() -> None:
    heard = hearing()
    for fan, head in enumerate([EVENTS + b"Content-Length: 15\r\n\r\n", CHUNKED, CLOSING, PLAIN, CHUNKED]):
        begin(heard, fan, head)
    heard.hear(0, [frame(7)])
    heard.hear(2, [frame(7)[:9], frame(7)[9:]])
    for fan in (1, 3, 4):
        heard.hear(fan, [chunk(frame(7))])
    assert [heard.numbers(fan) for fan in range(5)] == [[7]] * 5


def test_a_body_of_another_type_is_read_for_marks() -> None:
    heard = hearing()
    begin(heard, FAN, PLAIN)
    heard.hear(FAN, [chunk(b"a goal #", b"1", b"2\nno"), chunk(b"thing\ngoal #13")], at_s=1.0)
    assert (heard.numbers(FAN), heard.reader.open) == ([12], 1)
    heard.hear(FAN, [chunk(b"goal #14")], at_s=2.0)
    heard.reader.forget(FAN)
    assert heard.receipts == {FAN: [(12, 1.0), (13, 1.0), (14, 2.0)]}


def test_an_answer_is_the_head_and_what_follows_is_its_body() -> None:
    reader = hearing().reader
    assert reader.answer(1, CHUNKED[:-1]) == (Completeness.PART, b"")
    assert reader.kept == len(CHUNKED) - 1
    assert reader.answer(1, CHUNKED[-1:] + chunk(frame(1))) == (Completeness.COMPLETE, chunk(frame(1)))
    assert reader.answer(2, CHUNKED + chunk(frame(1))) == (Completeness.COMPLETE, chunk(frame(1)))
    assert reader.answer(3, CHUNKED) == (Completeness.COMPLETE, b"")
    assert reader.kept == 0


def test_an_answer_may_have_to_come_in_the_body_too() -> None:
    heard = hearing(GREETED)
    reader = heard.reader
    assert reader.answer(1, CHUNKED + chunk(b": h")) == (Completeness.PART, b"")
    begin(heard, 1, chunk(b"i\n\n", frame(5)))
    assert heard.numbers(1) == [5]
    assert reader.answer(2, CHUNKED + chunk(b"data: now\n\n", b"data: no\n\n: hi\n\n")) == (Completeness.REFUSAL, b"")
    assert reader.answer(4, CHUNKED + chunk(b": hi\n\ndata: no\n\n"))[0] is Completeness.COMPLETE


def test_an_answer_that_does_not_end_is_given_up() -> None:
    reader = hearing(GREETED).reader
    with pytest.raises(UnreadableError, match="does not end within 65,536 bytes"):
        reader.answer(FAN, CLOSING + b"x" * MAX_PENDING)


@pytest.mark.parametrize(
    ("answer", "says", "status"),
    [
        (b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 35\r\n\r\nlimit of 200 streams per client reached",
         "answers 429 Too Many Requests; it said 'limit of 200 streams per client reached'", 429),
        (b"HTTP/1.0 503\r\n\r\n", "answers 503", 503),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "answers 204 No Content", 204),
        (b"HTTP/1.1 302 Found\r\nLocation: / 200 \r\n\r\n", "answers 302 Found", 302),
    ],
)  # fmt: skip
def test_any_other_status_is_a_refusal(answer: bytes, says: str, status: int) -> None:
    with pytest.raises(StatusError) as refused:
        hearing().reader.answer(FAN, answer)
    assert (str(refused.value), refused.value.status) == (says, status)


@pytest.mark.parametrize("answer", [b"+OK 200 OK\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n"])
def test_what_is_no_http(answer: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"^speaks no HTTP: "):
        hearing().reader.answer(FAN, answer)


def test_a_body_that_breaks_off_its_coding() -> None:
    heard = hearing()
    begin(heard, 1, CHUNKED)
    begin(heard, 2, CHUNKED)
    with pytest.raises(UnreadableError, match=r"^sends a body that is no HTTP: "):
        heard.hear(1, [b"goal #1\r\n"])
    heard.hear(2, [chunk(frame(1))])
    assert heard.numbers(2) == [1]


def test_a_fan_that_left_is_forgotten() -> None:
    heard = hearing()
    heard.reader.answer(1, CHUNKED[:9])
    begin(heard, 2, CHUNKED)
    begin(heard, 3, PLAIN)
    heard.hear(2, [chunk(frame(1)[:9]), b"8\r\nab"])
    heard.hear(3, [chunk(b"goal #1")])
    assert heard.reader.kept > 9
    for fan in (1, 2, 3):
        heard.reader.forget(fan)
    assert (heard.reader.kept, heard.reader.open) == (0, 0)
    begin(heard, 2, CHUNKED)
    heard.hear(2, [chunk(frame(5))])
    assert (heard.numbers(2), heard.numbers(3)) == ([5], [1])


def test_nobody_is_greeted() -> None:
    assert hearing().reader.greeting(FAN, b"") is Completeness.COMPLETE

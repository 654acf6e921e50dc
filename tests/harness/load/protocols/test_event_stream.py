import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.protocols.event_stream import MAX_EVENT, EventNumbers, last_id, resuming, take_events
from harness.load.protocols.reader import UnreadableError
from tests.harness.load.protocols.receiving import cut, cuts

FAN = 3


def events_of(*chunks: bytes) -> list[bytes]:
    """Return the data of the events in a stream that comes in these chunks, as bytes are kept between them."""
    found, left = [], b""
    for chunk in chunks:
        events, left = take_events(left + chunk)
        found += events
    return found


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        # The examples of the standard.
        (b"data: This is the first message.\n\ndata: This\ndata: is\n\n", [b"This is the first message.", b"This\nis"]),
        (b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", [b"73857293", b"2153"]),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [b"YHOO\n+2\n10"]),
        (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
         [b"first event", b"second event", b" third event"]),
        (b"data\n\ndata\ndata\n\ndata:", [b"", b"\n"]),
        (b"data:test\n\ndata: test\n\n", [b"test", b"test"]),
        # Whatever ends the lines.
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\ndata: d\n\r", [b"a", b"b", b"c", b"d"]),
        (b"data: a\rdata: b\r\ndata: c\n\r\n", [b"a\nb\nc"]),
        # What is no event.
        (b": a comment\n\nid: 7\n\nretry: 10\n\nevent: none\n\n\n\n", []),
        (b"data: no end\n", []),
        (b" data: x\n\nData: x\n\ndata : x\n\n", []),
        # What is one nevertheless.
        (b"\xef\xbb\xbfdata: after a mark\n\n", [b"after a mark"]),
        (b"other: y\ndata: a: b\n\n", [b"a: b"]),
        (b"data: \xc3\xa9\xff\x00\n\n", [b"\xc3\xa9\xff\x00"]),
    ],
)  # fmt: skip
def test_events_are_what_the_standard_says(stream: bytes, data: list[bytes]) -> None:
    assert events_of(stream) == data
    assert events_of(*(stream[at : at + 1] for at in range(len(stream)))) == data


def test_an_event_is_there_with_the_first_byte_of_the_end_of_its_empty_line() -> None:
    assert take_events(b"data: a\r\n\r") == ([b"a"], b"\r")
    assert take_events(b"\r\n") == ([], b"")


lines = st.sampled_from([b"data: #7", b"data:#8", b"data", b"id: #1", b": #2", b"event: #3", b"", b"", b"data: x#9y"])
ends = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(st.lists(st.tuples(lines, ends), max_size=20), cuts)
def test_events_are_the_same_however_the_stream_is_cut(parts: list[tuple[bytes, bytes]], at: list[int]) -> None:
    stream = b"".join(line + end for line, end in parts)
    assert events_of(*cut(stream, at)) == events_of(stream)


@given(st.lists(st.integers(0, 999_999_999), max_size=6), ends, cuts)
def test_numbers_of_events_end_with_them(wanted: list[int], end: bytes, at: list[int]) -> None:
    numbers = EventNumbers(b"goal #")
    stream = b"".join(b"id: %d%bdata: goal #%d%b%b" % (number, end, number, end, end) for number in wanted)
    assert [found for chunk in cut(stream, at) for found in numbers.sequences(FAN, chunk)] == wanted


def test_a_number_is_looked_for_in_the_data() -> None:
    numbers = EventNumbers(b"#")
    said = json.dumps({"goals": ["#1", "#2 too"]}).encode()
    assert numbers.sequences(FAN, b": #5\nid: #6\nevent: #7\ndata: " + said + b"\n\n") == (1, 2)
    assert numbers.sequences(FAN, b"data: #1234567890\n\n") == ()


def test_a_mark_may_go_over_a_lines_end() -> None:
    assert EventNumbers(b"goal\n#").sequences(FAN, b"data: goal\r\ndata: #3\r\n\r\n") == (3,)


def test_the_same_text_is_kept_for_each_fan_until_the_fan_is_gone() -> None:
    numbers = EventNumbers(b"#")
    assert numbers.sequences(1, b"data: #1") == numbers.sequences(2, b"data: #1") == ()
    assert numbers.kept == 16
    assert numbers.sequences(1, b"\n\n") == (1,)
    assert numbers.sequences(2, b"2\n\n") == (12,)
    assert numbers.sequences(2, b"data: #1") == ()
    numbers.forget(2)
    assert numbers.sequences(2, b"\n\n") == ()
    assert numbers.kept == 0


@pytest.mark.parametrize(
    ("stream", "place"),
    [
        (b"data: a\n\nid: 7\ndata: b\n\ndata: c\n\n", b"7"),
        (b"id: 7\ndata: a\n\nid: 8\ndata: not complete\n", b"7"),
        (b"id: 7\nid:8\n\n", b"8"),
        (b"id: 7\n\nid\ndata: it is forgotten\n\n", b""),
        (b"id: 7\n\nid: a\0b\n\n", b"7"),
        (b"data: id: 7\n\n", None),
    ],
)
def test_the_last_id_is_that_of_the_standard(stream: bytes, place: bytes | None) -> None:
    assert last_id(stream) == place


def test_each_fan_has_the_place_of_its_own_last_event() -> None:
    places: dict[int, bytes] = {}
    numbers = EventNumbers(b"#", places.__setitem__)
    for fan, text in (
        (1, b"id: 7\ndata: #1\n\n"),
        (2, b"id: 7\ndata: #1\n\n"),
        (2, b"id: 8\ndata:"),
        (1, b": beat\n\n"),
    ):
        numbers.sequences(fan, text)
    assert places == {1: b"7", 2: b"7"}
    numbers.sequences(2, b"#2\n\n")
    assert places == {1: b"7", 2: b"8"}


def test_who_comes_back_says_after_which_event() -> None:
    request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
    assert resuming(request, b"a 7") == request.replace(b"Host", b"Last-Event-ID: a 7\r\nHost")
    assert resuming(request, b"") == request


def test_an_event_that_does_not_end_is_given_up() -> None:
    numbers = EventNumbers(b"#")
    with pytest.raises(UnreadableError, match=r"^sends an event of more than 1,048,576 bytes$"):
        numbers.sequences(FAN, b"data: " + b"x" * MAX_EVENT)

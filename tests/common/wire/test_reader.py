from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.events import Event
from common.domain.match import Player
from common.wire.frames import GOODBYE, WELCOME, encode, error_line, numbered, resumed_line
from common.wire.reader import (
    LIMIT,
    ErrorLine,
    Frame,
    FrameError,
    FrameReader,
    GoodbyeLine,
    Heard,
    Line,
    ResumedLine,
    parse_frame,
)
from tests.common.domain.strategies import AT, events

HEAD = b"2011-09-10 18:00:00: "


def framed(event: Event) -> Frame:
    """Return what is left of an event when it has gone over the wire."""
    return Frame(event.at.replace(microsecond=0), event.kind, event.details)


def read(data: bytes, cuts: list[int]) -> list[Heard]:
    reader = FrameReader()
    found: list[Heard] = []
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        found += reader.feed(data[start:end])
    assert reader.pending == 0
    return found


def test_a_connection_is_read_from_its_welcome_to_its_end() -> None:
    luna = Event(1, AT, "goal", {"player": Player(7, "Luna"), "team": "tig", "comment": "Luna (7) "})
    stop = Event(2, AT, "stop", {})
    welcome, how, *rest = read(WELCOME + encode(luna) + encode(stop) + error_line("the match was cancelled"), [])
    assert isinstance(welcome, Line)
    assert welcome.text.startswith("Welcome to Match Stream.")
    assert isinstance(how, Line)
    assert how.text.startswith("To watch the current game use: V:2:")
    assert rest == [framed(luna), framed(stop), ErrorLine("the match was cancelled")]


def test_a_farewell_is_told_from_other_lines() -> None:
    (goodbye,) = read(GOODBYE, [3, 20])
    assert goodbye == GoodbyeLine("the server is stopping; connect again in a moment")


def test_what_is_incomplete_is_kept_and_counted() -> None:
    reader = FrameReader()
    frame = HEAD + b"stop:\n\r\n"
    assert reader.feed(frame[:-1]) == []
    assert reader.pending == len(frame) - 1
    assert reader.feed(frame[-1:] + b"next") == [Frame(AT, "stop", {})]
    assert reader.pending == 4


def test_lines_may_end_either_way() -> None:
    assert FrameReader().feed(b"a\nb\r\n\r\nERROR: c\n") == [Line("a"), Line("b"), Line(""), ErrorLine("c")]


def test_an_empty_line_may_come_first() -> None:
    reader = FrameReader()
    assert reader.feed(b"\n" + HEAD + b"stop:\n\r\n") == [Line(""), Frame(AT, "stop", {})]
    assert reader.pending == 0


def test_lists_of_players_may_be_empty_in_any_place() -> None:
    block = HEAD + b"status:\n\thome_players:\n\tvisit_players:\n\t\t A (3)  (4) \n\thome_score: 2\n\r\n"
    assert parse_frame(block).details == {
        "home_players": (),
        "visit_players": (Player(4, "A (3) "),),
        "home_score": 2,
    }


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (b"2011-99-10 18:00:00: stop:\n\r\n", "cannot be read: month must be"),
        (HEAD + b"stop:\n\tcomment: \xff\n\r\n", "cannot be read: 'utf-8' codec"),
        (HEAD + b"stop:\ncomment: x\n\r\n", "does not start with a tab: 'comment: x'"),
        (HEAD + b"stop:\n\tcomment\n\r\n", r"has no value: '\\tcomment'"),
        (HEAD + b"stop:\n\tcomment:\n\r\n", r"has no value: '\\tcomment:'"),
        (HEAD + b"stop:\n\t\t Luna (7) \n\r\n", "has no value"),
        (HEAD + b"start:\n\thome_players:\n\tperiod: first\n\t\t Luna (7) \n\r\n", r"has no value: '\\t\\t Luna"),
        (HEAD + b"goal:\n\tplayer: Luna\n\r\n", "not a player's name and number: 'Luna'"),
        (HEAD + b"goal:\n\tplayer: Luna (7)\n\r\n", "not a player's name and number"),
        (HEAD + b"start:\n\thome_players:\n\t\t Luna \n\r\n", "not a player's name and number"),
        (HEAD + b"status:\n\thome_score: -1\n\r\n", "home_score is not a number: '-1'"),
        (HEAD + b"status:\n\thome_score: " + b"1" * 9000 + b"\n\r\n", "home_score is not a number: '1{60}'$"),
    ],
)
def test_a_broken_frame_is_refused_with_the_place(block: bytes, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        parse_frame(block)
    with pytest.raises(FrameError, match=words):
        FrameReader().feed(block)


@pytest.mark.parametrize("block", [b"", b"hello\n", HEAD + b"stop:\n", HEAD + b"stop:\n\tcomment: x\n"])
def test_what_is_no_frame_is_not_parsed_as_one(block: bytes) -> None:
    with pytest.raises(FrameError, match="this is not a frame"):
        parse_frame(block)


def test_a_line_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(FrameError, match="is this a Match Stream server"):
        FrameReader().feed(b"\xff\n")


@pytest.mark.parametrize("size", [1000, LIMIT, 10 * LIMIT])
@pytest.mark.parametrize(("start", "end"), [(b"", b"\n"), (HEAD + b"stop:\n\tcomment: ", b"\n\r\n")])
def test_an_endless_line_or_frame_is_refused_however_it_is_cut(start: bytes, end: bytes, size: int) -> None:
    cuts = list(range(0, 2 * LIMIT, size))
    longest = start + b"x" * (LIMIT - len(start) - len(end)) + end
    assert len(read(longest, cuts)) == 1
    with pytest.raises(FrameError, match="longer than 65536 bytes"):
        read(longest[: -len(end)] + b"x" + end, cuts)
    with pytest.raises(FrameError, match="longer than 65536 bytes"):
        read(start + b"x" * (LIMIT + 1), cuts)


@given(st.lists(events(), max_size=3), st.lists(st.integers(0, 20_000)))
def test_every_event_comes_back_however_the_bytes_are_cut(sent: list[Event], cuts: list[int]) -> None:
    data = WELCOME + b"".join(encode(event) for event in sent)
    assert read(data, cuts)[2:] == [framed(event) for event in sent]


@given(events())
def test_details_come_back_in_their_order(event: Event) -> None:
    assert list(parse_frame(encode(event)).details) == list(event.details)


@given(
    st.binary() | st.lists(st.sampled_from([HEAD, b"goal:\n", b"\t", b"\r\n", b"\n", b"player: ", b"x"])).map(b"".join)
)
def test_garbage_is_read_as_lines_or_refused_by_name(data: bytes) -> None:
    try:
        found = FrameReader().feed(data)
    except FrameError:
        return
    assert len(found) <= data.count(b"\n")


def test_times_are_utc() -> None:
    assert parse_frame(HEAD + b"stop:\n\r\n").at == datetime(2011, 9, 10, 18, tzinfo=UTC)


places = st.tuples(*[st.integers(0, 10**18 - 1)] * 2)


@given(st.lists(st.tuples(events(), places), max_size=3), st.lists(st.integers(0, 20_000)))
def test_numbered_frames_come_back_with_their_places(
    sent: list[tuple[Event, tuple[int, int]]], cuts: list[int]
) -> None:
    data = resumed_line(len(sent), 7) + b"".join(numbered(encode(event), *place) for event, place in sent)
    resumed, *found = read(data, cuts)
    assert resumed == ResumedLine(f"{len(sent)} events after 7")
    assert found == [Frame(framed(event).at, event.kind, event.details, place) for event, place in sent]


def test_what_a_status_stands_for_comes_back() -> None:
    frame = parse_frame(numbered(HEAD + b"status:\n\thome: elp\n\r\n", 12, 34, "events 3 to 12"))
    assert frame == Frame(AT, "status", {"home": "elp"}, (12, 34), "events 3 to 12")


@pytest.mark.parametrize("detail", [b"number: x", b"number: -1", b"epoch: 1.5", b"number: " + b"1" * 19])
def test_a_number_that_is_none_is_refused(detail: bytes) -> None:
    with pytest.raises(FrameError, match="is not a number"):
        parse_frame(HEAD + b"stop:\n\t" + detail + b"\n\r\n")

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.wire.greeting import (
    LIMIT,
    MAX_NAME,
    UNKNOWN,
    Greeting,
    GreetingError,
    GreetingReader,
    Numbered,
    parse_greeting,
)

EXPECTED = "expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>"
EXPECTED_3 = f"{EXPECTED}, or V:3:<user>:<match id>:<last number>:<epoch>"

MARKS = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
fields = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":" + MARKS), min_size=1, max_size=MAX_NAME
)
ends = st.sampled_from([b"\n", b"\r\n", b"\r\0", b"\r"])
ignored = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=20).map(
        lambda text: text.rstrip("\0")
    ),
    max_size=3,
)


@st.composite
def greetings(draw: st.DrawFn) -> tuple[bytes, Greeting]:
    """A line with its end, and what it says."""
    user, match_id = draw(fields), draw(st.none() | fields)
    line = ["V", "2", user] if match_id is None else ["VERSION", "1", "CONNECT", user, "MATCH", match_id]
    return ":".join(line + draw(ignored)).encode() + draw(ends), Greeting(user, match_id)


def feed(data: bytes, cuts: list[int], *, numbers: bool = False) -> Greeting | GreetingError | None:
    """Return what a reader makes of `data` cut at `cuts`."""
    reader = GreetingReader(numbers=numbers)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    try:
        for start, end in pairwise(places):
            greeting = reader.feed(data[start:end])
            if greeting is not None:
                return greeting
    except GreetingError as error:
        return error
    return None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\0", b"\r"])
@pytest.mark.parametrize(
    ("line", "greeting"),
    [
        (b"V:2:ann", Greeting("ann", None)),
        (b"V:2:ann:x:y", Greeting("ann", None)),
        (b"V:2:ann:", Greeting("ann", None)),
        ("V:2:Ñandú".encode(), Greeting("Ñandú", None)),
        ("V:2:👩\u200d👧".encode(), Greeting("👩\u200d👧", None)),
        (b"VERSION:1:CONNECT:ann:MATCH:elp-tig-2011-09-10", Greeting("ann", "elp-tig-2011-09-10")),
        (b"VERSION:1:CONNECT:ann:MATCH:elp-tig-2011-09-10:x", Greeting("ann", "elp-tig-2011-09-10")),
    ],
)
def test_both_greetings_are_read(line: bytes, greeting: Greeting, end: bytes) -> None:
    assert parse_greeting(line) == greeting
    assert GreetingReader().feed(line + end) == greeting


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b" V:2:ann",
            b"v:2:ann",
            b"V",
            b"V:2",
            b"V:3:ann",
            b"V:3:ann:m:1:2",
            b"V:1:ann",
            b"V:22:ann",
            b"GET / HTTP/1.1",
            b"hello",
        ),
        *(b"VERSION:1", b"VERSION:2:CONNECT:ann:MATCH:m", b"VERSION:1:CONNECT:ann", b"VERSION:1:CONNECT:ann:MATCH"),
        *(b"VERSION:1:connect:ann:MATCH:m", b"VERSION:1:CONNECT:ann:GAME:m"),
    ],
)
def test_anything_else_is_answered_with_what_was_expected(line: bytes) -> None:
    with pytest.raises(GreetingError, match=rf"^{re.escape(EXPECTED)}$"):
        parse_greeting(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"V:2:", "the user is empty"),
        (b"V:2::x", "the user is empty"),
        (b"VERSION:1:CONNECT::MATCH:m", "the user is empty"),
        (b"VERSION:1:CONNECT:ann:MATCH:", "the match id is empty"),
        (b"VERSION:1:CONNECT:ann:MATCH::x", "the match id is empty"),
        (b"V:2:" + b"x" * 65, "the user is longer than 64 characters"),
        (b"VERSION:1:CONNECT:ann:MATCH:" + b"x" * 65, "the match id is longer than 64 characters"),
        (b"V:2:a\tb", "the user has control characters or direction marks"),
        (b"V:2:ann\r", "the user has control characters or direction marks"),
        (b"V:2:a\x7f", "the user has control characters or direction marks"),
        (b"V:2:a\xc2\x9b", "the user has control characters or direction marks"),
        ("V:2:a\u202eb".encode(), "the user has control characters or direction marks"),
        ("V:2:a\u2066b".encode(), "the user has control characters or direction marks"),
        (b"VERSION:1:CONNECT:ann:MATCH:m\0", "the match id has control characters or direction marks"),
        (b"V:2:\xff", "the line is not UTF-8"),
    ],
)
def test_a_wrong_name_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(GreetingError, match=rf"^{reason}; {re.escape(EXPECTED)}$"):
        parse_greeting(line)


def test_64_characters_are_allowed_whatever_their_bytes() -> None:
    assert parse_greeting(b"V:2:" + "ñ".encode() * 64).user == "ñ" * 64


def test_what_follows_the_line_is_ignored() -> None:
    reader = GreetingReader()
    assert reader.feed(b"V:2:ann\r\nV:2:bob\r\n\xff") == Greeting("ann", None)
    assert reader.feed(b"x" * 5000) is None


@pytest.mark.parametrize("end", [b"\n", b"\r"])
@pytest.mark.parametrize("rest", [b"V:2:bob\n", b"V:2:bob\r", b"V:2:bob\r\n", b"\n", b"\r", b"x" * LIMIT + b"\r"])
def test_the_first_end_of_a_line_is_its_end(end: bytes, rest: bytes) -> None:
    assert GreetingReader().feed(b"V:2:ann" + end + rest) == Greeting("ann", None)


@pytest.mark.parametrize("data", [b"\n", b"\r", b"\r\n", b"\nV:2:ann\r", b"\rV:2:ann\n", b"\nV:2:ann\n"])
def test_a_line_without_a_word_is_no_greeting(data: bytes) -> None:
    with pytest.raises(GreetingError, match=rf"^{re.escape(EXPECTED)}$"):
        GreetingReader().feed(data)


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_a_line_may_have_1024_bytes_with_its_end_and_no_more(size: int) -> None:
    start = b"V:2:ann:"
    longest = start + b"x" * (LIMIT - 1 - len(start)) + b"\n"
    assert len(longest) == 1024
    cuts = list(range(0, 5000, size))
    assert feed(longest, cuts) == Greeting("ann", None)
    for too_long in (longest[:-1] + b"x\n", longest[:-1] + b"x", b"x" * 100_000):
        error = feed(too_long, cuts)
        assert isinstance(error, GreetingError)
        assert str(error) == f"the line is longer than 1024 bytes; {EXPECTED}"
    assert feed(longest[:-1], cuts) is None


def test_a_reader_that_refused_keeps_quiet() -> None:
    reader = GreetingReader()
    with pytest.raises(GreetingError):
        reader.feed(b"hello\n")
    assert reader.feed(b"V:2:ann\n") is None


def test_a_reader_has_no_dictionary() -> None:
    assert not hasattr(GreetingReader(), "__dict__")


@given(greetings(), st.lists(st.integers(0, 2000)), st.binary())
def test_a_greeting_is_read_however_it_is_cut_and_whatever_follows(
    case: tuple[bytes, Greeting], cuts: list[int], rest: bytes
) -> None:
    line, greeting = case
    assert feed(line + rest, cuts) == greeting


@given(greetings(), st.integers(0, 2000))
def test_nothing_is_told_before_the_line_is_complete(case: tuple[bytes, Greeting], cut: int) -> None:
    line, greeting = case
    reader = GreetingReader()
    cut %= len(line.rstrip(b"\r\n\0")) + 1
    assert reader.feed(line[:cut]) is None
    assert reader.feed(line[cut:]) == greeting


PUTTY = b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03"
"""What PuTTY says first: WILL window size, speed, terminal, environment; DO ECHO; WILL and DO suppress go ahead."""

commands = st.sampled_from(
    [
        *(
            b"\xff\xf1",
            b"\xff\xec",
            b"\xff\xf6",
            b"\xff\xf0",
            b"\xff\xfb\x1f",
            b"\xff\xfc\n",
            b"\xff\xfd\r",
            b"\xff\xfe\xff",
        ),
        *(b"\xff\xfa\xff\xf0", b"\xff\xfa\x18\0XTERM\r\n\xff\xf0", b"\xff\xfa\x1f\0\xff\xff\xf0\xff\xf0", PUTTY),
    ]
)


@given(greetings(), st.lists(st.tuples(st.integers(0, 500), commands), max_size=5), st.lists(st.integers(0, 2000)))
@example((b"V:2:ann\r\n", Greeting("ann", None)), [(0, PUTTY)], list(range(40)))
def test_telnet_commands_are_passed_over_wherever_they_stand_and_are_cut(
    case: tuple[bytes, Greeting], inserted: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    line, greeting = case
    pieces = [line[at : at + 1] for at in range(len(line))]
    for at, command in inserted:
        pieces.insert(at % len(line), command)
    assert feed(b"".join(pieces), cuts) == greeting


@pytest.mark.parametrize("line", [b"V:2:a\xff\xffb\n", b"V:2:a\xff\n", b"\xffV:2:a\n", b"V:2:a\xff\xeb\n"])
def test_a_255_that_is_no_command_is_no_text(line: bytes) -> None:
    error = feed(line, [])
    assert str(error) == f"the line is not UTF-8; {EXPECTED}"
    assert str(feed(line, list(range(len(line))))) == str(error)


@pytest.mark.parametrize("endless", [b"\xff\xfa" + b"x" * 5000, PUTTY * 100])
def test_commands_without_end_are_too_long_a_line(endless: bytes) -> None:
    assert str(feed(endless, [1000, 2000])) == f"the line is longer than 1024 bytes; {EXPECTED}"


@given(greetings())
def test_who_sends_no_more_has_ended_the_line(case: tuple[bytes, Greeting]) -> None:
    line, greeting = case
    reader = GreetingReader()
    for piece in line.rstrip(b"\r\n\0").partition(b":"):
        assert reader.feed(piece) is None
    assert reader.feed(b"\xff\xfa\x18") is None
    assert reader.end() == greeting
    assert reader.end() is None


def test_who_ends_without_a_word_is_told_what_was_expected() -> None:
    reader = GreetingReader()
    with pytest.raises(GreetingError, match=rf"^{re.escape(EXPECTED)}$"):
        reader.end()
    assert reader.feed(b"V:2:ann\n") is None


garbage = st.binary(max_size=80) | st.lists(
    st.sampled_from([b"V", b":", b"2", b"VERSION:1:CONNECT:", b"MATCH", b"u", b"\r", b"\0", b"\xff", b"1"])
).map(b"".join)
GRAMMAR = re.compile(r"V:2:[^:]{1,64}(:.*)?|VERSION:1:CONNECT:[^:]{1,64}:MATCH:[^:]{1,64}(:.*)?", re.DOTALL)


@given(garbage, st.lists(st.integers(0, 200), max_size=5))
def test_garbage_is_refused_in_the_same_way_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    line = data.translate(None, b"\r\n\xff") + b"\n"
    result = feed(line, cuts)
    if isinstance(result, Greeting):
        assert GRAMMAR.fullmatch(line.decode().rstrip("\n"))
    else:
        assert isinstance(result, GreetingError)
        assert str(result).endswith(EXPECTED)
        assert str(result) == str(feed(line, []))


@st.composite
def numbered_greetings(draw: st.DrawFn) -> tuple[bytes, Greeting]:
    """A line with its end that asks for numbers, and what it says."""
    user, match_id = draw(fields), draw(st.none() | fields)
    place = draw(st.none() | st.tuples(*[st.integers(0, 10**18 - 1)] * 2))
    line = ["V", "3", user, match_id or "", *(["", ""] if place is None else map(str, place))]
    numbered = Numbered() if place is None else Numbered(*place)
    return ":".join(line + draw(ignored)).encode() + draw(ends), Greeting(user, match_id, numbered)


@given(numbered_greetings() | greetings(), st.lists(st.integers(0, 2000), max_size=5))
def test_who_numbers_reads_all_greetings_however_they_are_cut(case: tuple[bytes, Greeting], cuts: list[int]) -> None:
    line, greeting = case
    assert feed(line, cuts, numbers=True) == greeting


@pytest.mark.parametrize(
    ("line", "greeting"),
    [
        (b"V:3:ann:", Greeting("ann", None, Numbered())),
        (b"V:3:ann:m", Greeting("ann", "m", Numbered())),
        (b"V:3:ann:m:", Greeting("ann", "m", Numbered())),
        (b"V:3:ann:m::", Greeting("ann", "m", Numbered())),
        (b"V:3:ann:m:12", Greeting("ann", "m", Numbered(12))),
        (b"V:3:ann:m:12:", Greeting("ann", "m", Numbered(12))),
        (b"V:3:ann:m:012:034:x", Greeting("ann", "m", Numbered(12, 34))),
        (b"V:3:ann::0:0", Greeting("ann", None, Numbered(0))),
    ],
)
def test_what_is_not_known_may_be_left_out(line: bytes, greeting: Greeting) -> None:
    assert parse_greeting(line, numbers=True) == greeting


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"V:3", ""),
        (b"V:3:ann", ""),
        (b"V:4:ann:m", ""),
        (b"V:3::m", "the user is empty; "),
        (b"V:3:ann:" + b"m" * 65, "the match id is longer than 64 characters; "),
        (b"V:3:ann:m\t:1:2", "the match id has control characters or direction marks; "),
        (b"V:3:ann:m:-1:2", "the last number is not a number of 1 to 18 digits; "),
        (b"V:3:ann:m::2", "the last number is not a number of 1 to 18 digits; "),
        (b"V:3:ann:m:" + b"1" * 19, "the last number is not a number of 1 to 18 digits; "),
        ("V:3:ann:m:\u0661:2".encode(), "the last number is not a number of 1 to 18 digits; "),
        (b"V:3:ann:m:1 :2", "the last number is not a number of 1 to 18 digits; "),
        (b"V:3:ann:m:1:2.5", "the epoch is not a number of 1 to 18 digits; "),
        (b"V:3:ann:m:1:\xff", "the line is not UTF-8; "),
        (b"V:2:", "the user is empty; "),
    ],
)
def test_a_wrong_place_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(GreetingError, match=rf"^{re.escape(reason + EXPECTED_3)}$") as refused:
        parse_greeting(line, numbers=True)
    assert UNKNOWN in str(refused.value)
    assert str(feed(line + b"\n", [], numbers=True)) == str(refused.value)


def test_who_does_not_number_does_not_say_that_others_do() -> None:
    assert UNKNOWN in EXPECTED
    assert "V:3" not in str(feed(b"x" * LIMIT, []))
    assert str(feed(b"x" * LIMIT, [], numbers=True)) == f"the line is longer than 1024 bytes; {EXPECTED_3}"


numbered_garbage = st.lists(st.sampled_from([b"V:3", b":", b"ann", b"m", b"7", b"-", b" ", b"\0", b"1" * 18, b"x"]))
NUMBERED_GRAMMAR = re.compile(
    r"V:3:[^:]{1,64}:[^:]{0,64}(:|:[0-9]{1,18}|:[0-9]{1,18}:[0-9]{0,18}(:.*)?|::(:.*)?)?", re.DOTALL
)


@given(numbered_garbage.map(b"".join), st.lists(st.integers(0, 200), max_size=5))
def test_numbered_garbage_is_refused_in_the_same_way_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    result = feed(data + b"\n", cuts, numbers=True)
    if isinstance(result, Greeting):
        assert NUMBERED_GRAMMAR.fullmatch(data.decode())
    else:
        assert isinstance(result, GreetingError)
        assert str(result).endswith(EXPECTED_3)
        assert str(result) == str(feed(data + b"\n", [], numbers=True))

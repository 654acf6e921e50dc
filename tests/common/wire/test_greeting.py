import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.wire.greeting import LIMIT, MAX_NAME, Greeting, GreetingError, GreetingReader, parse_greeting

EXPECTED = "expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>"

fields = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":"), min_size=1, max_size=MAX_NAME)
ends = st.sampled_from([b"\n", b"\r\n"])
ignored = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=20), max_size=3
)


@st.composite
def greetings(draw: st.DrawFn) -> tuple[bytes, Greeting]:
    """A line with its end, and what it says."""
    user, match_id = draw(fields), draw(st.none() | fields)
    line = ["V", "2", user] if match_id is None else ["VERSION", "1", "CONNECT", user, "MATCH", match_id]
    return ":".join(line + draw(ignored)).encode() + draw(ends), Greeting(user, match_id)


def feed(data: bytes, cuts: list[int]) -> Greeting | GreetingError | None:
    """Return what a reader makes of `data` cut at `cuts`."""
    reader = GreetingReader()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    try:
        for start, end in pairwise(places):
            greeting = reader.feed(data[start:end])
            if greeting is not None:
                return greeting
    except GreetingError as error:
        return error
    return None


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
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
    assert parse_greeting(line + end) == greeting
    assert GreetingReader().feed(line + (end or b"\n")) == greeting


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b" V:2:ann", b"v:2:ann", b"V", b"V:2", b"V:3:ann", b"V:1:ann", b"V:22:ann", b"GET / HTTP/1.1", b"hello"),
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
        (b"V:2:a\tb", "the user has control characters"),
        (b"V:2:ann\r\r", "the user has control characters"),
        (b"V:2:a\x7f", "the user has control characters"),
        (b"V:2:a\xc2\x9b", "the user has control characters"),
        (b"VERSION:1:CONNECT:ann:MATCH:m\0", "the match id has control characters"),
        (b"V:2:\xff", "the line is not UTF-8"),
        (b"\xff\xfb\x1f", "the line is not UTF-8"),
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
    cut %= len(line)
    assert reader.feed(line[:cut]) is None
    assert reader.feed(line[cut:]) == greeting


garbage = st.binary(max_size=80) | st.lists(
    st.sampled_from([b"V", b":", b"2", b"VERSION:1:CONNECT:", b"MATCH", b"u", b"\r", b"\0", b"\xff", b"1"])
).map(b"".join)
GRAMMAR = re.compile(r"V:2:[^:]{1,64}(:.*)?|VERSION:1:CONNECT:[^:]{1,64}:MATCH:[^:]{1,64}(:.*)?", re.DOTALL)


@given(garbage, st.lists(st.integers(0, 200), max_size=5))
def test_garbage_is_refused_in_the_same_way_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    line = data.replace(b"\n", b"") + b"\n"
    result = feed(line, cuts)
    if isinstance(result, Greeting):
        assert GRAMMAR.fullmatch(line.decode().rstrip("\r\n"))
    else:
        assert isinstance(result, GreetingError)
        assert str(result).endswith(EXPECTED)
        assert str(result) == str(feed(line, []))

"""What is read in one step is what a reader makes of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.wire.greeting import MAX_NAME, Greeting, GreetingError, GreetingReader
from stages.stage4.usual_greeting import usual_greeting

pieces = st.one_of(
    st.sampled_from(
        [b"V", b"2", b"3", b"VERSION", b"1", b"CONNECT", b"MATCH", b":", b"\r", b"\n", b"\0", b"\xff", b" "]
    ),
    st.binary(max_size=MAX_NAME + 2),
    st.text(max_size=MAX_NAME + 2).map(str.encode),
)
lines = st.lists(pieces, max_size=4).map(b":".join)
likely = st.one_of(
    st.tuples(st.just(b"V:2:"), pieces, st.sampled_from([b"\n", b"\r\n", b"\r", b":\n", b""]), lines),
    st.tuples(
        st.just(b"VERSION:1:CONNECT:"),
        pieces,
        st.just(b":MATCH:"),
        pieces,
        st.sampled_from([b"\n", b"\r\0", b""]),
        lines,
    ),
).map(b"".join)


def read(data: bytes, *, numbers: bool) -> Greeting | GreetingError | None:
    try:
        return GreetingReader(numbers=numbers).feed(data)
    except GreetingError as error:
        return error


@given(st.one_of(lines, likely), st.booleans())
@example(b"V:2:" + b"u" * MAX_NAME + b"\n", True)
@example(b"V:2:" + b"u" * (MAX_NAME + 1) + b"\n", True)
@example(b"V:2:\n", False)
@example(b"V:2:a\rb\n", False)
@example(b"V:2:a\x7f\n", False)
@example(b"V:2:a\xff\xf1\n", False)
@example(b"V:2:a\nV:2:b\n", False)
@example(b"VERSION:1:CONNECT:a:MATCH:\n", False)
def test_it_agrees_with_a_reader(data: bytes, numbers: bool) -> None:
    greeting = usual_greeting(data)
    assert greeting is None or greeting == read(data, numbers=numbers)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\0", b"\nand what follows"])
def test_the_usual_forms_are_read(end: bytes) -> None:
    assert usual_greeting(b"V:2:a fan" + end) == Greeting("a fan", None)
    line = b"VERSION:1:CONNECT:fan-1:MATCH:elp-tig-2011-09-10"
    assert usual_greeting(line + end) == Greeting("fan-1", "elp-tig-2011-09-10")


@pytest.mark.parametrize("line", [b"V:2:half a na", b"V:3:fan:m:4:5\n", b"V:2:fan:ignored\n", "V:2:Müller\n".encode()])
def test_of_others_it_says_nothing(line: bytes) -> None:
    assert usual_greeting(line) is None

"""Heads of requests: nothing is let in that h11 would not have read the same, and what else is refused is known."""

from __future__ import annotations

import re

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.stage4.request_head import MOST_HEAD, HeadReader, NoRequestError, Request, TooLongError

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n"


def read(*pieces: bytes) -> Request | type[Exception] | None:
    """Return what becomes of a head in such pieces."""
    reader = HeadReader()
    for piece in pieces:
        try:
            found = reader.read(piece)
        except (NoRequestError, TooLongError) as error:
            return type(error)
        if found is not None:
            return found
    return None


def by_h11(said: bytes) -> h11.Request | type[h11.NEED_DATA | h11.RemoteProtocolError]:
    """Return what h11 makes of it."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD)
    http.receive_data(said)
    try:
        event = http.next_event()
    except h11.RemoteProtocolError:
        return h11.RemoteProtocolError
    assert event is h11.NEED_DATA or isinstance(event, h11.Request)
    return event


GOOD = [
    pytest.param(GET + b"\r\n", [(b"host", b"h")], id="usual"),
    pytest.param(GET + b"A:\r\nB: c\r\n\r\n", [(b"host", b"h"), (b"a", b""), (b"b", b"c")], id="empty value"),
    pytest.param(GET + b"A: \t b \t c \t\r\n\r\n", [(b"host", b"h"), (b"a", b"b \t c")], id="space around a value"),
    pytest.param(GET + b"A: \xe9\xff\r\n\r\n", [(b"host", b"h"), (b"a", b"\xe9\xff")], id="Latin-1"),
    pytest.param(GET + b"a: 1\r\nA: 2\r\n\r\n", [(b"host", b"h"), (b"a", b"1"), (b"a", b"2")], id="twice"),
    pytest.param(GET + b"Content-Length: 2\r\n\r\n{}", [(b"host", b"h"), (b"content-length", b"2")], id="body"),
    pytest.param(
        GET + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nHost: trailer\r\n\r\n",
        [(b"host", b"h"), (b"transfer-encoding", b"chunked")],
        id="chunks, and a trailer",
    ),
    pytest.param(GET + b"\r\nPUT /b HTTP/1.1\r\nHost: i\r\n\r\n", [(b"host", b"h")], id="another request behind"),
    pytest.param(GET + b"\r\n\x16\x03\r\n", [(b"host", b"h")], id="anything behind"),
    pytest.param(
        GET + b"Connection: close\r\n\r\nmore", [(b"host", b"h"), (b"connection", b"close")], id="more after close"
    ),
    pytest.param(
        GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x80",
        [(b"host", b"h"), (b"connection", b"Upgrade"), (b"upgrade", b"websocket")],
        id="another protocol behind",
    ),
]


@pytest.mark.parametrize(("said", "headers"), GOOD)
def test_a_head_is_what_it_says_and_nothing_of_what_follows(said: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    expected = Request(b"GET", b"/a", False, headers, dict(headers))
    assert read(said) == read(*(said[at : at + 1] for at in range(len(said)))) == expected


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"HEAD http://u@h:80/a?b#c HTTP/1.1", (b"HEAD", b"http://u@h:80/a?b#c", False)),
        (b"OPTIONS * HTTP/1.1", (b"OPTIONS", b"*", False)),
        (b"CONNECT h:80 HTTP/1.1", (b"CONNECT", b"h:80", False)),
        (b"GET /a HTTP/1.0", (b"GET", b"/a", True)),
    ],
)
def test_forms_of_a_request_line(line: bytes, request_: tuple[bytes, bytes, bool]) -> None:
    headers = [(b"host", b"h")]
    assert read(line + b"\r\nHost: h\r\n\r\n") == Request(*request_, headers, dict(headers))


def test_of_http_1_0_nobody_says_a_host() -> None:
    assert read(b"GET / HTTP/1.0\r\n\r\n") == Request(b"GET", b"/", True, [], {})


BAD = [
    # What llhttp would take.
    pytest.param(b"\r\n" + GET + b"\r\n", id="empty line before"),
    pytest.param(b"GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", id="two spaces"),
    pytest.param(b"GET /a  HTTP/1.1\r\nHost: h\r\n\r\n", id="two spaces behind"),
    pytest.param(b"GET /a\r\nHost: HTTP/1.1\r\n\r\n", id="HTTP/0.9"),
    pytest.param(b"GET /a HTTP/0.9\r\nHost: h\r\n\r\n", id="HTTP/0.9 by name"),
    pytest.param(b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", id="HTTP/2.0"),
    pytest.param(b"GET /a RTSP/1.0\r\nHost: h\r\n\r\n", id="RTSP"),
    pytest.param(b"SOURCE /a ICE/1.0\r\nHost: h\r\n\r\n", id="Icecast"),
    pytest.param(b"GET /a HTTP/1.1\r\n\r\n", id="no Host"),
    pytest.param(GET + b"host: h\r\n\r\n", id="Host twice"),
    pytest.param(b"GET /a HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", id="Host twice in 1.0"),
    pytest.param(GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="two codings"),
    pytest.param(GET + b"Transfer-Encoding: gzip\r\n\r\n", id="another coding"),
    pytest.param(GET + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", id="a coding each"),
    pytest.param(GET + b"Transfer-Encoding: xchunked\r\n\r\n", id="what is nearly chunked"),
    # What it refuses as h11 did.
    pytest.param(b"GET /a HTTP/1.1 \r\nHost: h\r\n\r\n", id="space behind the version"),
    pytest.param(b"GET /\xc3\xb1 HTTP/1.1\r\nHost: h\r\n\r\n", id="target of another alphabet"),
    pytest.param(b"GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n", id="control character in the target"),
    pytest.param(b"GET /a HTTP/1.1\r\n x\r\nHost: h\r\n\r\n", id="fold of the request line"),
    pytest.param(GET + b"A : b\r\n\r\n", id="space before the colon"),
    pytest.param(GET + b": b\r\n\r\n", id="no name"),
    pytest.param(GET + b"A(: b\r\n\r\n", id="name that is no token"),
    pytest.param(GET + b"\xe9: b\r\n\r\n", id="name in Latin-1"),
    pytest.param(GET + b"A\r\n\r\n", id="no colon"),
    pytest.param(GET + b"A: b\rc: d\r\n\r\n", id="bare CR"),
    pytest.param(GET + b"A: \0\r\n\r\n", id="NUL"),
    pytest.param(GET + b"Content-Length: +2\r\n\r\n", id="length with a sign"),
    pytest.param(GET + b"Content-Length: 2 2\r\n\r\n", id="length of two numbers"),
    pytest.param(GET + b"Content-Length: " + b"9" * 23 + b"\r\n\r\n", id="length beyond all"),
    pytest.param(GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunked twice"),
]


@pytest.mark.parametrize("said", BAD)
def test_what_is_none_is_refused_whole_and_byte_by_byte(said: bytes) -> None:
    assert read(said) is read(*(said[at : at + 1] for at in range(len(said)))) is NoRequestError
    assert not isinstance(by_h11(said), h11.Request) or re.match(rb"GET /a HTTP/(0\.9|2\.0)", said)


NO_FORM = "a target of none of the forms of RFC 9112, section 3.2"
STRICTER = {
    "a line that ends without CR": rb"(?<!\r)\n",
    "a fold, which RFC 9112, section 5.2 has refused or replaced": rb"\r\n[ \t]",
    "a control character in a value (RFC 9110, section 5.5)": rb"[\x01-\x08\x0e-\x1f\x7f]",
    "a method that llhttp does not know": rb"\A(?!(?:GET|HEAD|CONNECT) )",
    NO_FORM: rb"\A[^ ]+ (?![/*]|[A-Za-z]+://[-.~!$&'()*+,;=%:@\[\]\w]+[/? ])",
    "another version": rb"\A[^\r\n]* HTTP/(?!1\.[01]\r)",
    "a length twice": rb"(?i)content-length:[^\r\n]*,|content-length:.*content-length:",
    "a length, and a coding": rb"(?i)(?=.*content-length:)(?=.*transfer-encoding:)",
}
"""What h11 takes and is refused here, and how it is known. Each has its place in the tests below."""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"GET /a HTTP/1.1\nHost: h\n\n", "a line that ends without CR"),
        (GET + b"\n", "a line that ends without CR"),
        (GET + b"A: b\r\n c\r\n\r\n", "a fold, which RFC 9112, section 5.2 has refused or replaced"),
        (GET + b"A: \x01\r\n\r\n", "a control character in a value (RFC 9110, section 5.5)"),
        (GET + b"A: \x7f\r\n\r\n", "a control character in a value (RFC 9110, section 5.5)"),
        (b"FOO /a HTTP/1.1\r\nHost: h\r\n\r\n", "a method that llhttp does not know"),
        (b"get /a HTTP/1.1\r\nHost: h\r\n\r\n", "a method that llhttp does not know"),
        (b"GET a HTTP/1.1\r\nHost: h\r\n\r\n", NO_FORM),
        (b"GET ?a HTTP/1.1\r\nHost: h\r\n\r\n", NO_FORM),
        (b"GET /a HTTP/0.9\r\nHost: h\r\n\r\n", "another version"),
        (b"GET /a HTTP/1.2\r\nHost: h\r\n\r\n", "another version"),
        (b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", "another version"),
        (GET + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n", "a length twice"),
        (GET + b"Content-Length: 2, 2\r\n\r\n", "a length twice"),
        (GET + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "a length, and a coding"),
        (GET + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n", "a length, and a coding"),
    ],
)
def test_what_h11_took_and_is_refused_now(said: bytes, why: str) -> None:
    assert isinstance(by_h11(said), h11.Request)
    assert read(said) is NoRequestError
    assert re.search(STRICTER[why], said, re.DOTALL)


LINES = st.sampled_from(
    (b"GET /1/match/m/stream HTTP/1.1", b"GET http://h/a HTTP/1.1", b"HEAD / HTTP/1.0", b"CONNECT h:80 HTTP/1.1")
)
HEADERS = st.sampled_from(
    (
        b"Host: h",
        b"host:",
        b"Last-Event-ID: 77-3 ",
        b"Content-Length: 2",
        b"Content-Length: 0",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Connection: Upgrade",
        b"Connection: close",
        b"Upgrade: websocket",
        b"X:\ty",
    )
)
SPOILT = st.lists(
    st.tuples(st.integers(0), st.integers(0, 3), st.sampled_from((b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b":"))),
    max_size=2,
)
ODD = st.lists(st.tuples(st.integers(0), st.integers(0, 2), st.binary(max_size=2)), max_size=1)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Draw what is nearly a request, and what may follow it."""
    lines = [draw(LINES), *draw(st.permutations((b"Host: h", *draw(st.lists(HEADERS, max_size=4)))))]
    said = b"\r\n".join(lines) + b"\r\n\r\n" + draw(st.sampled_from((b"", b"{}", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n")))
    for place, length, put in (*draw(SPOILT), *draw(ODD)):
        at = place % (len(said) + 1)
        said = said[:at] + put + said[at + length :]
    return said


@given(heads())
@settings(max_examples=1000)
def test_nothing_is_read_otherwise_than_by_h11_and_what_else_is_refused_is_known(said: bytes) -> None:
    ours, theirs = read(said), by_h11(said)
    if isinstance(ours, Request):
        assert isinstance(theirs, h11.Request)
        assert (ours.method, ours.target) == (theirs.method, theirs.target)
        assert theirs.http_version == (b"1.0" if ours.is_old else b"1.1")
        assert [(name, _said_by_h11(name, value)) for name, value in ours.headers] == list(theirs.headers)
    elif isinstance(theirs, h11.Request):
        head = re.match(rb".*?\n\r?\n", said, re.DOTALL)
        assert head is not None
        assert any(re.search(form, head[0], re.DOTALL) for form in STRICTER.values()), head[0]


def _said_by_h11(name: bytes, value: bytes) -> bytes:
    return value.lower() if name == b"transfer-encoding" else value

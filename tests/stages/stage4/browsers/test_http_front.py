"""Requests at the port for browsers, however they are cut, and what is said of those that are none."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.wire.greeting import Greeting, Numbered
from stages.stage0.client import STORE_AWAY
from stages.stage0.messages import UNREADABLE
from stages.stage4.event_source import EventSourceDoor
from stages.stage4.http_front import HttpFront, RequestError, head
from stages.stage4.request_head import MOST_HEAD
from stages.stage4.websocket import WebSocketDoor
from stages.traffic import Drop
from tests.stages.stage4.arena import Arena, PlaneFan, arena
from tests.stages.stage4.browsers.browser import Browser
from tests.stages.stage4.resuming.numbered import post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stages.game import Game
    from tests.stages.stage4.resuming.numbered import Served

KNOWN = "ask for /1/match/<id>/stream or /1/match/<id>/ws"
NO_PLACE = "the place is not <epoch>-<number>, as the id of an event is; leave it out to begin anew"
GOOD = b"GET /1/match/m%C3%B1/stream?user=ann HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 77-3\r\n\r\n"
WATCH = "GET /1/match/m/stream HTTP/1.1\r\n"


def upgrade(header: str, *, version: str = "13", key: str = "dGhlIHNhbXBsZSBub25jZQ==", http: str = "1.1") -> str:
    """Return a request for a WebSocket."""
    asked = f"GET /1/match/m/ws HTTP/{http}\r\nHost: h\r\nConnection: Upgrade\r\n{header}\r\n"
    return f"{asked}Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n"


REFUSED = [
    pytest.param(
        "GET /1/match/none/stream HTTP/1.1\r\nHost: h\r\n\r\n", 404, "there is no match none; ", id="no match"
    ),
    pytest.param("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 404, f"there is no such path here; {KNOWN}", id="no path"),
    pytest.param("GET /1/match/m HTTP/1.1\r\nHost: h\r\n\r\n", 404, f"there is no such path here; {KNOWN}", id="API"),
    pytest.param(
        f"GET /1/match/{'m' * 65}/stream HTTP/1.1\r\nHost: h\r\n\r\n",
        404,
        "the match id is longer than 64 characters; there is no such match",
        id="long id",
    ),
    pytest.param("GET /1/match/%FF/stream HTTP/1.1\r\nHost: h\r\n\r\n", 400, f"that is no URL; {KNOWN}", id="no UTF-8"),
    pytest.param("GET http://[/ HTTP/1.1\r\nHost: h\r\n\r\n", 400, f"that is no URL; {KNOWN}", id="no URL"),
    pytest.param("POST /1/match/m/stream HTTP/1.1\r\nHost: h\r\n\r\n", 405, "a match is watched by GET", id="POST"),
    pytest.param(f"{WATCH}Host: h\r\nLast-Event-ID: 3\r\n\r\n", 400, NO_PLACE, id="no place"),
    pytest.param(f"{WATCH}Host: h\r\nLast-Event-ID: 1-{'9' * 19}\r\n\r\n", 400, NO_PLACE, id="no number"),
    pytest.param(
        "GET /1/match/m/stream?after=-3 HTTP/1.1\r\nHost: h\r\n\r\n", 400, NO_PLACE, id="no place in the query"
    ),
    pytest.param(
        "GET /1/match/m/stream?user=%00 HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
        "the user has control characters or direction marks; leave it out to begin anew",
        id="no user",
    ),
    pytest.param(
        "GET /1/match/m/ws HTTP/1.1\r\nHost: h\r\n\r\n", 426, "ask for a WebSocket of version 13", id="no Upgrade"
    ),
    pytest.param(upgrade("Upgrade: h2c"), 426, "ask for a WebSocket of version 13", id="another Upgrade"),
    pytest.param(upgrade("Upgrade: websocket", http="1.0"), 426, "ask for a WebSocket of version 13", id="HTTP/1.0"),
    pytest.param(upgrade("Upgrade: websocket", version="8"), 426, "ask for a WebSocket of version 13", id="version"),
    pytest.param(
        upgrade("Upgrade: websocket", key="bm8="),
        400,
        "the Sec-WebSocket-Key is not one of 16 bytes (RFC 6455)",
        id="no key",
    ),
    pytest.param(f"{WATCH}\r\n", 400, f"that is no request of HTTP/1.1; {KNOWN}", id="no Host"),
    pytest.param("V:2:ann\r\n\r\n", 400, f"that is no request of HTTP/1.1; {KNOWN}", id="text"),
    pytest.param("\x16\x03\x01\x02", 400, f"that is no request of HTTP/1.1; {KNOWN}", id="TLS"),
    pytest.param(
        f"{WATCH}Host: h\r\nX: {'x' * MOST_HEAD}\r\n\r\n",
        431,
        f"the head is longer than {MOST_HEAD} bytes; {KNOWN}",
        id="long head",
    ),
]


@pytest.mark.parametrize(("request_", "status", "why"), REFUSED)
async def test_what_is_no_request_has_its_status_and_a_line(
    served: Served, game: Game, request_: str, status: int, why: str
) -> None:
    async with Browser(("127.0.0.1", served.browser_port)) as good, served.fan() as fan:
        await good.ask(f"/1/match/{game.id}/stream")
        await fan.begin(game.id)
        async with Browser(("127.0.0.1", served.browser_port)) as bad:
            await bad.send(request_.encode())
            await bad.read_head()
            await bad.read_to_end()
        assert bad.status == status
        assert bad.problem.startswith(why)
        assert bad.headers["connection"] == "close"
        assert bad.headers.get("allow") == ("GET" if status == 405 else None)
        assert bad.headers.get("upgrade") == ("websocket" if status == 426 else None)
        await post(game, "others go on")
        await good.read_until(lambda: b"others go on" in good.body)
        await fan.read_events(1)


async def test_who_wants_no_more_than_the_head_is_sent_no_more(served: Served) -> None:
    async with Browser(("127.0.0.1", served.browser_port)) as bad:
        await bad.send(b"HEAD /1/match/m/stream HTTP/1.1\r\nHost: h\r\n\r\n")
        await bad.read_head()
        await bad.read_to_end()
    assert (bad.status, bad.headers["allow"], bad.body) == (405, "GET", b"")


async def test_a_request_that_ends_before_its_head_does_is_told_so(served: Served) -> None:
    async with Browser(("127.0.0.1", served.browser_port)) as bad:
        await bad.send(b"GET /1/mat")
        bad.say_no_more()
        await bad.read_head()
        await bad.read_to_end()
    assert (bad.status, bad.problem) == (400, f"the request is not complete; {KNOWN}")


async def test_who_sends_no_more_may_listen(served: Served, game: Game) -> None:
    async with Browser(("127.0.0.1", served.browser_port)) as fan:
        await fan.send(f"GET /1/match/{game.id}/stream HTTP/1.0\r\n\r\n".encode())
        fan.say_no_more()
        await fan.read_head()
        await game.stop()
        await fan.read_to_end()
    assert fan.status == 200
    assert b'"kind":"stop"' in fan.body


def front() -> HttpFront:
    return HttpFront([EventSourceDoor(), WebSocketDoor()])


def read(pieces: list[bytes]) -> Greeting | tuple[int, str] | None:
    """Return what becomes of a request in such pieces, without what differs from fan to fan."""
    reader = front().reader()
    for piece in pieces:
        try:
            found = reader.feed(piece)
        except RequestError as error:
            return error.status.value, str(error)
        if found is not None:
            asked = found.numbered
            assert asked is not None
            assert asked.opening.startswith(
                b"HTTP/1.1 200 OK\r\n" if asked.door == "event-source" else b"HTTP/1.1 101 "
            )
            return Greeting(found.user, found.match_id, Numbered(asked.number, asked.epoch, asked.door))
    return None


def cut(said: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(said) + 1) for place in places), len(said)]
    return [said[begin:end] for begin, end in itertools.pairwise(edges) if begin < end]


def changed(said: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, put in changes:
        at = place % (len(said) + 1)
        said = said[:at] + put + said[at + length :]
    return said


SOCKET = (
    b"GET /1/match/m/ws?after=77-3 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
REQUESTS = st.builds(
    changed,
    st.sampled_from((GOOD, SOCKET, b"GET / HTTP/1.1\r\n\r\n", GOOD.replace(b"GET", b"PUT"), b"V:2:ann\n", GOOD * 200)),
    st.lists(st.tuples(st.integers(0), st.integers(0, 8), st.binary(max_size=8)), max_size=4),
)


def test_a_good_request_is_read() -> None:
    assert read([GOOD]) == Greeting("ann", "mñ", Numbered(3, 77, "event-source"))
    assert read([SOCKET]) == Greeting("websocket", "m", Numbered(3, 77, "websocket"))


def watch(target: str) -> Greeting | tuple[int, str] | None:
    return read([f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()])


@pytest.mark.parametrize(
    ("target", "status", "why"),
    [
        ("*", 404, f"there is no such path here; {KNOWN}"),
        ("http://h", 404, f"there is no such path here; {KNOWN}"),
        ("http://h:x/1/match/m/stream", 400, f"that is no URL; {KNOWN}"),
        ("//h/1/match/m/stream", 404, f"there is no such path here; {KNOWN}"),
        ("/1/match/m/stream/", 404, f"there is no such path here; {KNOWN}"),
        ("/1/match//stream", 404, f"there is no such path here; {KNOWN}"),
        ("/1/match/m/stream?user=%FF", 400, f"that is no URL; {KNOWN}"),
    ],
)
def test_what_is_no_target_of_a_door(target: str, status: int, why: str) -> None:
    assert watch(target) == (status, why)


@pytest.mark.parametrize("begin", ["", "http://h", "https://u:p@h:80", "http://[::1]:80"])
@pytest.mark.parametrize("end", ["", "#goals"])
def test_what_is_before_the_path_and_behind_the_query_does_not_matter(begin: str, end: str) -> None:
    assert watch(f"{begin}/1/match/m/stream?after=77-3{end}") == Greeting(
        "event-source", "m", Numbered(3, 77, "event-source")
    )


@given(st.lists(st.tuples(st.sampled_from(("user", "User", "after", "x", "")), st.text(max_size=5)), max_size=3))
@example([("user", "a-Z.0_~")])
@example([("user", "ann"), ("user", "bob")])
@example([("user", "")])
def test_a_query_is_read_as_forms_are(pairs: list[tuple[str, str]]) -> None:
    found = watch(f"/1/match/m/stream?{urlencode([*pairs, ('after', '')])}")
    users = [value for name, value in pairs if name == "user"]
    plain = f"/1/match/m/stream?user={quote(users[-1])}" if users else "/1/match/m/stream"
    assert found == watch(plain)


@pytest.mark.parametrize(
    "query", ["user=ann&user", "user=ann;x=y", "user+=ann", "&&", "user", "=", "?user=ann", "user==x"]
)
def test_a_query_that_is_none_is_read_as_the_library_reads_it(query: str) -> None:
    user = parse_qs(query, keep_blank_values=True).get("user", [""])[-1] or "event-source"
    assert watch(f"/1/match/m/stream?{query}") == Greeting(user, "m", Numbered(None, 0, "event-source"))


def test_an_answer_has_the_date_of_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = []
    for at_s in (0.1, 0.9, 1.0):
        monkeypatch.setattr("stages.stage4.http_front.time", lambda at_s=at_s: at_s)
        dates.append(head(HTTPStatus.OK).split(b"\r\n")[1])
    assert dates == [b"Date: Thu, 01 Jan 1970 00:00:0%d GMT" % second for second in (0, 0, 1)]


@given(REQUESTS, st.lists(st.integers(0, 1 << 20), max_size=6))
def test_a_request_is_the_same_however_it_is_cut(said: bytes, places: list[int]) -> None:
    assert read(cut(said, places)) == read([said])


@given(st.integers(-40, 40), st.lists(st.integers(0, 1 << 20), max_size=4))
@settings(max_examples=50)
def test_a_head_may_be_just_so_long(beyond: int, places: list[int]) -> None:
    begin = GOOD[:-2] + b"X: "
    said = begin + b"x" * (MOST_HEAD + beyond - len(begin) - 4) + b"\r\n\r\n"
    found = read(cut(said, places))
    if beyond > 0:
        assert found == (431, f"the head is longer than {MOST_HEAD} bytes; {KNOWN}")
    else:
        assert isinstance(found, Greeting)


@contextmanager
def asking() -> Iterator[tuple[Arena, PlaneFan]]:
    """Give a plane, and a fan who came by the front."""
    with arena() as found:
        theirs, fd = found.pair()
        with theirs:
            found.plane.welcome(fd, front())
            yield found, PlaneFan(theirs, fd)


@given(REQUESTS, st.lists(st.integers(0, 1 << 20), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_plane_answers_whatever_it_is_sent_and_forgets_who_has_gone(said: bytes, places: list[int]) -> None:
    with asking() as (found, fan):
        for piece in cut(said, places):
            fan.say(piece)
            found.turn(3)
        outcome = read([said])
        heard = fan.hear()
        if isinstance(outcome, tuple):
            status = re.match(rb"HTTP/1\.1 (\d{3}) ", heard)
            assert status is not None
            assert (int(status[1]), fan.is_over) == (outcome[0], True)
            assert found.drops == {Drop.GREETING: 1}
        else:
            assert (heard, fan.is_over) == (b"", False)
            assert (fan.fd in found.greetings) == (outcome is not None)
        fan.close()
        found.turn(3)
        assert found.nothing_is_left()


@pytest.mark.parametrize(
    ("drop", "why", "status", "again"),
    [
        (Drop.MATCH, "there is no match m", 404, None),
        (Drop.MATCH, UNREADABLE, 500, None),
        (Drop.STORE, STORE_AWAY, 503, "1"),
        (Drop.FULL, "this server is full; try again in 17 s", 503, "17"),
        (Drop.SILENCE, "V:2", 408, None),
    ],
)
def test_who_cannot_be_let_in_is_told_why_by_a_status(drop: Drop, why: str, status: int, again: str | None) -> None:
    with asking() as (found, fan):
        fan.say(GOOD)
        found.turn()
        found.plane.refuse(fan.fd, why, drop)
        heard = fan.hear().decode()
        assert heard.startswith(f"HTTP/1.1 {status} ")
        assert ("Retry-After: " in heard, f"Retry-After: {again}\r\n" in heard) == (again is not None,) * 2
        expected = f"no request came in time; {KNOWN}" if drop is Drop.SILENCE else why
        assert f'{{"error":"{expected}"' in heard
        assert found.drops == {drop: 1}


def test_who_is_not_let_in_yet_when_the_server_stops_is_told_so() -> None:
    with asking() as (found, fan):
        found.plane.ask_back(fan.fd, 9)
        assert fan.hear().startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 9\r\n" in fan.heard

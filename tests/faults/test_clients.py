"""The clients of a run do as good clients do, and write down what happened; the server does as it is told."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest
from aiohttp import test_utils, web

from common.domain.events import Event
from common.domain.match import NewMatch
from common.domain.posts import Foul
from common.wire.reader import Frame
from tests.faults.fan import end_segment, take_frame
from tests.faults.history import Archive
from tests.faults.records import End, Segment, Stored, Stream
from tests.faults.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEW = NewMatch("elp", "tig", date(2011, 9, 10))
AT = datetime(2011, 9, 10, tzinfo=UTC)
ACCEPTED = Event(12, AT, "foul", {"team": "elp", "comment": "unique"})


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def reporter(session: aiohttp.ClientSession, *urls: str) -> Reporter:
    return Reporter("r", NEW, urls, session, random.Random(1))  # noqa: S311


async def test_the_same_event_has_the_same_key_until_it_is_answered(session: aiohttp.ClientSession) -> None:
    asked: list[tuple[str, bytes]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((request.headers["Idempotency-Key"], await request.read()))
        if len(asked) == 1:
            assert request.transport is not None
            request.transport.abort()  # no answer comes
        status = {1: 503, 2: 503, 3: 409}.get(len(asked), 201)
        return web.Response(status=status, body=msgspec.json.encode(ACCEPTED))

    app = web.Application()
    app.router.add_post(f"/1/match/{NEW.id}/events", answer)
    async with test_utils.TestServer(app) as server:
        client = reporter(session, "http://127.0.0.1:1", str(server.make_url("")).rstrip("/"))
        record = await client.post(Foul(team="elp", comment="unique"), 60.0)
    assert record.seq == 12
    assert record.refusal is None
    assert record.attempts > len(asked) == 4
    assert len(set(asked)) == 1
    assert '"' in asked[0][0]
    assert client.posted == [record]


async def test_an_event_that_nobody_answers_is_given_up(session: aiohttp.ClientSession) -> None:
    record = await reporter(session, "http://127.0.0.1:1").post(Foul(team="elp", comment="unique"), 0.2)
    assert record.seq is None
    assert record.attempts > 1
    assert record.sent_s <= record.ended_s


async def test_a_refusal_is_no_reason_to_try_again(session: aiohttp.ClientSession) -> None:
    app = web.Application()  # which has no such match
    async with test_utils.TestServer(app) as server:
        record = await reporter(session, str(server.make_url("")).rstrip("/")).post(Foul(team="elp"), 60.0)
    assert (record.seq, record.attempts) == (None, 1)
    assert record.refusal is not None
    assert record.refusal.startswith("404")


@pytest.mark.parametrize("next_of", [lambda seq: seq, lambda seq: f"/1/match/{NEW.id}/history?after={seq}&limit=2"])
async def test_a_history_is_read_page_by_page(session: aiohttp.ClientSession, next_of: object) -> None:
    assert callable(next_of)
    events = [
        Event(seq, AT, "goal" if seq > 1 else "start", {"team": "tig", "comment": f"c{seq}"}) for seq in range(1, 6)
    ]
    failures = Counter({"left": 1})

    async def answer(request: web.Request) -> web.Response:
        if failures["left"]:
            failures["left"] -= 1
            return web.Response(status=503)
        after = int(request.query.get("after", 0))
        page: dict[str, object] = {"match": NEW.id, "events": events[after : after + 2]}
        if after + 2 < len(events):
            page["next"] = next_of(after + 2)
        return web.Response(body=msgspec.json.encode(page))

    app = web.Application()
    app.router.add_get(f"/1/match/{NEW.id}/history", answer)
    async with test_utils.TestServer(app) as server:
        history = await Archive(session, ["http://127.0.0.1:1", str(server.make_url(""))]).history(NEW.id)
    assert history == tuple(Stored(seq, f"c{seq}", is_visit_goal=seq > 1) for seq in range(1, 6))


def test_a_stream_is_made_of_what_follows_each_status() -> None:
    stream = Stream("fan", NEW.id)
    take_frame(stream, goal("early"))
    take_frame(stream, status(1, 2))
    take_frame(stream, goal("a"))
    take_frame(stream, status(3, 2))
    take_frame(stream, goal("b"))
    end_segment(stream, End.CLOSED)
    end_segment(stream, End.LEFT)  # that it was closed is known already
    assert len(stream.garbled) == 1
    assert stream.segments == [
        Segment("fan", NEW.id, 1, 2, is_over=False, heard=["a"], end=End.ANEW),
        Segment("fan", NEW.id, 3, 2, is_over=False, heard=["b"], end=End.CLOSED),
    ]
    assert not stream.is_over


@pytest.mark.parametrize("is_late", [False, True])
def test_a_stream_is_over_with_the_match(is_late: bool) -> None:
    stream = Stream("fan", NEW.id)
    take_frame(stream, status(1, 2, "ended" if is_late else "first"))
    assert stream.is_over is is_late
    if not is_late:
        take_frame(stream, Frame(AT, "stop", {"comment": "stop"}))
    assert stream.is_over
    assert stream.segments[0].told == 4 + is_late


def status(home: int, visit: int, period: str = "first") -> Frame:
    return Frame(AT, "status", {"home_score": home, "visit_score": visit, "period": period})


def goal(comment: str) -> Frame:
    return Frame(AT, "goal", {"team": "elp", "comment": comment})

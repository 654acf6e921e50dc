import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from common.http.answers import Problem
from common.http.api import MAX_BODY_BYTES
from common.store.errors import ConflictError, StoreUnavailableError, UnknownOutcomeError
from tests.common.http.conftest import BEARER, MATCH_ID, serving
from tests.common.http.memory_backend import MemoryBackend

EVENTS = f"/1/match/{MATCH_ID}/events"
WRITES = [("POST", EVENTS), ("POST", "/1/matches"), ("PUT", "/1/team/boc")]
TEAM: dict[str, Any] = {"name": "Boca", "players": [{"number": 9, "name": "Palermo"}]}


async def problem(answer: aiohttp.ClientResponse) -> Problem:
    """Return what a refusal says, after a look at what all of them have in common."""
    assert answer.content_type == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    raw = await answer.read()
    assert list(msgspec.json.decode(raw)) == ["error", "field"]
    said = msgspec.json.decode(raw, type=Problem)
    assert said.error
    assert said.error.splitlines() == [said.error]
    return said


@pytest.mark.parametrize(
    ("asked", "body", "refusal"),
    [
        ("GET /1/match/none", None, (404, "id")),
        ("GET /1/match/none/history", None, (404, "id")),
        ("GET /1/match/a%2Fb%0Ac", None, (404, "id")),
        ("DELETE /1/match/none", None, (404, "id")),
        ("POST /1/match/none/events", {"kind": "stop"}, (404, "id")),
        (f"POST {EVENTS}", {"kind": "stop"}, (422, "kind")),
        (f"POST {EVENTS}", {"kind": "dance"}, (422, "kind")),
        (f"POST {EVENTS}", {"kind": "goal", "player": 7}, (422, "team")),
        (f"POST {EVENTS}", {"kind": "stop", "why": "rain"}, (422, "why")),
        (f"POST {EVENTS}", [], (422, None)),
        (f"POST {EVENTS}", {"kind": "stop", "comment": "\u202egnp"}, (422, "comment")),
        ("PUT /1/team/boc", {**TEAM, "name": "Boca\u2066"}, (422, "name")),
        ("POST /1/matches", {"home": "elp", "visit": "tig", "date": "2011-09-10"}, (409, None)),
        ("POST /1/matches", {"home": "elp", "visit": "boc", "date": "2011-09-10"}, (422, "visit")),
        ("POST /1/matches", {"home": "elp", "visit": "tig", "date": "10/9/11"}, (422, "date")),
        ("PUT /1/team/BOC", TEAM, (422, "id")),
        ("PUT /1/team/boc", {**TEAM, "id": "riv"}, (422, "id")),
        ("PUT /1/team/boc", {**TEAM, "id": None}, (422, "id")),
        ("PUT /1/team/boc", {"name": "Boca"}, (422, "players")),
        ("PUT /1/team/boc", {**TEAM, "players": TEAM["players"] * 2}, (422, "players")),
        ("PUT /1/team/boc", "boca", (422, None)),
    ],
)
async def test_what_cannot_be_is_refused_with_the_field(
    announced: MemoryBackend,
    reporter: aiohttp.ClientSession,
    asked: str,
    body: Any,
    refusal: tuple[int, str | None],
) -> None:
    teams, stored = dict(announced.teams), dict(announced.stored)
    method, path = asked.split()
    data = None if body is None else msgspec.json.encode(body)
    async with reporter.request(method, URL(path, encoded=True), data=data) as answer:
        assert (answer.status, (await problem(answer)).field) == refusal
    assert (announced.teams, announced.stored) == (teams, stored)


@pytest.mark.parametrize("path", ["/", "/1", "/2/matches", "/1/match/", "/1/match/x/y", "/1/matches/"])
async def test_an_unknown_path_is_a_404_that_says_where_to_look(reader: aiohttp.ClientSession, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        async with reader.request(method, path) as answer:
            assert answer.status == 404
            assert "/1/openapi.json" in (await problem(answer)).error


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/1/checkin", "GET, HEAD, OPTIONS"), ("GET", "/1/team/x", "OPTIONS, PUT")],
)
async def test_a_method_that_is_not_there_is_a_405_that_names_those_that_are(
    reader: aiohttp.ClientSession, method: str, path: str, allowed: str
) -> None:
    async with reader.request(method, path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        assert allowed in (await problem(answer)).error


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *[(*write, body) for write in WRITES for body in (b"", b"{", b"{]", b"not json", b"\xff\xfe{\0}\0")],
        ("POST", EVENTS, b'{"kind": "stop"} x'),
        ("POST", EVENTS, b'{"kind": "stop", "comment": "\xff"}'),
        ("POST", "/1/matches", b'{"home": "\xff"}'),
        ("PUT", "/1/team/boc", b'{"name": "\xff"}'),
    ],
)
async def test_what_is_not_json_is_a_400(
    announced: MemoryBackend, reporter: aiohttp.ClientSession, method: str, path: str, body: bytes
) -> None:
    async with reporter.request(method, path, data=body) as answer:
        assert answer.status == 400
        assert (await problem(answer)).field is None


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_what_is_nested_without_end_is_refused(
    announced: MemoryBackend, reporter: aiohttp.ClientSession, method: str, path: str, opening: bytes
) -> None:
    async with reporter.request(method, path, data=opening * 10_000) as answer:
        assert answer.status in {400, 422}  # a type that is wrong at its start may be refused before its end is missed
        await problem(answer)


def padded(size: int) -> bytes:
    body = msgspec.json.encode(TEAM)
    return body + b" " * (size - len(body))


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4096):
        yield body[start : start + 4096]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_have_64_kib_and_no_byte_more(
    reporter: aiohttp.ClientSession, backend: MemoryBackend, chunked: bool
) -> None:
    for size, status in ((MAX_BODY_BYTES + 1, 413), (10 * MAX_BODY_BYTES, 413), (MAX_BODY_BYTES, 201)):
        assert backend.calls == []
        body = padded(size)
        async with reporter.put("/1/team/boc", data=in_chunks(body) if chunked else body) as answer:
            assert answer.status == status
            if status == 413:
                assert "65536 bytes" in (await problem(answer)).error


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"PUT /1/team/boc HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n".encode())
    writer.write(f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()
    await writer.wait_closed()


async def test_a_small_body_that_unpacks_to_a_large_one_is_a_413(
    reporter: aiohttp.ClientSession, backend: MemoryBackend
) -> None:
    async with reporter.put("/1/team/boc", data=padded(10 * MAX_BODY_BYTES), compress="deflate") as answer:
        assert answer.status == 413
        await problem(answer)
    assert backend.calls == []


async def test_a_body_that_is_not_packed_as_it_says_is_a_400(reporter: aiohttp.ClientSession) -> None:
    packed = {"Content-Encoding": "gzip"}
    async with reporter.put("/1/team/boc", data=b"\0not gzip", headers=packed) as answer:
        assert answer.status == 400
        await problem(answer)


async def test_a_store_that_is_away_is_a_503_that_says_when_to_come_again_and_nothing_of_the_store(
    reader: aiohttp.ClientSession, backend: MemoryBackend
) -> None:
    backend.failures.append(StoreUnavailableError("Redis at /run/redis.sock refuses connections"))
    async with reader.get("/1/matches") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        said = (await problem(answer)).error
    assert said == "the server cannot reach its store now; try again"
    async with reader.get("/1/matches") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("error", "key", "advice"),
    [
        (StoreUnavailableError("full"), {}, "nothing was changed: try again"),
        (UnknownOutcomeError("cut"), {}, "it may have been done: read the match before you ask again"),
        (UnknownOutcomeError("cut"), {"Idempotency-Key": "k"}, "it may have been done: ask again under the same"),
    ],
)
async def test_whoever_writes_into_a_store_that_fails_is_told_whether_it_may_have_been_done(
    announced: MemoryBackend, reporter: aiohttp.ClientSession, error: Exception, key: dict[str, str], advice: str
) -> None:
    for path in (EVENTS, f"/1/match/{MATCH_ID}"):
        announced.failures.append(error)
        method, body = ("POST", b'{"kind": "stop"}') if path == EVENTS else ("DELETE", None)
        async with reporter.request(method, path, data=body, headers=key) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert (await problem(answer)).error.startswith(f"the server cannot reach its store now; {advice}")


async def test_a_match_that_moved_on_meanwhile_is_a_409(
    announced: MemoryBackend, reporter: aiohttp.ClientSession
) -> None:
    announced.failures.append(ConflictError())
    async with reporter.post(EVENTS, json={"kind": "stop"}) as answer:
        assert answer.status == 409
        assert "moved on" in (await problem(answer)).error


async def test_what_nobody_foresaw_is_a_500_that_is_logged_and_not_told(
    reader: aiohttp.ClientSession, backend: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.failures.append(ZeroDivisionError("a secret"))
    async with reader.get("/1/checkin") as answer:
        assert answer.status == 500
        assert "secret" not in (await problem(answer)).error
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "GET /1/checkin failed"
    assert record.exc_info is not None


async def raw_exchange(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes and return what comes until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"V:2:user\r\n\r\n",
        b"GET /1/checkin HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
async def test_what_is_no_http_gets_json_too_and_leaves_no_traceback(
    url: str, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, headers, body = await raw_exchange(url, request_bytes + b"\r\n\r\n")
    assert status == 400
    assert headers["Content-Type"].startswith("application/json")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "HTTP" in msgspec.json.decode(body, type=Problem).error
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_broken_chunks_are_a_400(url: str, backend: MemoryBackend) -> None:
    head = f"PUT /1/team/boc HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n"
    request = head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    status, _, body = await raw_exchange(url, request.encode())
    assert status == 400
    assert msgspec.json.decode(body, type=Problem).error
    assert backend.calls == []


async def test_a_reporter_who_goes_away_within_a_body_is_forgotten(
    backend: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(backend) as url:
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"PUT /1/team/boc HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n".encode())
        writer.write(b'Content-Length: 99\r\n\r\n{"name"')
        writer.close()
        await writer.wait_closed()
    assert backend.calls == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

"""Clients who take their time, or more than their share: each is let go, and nobody waits for them.

The limits are so short that a test of them is; nothing here depends on how long it takes.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import uvloop
from aiohttp import web

from common.http.answers import Problem
from common.http.api import make_app
from common.http.limits import Limits, most_connections
from common.http.server import ApiServer
from tests.common.http.conftest import TOKEN
from tests.common.http.memory_backend import MemoryBackend
from tests.loopback import OWN_ADDRESS
from tests.stages.waiting import DEADLINE_S, eventually

SHORT_S = 0.5
"""What a test waits for; what is to come in time in it comes at once, and a loop may be held up for a while."""
ASK = b"GET /1/checkin HTTP/1.1\r\nHost: x\r\n\r\n"
POST = f"POST /1/matches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n".encode()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return what runs a test to its end on the one or the other loop: they treat what is unsent differently."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = request.param

    def run_one(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(test)

    return run_one


@dataclass
class Served:
    server: ApiServer
    backend: MemoryBackend
    goes_on: asyncio.Event
    """Lets the requests for /slow be answered."""

    async def connect(self) -> Stream:
        return await asyncio.open_connection(OWN_ADDRESS, self.server.ports[0])

    async def are_left(self, connections: int) -> None:
        await eventually(lambda: self.server.statistics().connections == connections, f"{connections} are left")


@asynccontextmanager
async def serving(limits: Limits) -> AsyncIterator[Served]:
    served = Served(ApiServer(OWN_ADDRESS, [0], limits=limits), MemoryBackend(), asyncio.Event())

    async def slow(_request: web.Request) -> web.Response:
        await served.goes_on.wait()
        return web.Response(text="at last")

    async def large(_request: web.Request) -> web.Response:
        return web.Response(body=bytes(16 << 20))

    app = make_app(served.backend, TOKEN, limits)
    app.router.add_get("/slow", slow)
    app.router.add_get("/large", large)
    await served.server.bind()
    await served.server.start(app)
    try:
        yield served
    finally:
        served.goes_on.set()
        await served.server.stop()


async def drip(writer: asyncio.StreamWriter, byte: bytes) -> None:
    """Send a byte from time to time, for ever, as a client does that never comes to the end."""
    while True:
        writer.write(byte)
        await asyncio.sleep(SHORT_S / 20)


async def heard(reader: asyncio.StreamReader) -> list[tuple[int, str]]:
    """Return status and body of all that comes until the server closes."""
    raw = b""
    async with asyncio.timeout(DEADLINE_S):
        with suppress(ConnectionResetError):  # of who still sends
            while chunk := await reader.read(1 << 16):
                raw += chunk
    answers = re.findall(r"HTTP/1\.1 (\d+) .*?\r\n\r\n([^H]*)", raw.decode(), re.DOTALL)
    return [(int(status), body) for status, body in answers]


@pytest.mark.parametrize(
    ("first", "then", "statuses"),
    [
        (b"", b"", []),
        (b"GET /1/", b"", [408]),
        (b"GET /1/checkin HTTP/1.1\r\nX: ", b"x", [408]),
        (ASK, b"", [200]),
        (ASK + b"GET", b" ", [200, 408]),
        (POST + b"Content-Length: 50\r\n\r\n{", b" ", [408]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"", [408]),
    ],
    ids=[
        "silent",
        "half a line",
        "byte by byte",
        "idle",
        "a later one byte by byte",
        "body byte by byte",
        "half a body",
    ],
)
def test_who_takes_too_long_is_told_and_let_go(run: Run, first: bytes, then: bytes, statuses: list[int]) -> None:
    async def test() -> None:
        async with serving(Limits(head_s=SHORT_S, body_s=SHORT_S, idle_s=SHORT_S, linger_s=SHORT_S)) as served:
            reader, writer = await served.connect()
            writer.write(first)
            dripping = asyncio.create_task(drip(writer, then), name="drip")
            answers = await heard(reader)
            dripping.cancel()
            writer.close()
            assert [status for status, _ in answers] == statuses
            if 408 in statuses:
                problem = msgspec.json.decode(answers[-1][1], type=Problem)
                assert problem.error.endswith(f"did not come within {SHORT_S} s: send it at once")
            await served.are_left(0)

    run(test())


def test_who_does_not_read_its_answer_is_let_go(run: Run) -> None:
    async def test() -> None:
        async with serving(Limits(write_s=SHORT_S)) as served:
            with socket.create_connection((OWN_ADDRESS, served.server.ports[0])) as client:
                client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
                await eventually(lambda: served.server.statistics().requests == 1, "it is asked for")
                await served.are_left(0)

    run(test())


def test_a_head_without_end_is_refused_by_its_size(run: Run) -> None:
    async def test() -> None:
        async with serving(Limits()) as served:
            reader, writer = await served.connect()
            writer.write(b"GET /1/checkin HTTP/1.1\r\n")
            dripping = asyncio.create_task(drip(writer, b"Y: " + b"y" * 4000 + b"\r\n"), name="drip")
            assert [status for status, _ in await heard(reader)] == [431]
            dripping.cancel()
            writer.close()
            await served.are_left(0)

    run(test())


def test_what_was_left_of_a_refused_body_begins_no_request(run: Run) -> None:
    async def test() -> None:
        async with serving(Limits(head_s=SHORT_S)) as served:
            reader, writer = await served.connect()
            writer.write(b"POST /1/matches HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
            assert b"401" in await reader.readuntil(b"}")
            writer.write(b"x" * 40000)
            await asyncio.sleep(SHORT_S / 4)  # so that it comes by itself
            writer.write(b"x" * 20000 + ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert [status for status, _ in await heard(reader)] == [200]
            writer.close()

    run(test())


def test_requests_that_come_all_at_once_are_all_answered(run: Run) -> None:
    async def test() -> None:
        async with serving(Limits()) as served:
            reader, writer = await served.connect()
            writer.write(ASK * 200 + ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert [status for status, _ in await heard(reader)] == [200] * 201
            writer.close()

    run(test())


async def asked(served: Served, request: bytes, status: bytes) -> Stream:
    """Return a new connection on which a request was answered so."""
    reader, writer = await served.connect()
    writer.write(request)
    assert (await reader.readline()).split()[1] == status
    return reader, writer


async def is_answered(stream: Stream) -> bool:
    """Return whether another request over the connection is answered; it is closed then."""
    reader, writer = stream
    try:
        writer.write(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return b"HTTP/1.1 200" in await reader.read()
    except ConnectionError:
        return False
    finally:
        writer.close()


def test_the_stranger_who_has_waited_longest_gives_way_and_a_reporter_after_all_strangers(run: Run) -> None:
    async def test() -> None:
        async with serving(Limits(connections=3)) as served:
            reporter = await asked(served, POST + b"Content-Length: 2\r\n\r\n{}", b"422")
            one, other = [await asked(served, ASK, b"200") for _ in range(2)]
            one[1].write(ASK)
            assert b"200" in (await one[0].readuntil(b"}") + await one[0].readuntil(b"}"))
            newer = await asked(served, ASK, b"200")
            newest = await asked(served, ASK, b"200")
            assert [await is_answered(each) for each in (reporter, one, other, newer, newest)] == [
                *(True, False, False, True, True)
            ]

    run(test())


def test_nobody_is_cut_off_whose_request_is_under_way(run: Run) -> None:
    async def test() -> None:
        async with serving(Limits(connections=2)) as served:
            busy = [await served.connect() for _ in range(2)]
            busy[0][1].write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            busy[1][1].write(POST + b"Content-Length: 2\r\n\r\n{")
            await eventually(lambda: served.server.statistics().requests == 2, "both are under way")
            reader, writer = await served.connect()
            ((status, body),) = await heard(reader)
            assert (status, "try again" in body) == (503, True)
            writer.close()
            served.goes_on.set()
            busy[1][1].write(b"}")
            assert [(await reader.readline()).split()[1] for reader, _ in busy] == [b"200", b"422"]
            for _, writer in busy:
                writer.close()

    run(test())


@pytest.mark.parametrize(("files", "connections"), [(64, 16), (150, 37), (1024, 256), (1_000_000, 4096)])
def test_connections_are_a_share_of_the_files(files: int, connections: int) -> None:
    assert most_connections(files) == connections

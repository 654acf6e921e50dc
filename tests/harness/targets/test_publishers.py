"""What becomes of a post that is not accepted, whoever takes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from common.domain.posts import Shot
from harness.load.match import synthetic_match
from harness.load.workload import Endpoint
from harness.targets import command_publisher, socket_publisher, websocket_publisher
from harness.targets.brokers.broker import Subscription
from harness.targets.brokers.redis import redis_broker
from harness.targets.command_publisher import CommandFailedError, CommandPublisher
from harness.targets.http_publisher import HttpPublisher, HttpRefusedError
from harness.targets.payload import line_of
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher
from harness.targets.websocket_publisher import WebSocketPublisher
from tests.harness.known_servers import refusing

POST = Shot(team="elp", comment="#1")


def publisher_at(endpoint: Endpoint, hello: bytes = b"") -> SocketPublisher:
    return SocketPublisher(
        "tcp", endpoint, message=lambda line: line + b"\n", ack=b"ok\n", hello=hello, welcome=b"welcome\n"
    )


def publisher_by_http(endpoint: Endpoint) -> HttpPublisher:
    return HttpPublisher(f"http://127.0.0.1:{endpoint.port}/post", line_of)


def publisher_by_websocket(endpoint: Endpoint) -> WebSocketPublisher:
    return WebSocketPublisher(f"ws://127.0.0.1:{endpoint.port}/", lambda _: "goal", ack="ok")


@pytest.mark.parametrize(
    "publisher_of",
    [publisher_at, redis_broker(Subscription("c")).publisher, publisher_by_http, publisher_by_websocket],
)
async def test_nobody_takes_it(publisher_of: Callable[[Endpoint], Publisher]) -> None:
    with refusing() as endpoint:
        publisher = publisher_of(endpoint)
        async with publisher.connected() as poster:  # which is no error: the events will tell
            with pytest.raises(publisher.refusals):
                await poster.post_event("m", POST)
    assert not publisher.closes_fans
    with publisher.announced(synthetic_match("t1", 1, 1.0)):
        assert "127.0.0.1" in publisher.url


@contextlib.asynccontextmanager
async def server(*answers: bytes | None) -> AsyncIterator[tuple[Endpoint, list[bytes]]]:
    """Answer the lines of all connections in this order; None ends the connection, and no bytes answer nothing."""
    heard: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            heard.append(line)
            answer = left.pop(0)
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield Endpoint("127.0.0.1", listening.sockets[0].getsockname()[1]), heard


async def test_a_message_is_acknowledged_after_a_welcome() -> None:
    async with server(b"info\nwelcome\n", b"PING\nok\n", b"ok\n") as (endpoint, heard):
        async with publisher_at(endpoint, b"hello\n").connected() as poster:
            await poster.post_event("m", POST)
            await poster.post_event("m", POST)
        line = line_of(POST)
        assert [heard[0], *(said[19:] for said in heard[1:])] == [b"hello\n", *[line[19:] + b"\n"] * 2]


async def test_a_connection_that_ends_is_made_anew_for_the_next_event() -> None:
    async with server(None, b"ok\n") as (endpoint, heard):
        publisher = publisher_at(endpoint)
        async with publisher.connected() as poster:
            with pytest.raises(EOFError):
                await poster.post_event("m", POST)
            await poster.post_event("m", POST)
        assert len(heard) == 2


async def test_an_answer_that_does_not_come_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_publisher, "ANSWER_TIMEOUT_S", 0.05)
    async with server(b"") as (endpoint, _):
        publisher = publisher_at(endpoint)
        async with publisher.connected() as poster:
            with pytest.raises(publisher.refusals, match=r"^no answer within 0\.05 s$"):
                await poster.post_event("m", POST)


async def test_a_welcome_that_does_not_come_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_publisher, "ANSWER_TIMEOUT_S", 0.05)
    async with server(b"", b"welcome\n", b"ok\n") as (endpoint, heard):
        async with publisher_at(endpoint, b"hello\n").connected() as poster:
            await poster.post_event("m", POST)
        assert heard[:2] == [b"hello\n", b"hello\n"]


@pytest.mark.parametrize(("status", "accepted"), [(200, True), (204, True), (304, False), (404, False), (503, False)])
async def test_a_status_accepts_or_refuses(status: int, *, accepted: bool) -> None:
    got: list[tuple[str, str | None, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.method, request.headers.get("X-Key"), await request.read()))
        return web.Response(status=status, text=None if status in {204, 304} else "not\n now")

    app = web.Application()
    app.router.add_route("*", "/post", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/post"
        publisher = HttpPublisher(url, lambda _: b"body", method="PUT", headers={"X-Key": "secret"})
        async with publisher.connected() as poster:
            if accepted:
                await poster.post_event("m", POST)
            else:
                with pytest.raises(HttpRefusedError, match=rf"^(not now )?\(HTTP {status}\)$"):
                    await poster.post_event("m", POST)
    finally:
        await runner.cleanup()
    assert got == [("OPTIONS", "secret", b""), ("PUT", "secret", b"body")]


async def test_a_command_posts_an_event_and_its_exit_status_says_whether(tmp_path: Path) -> None:
    posted = tmp_path / "posted"
    script = 'echo "$1" >> "$0"; test "$1" != 2 || { echo no such event >&2; exit 3; }'
    publisher = CommandPublisher(("sh", "-c", script, str(posted), "{mark}"))
    async with publisher.connected() as poster:
        await poster.post_event("m", POST)
        with pytest.raises(CommandFailedError, match=r"^sh ended with 3: no such event$"):
            await poster.post_event("m", Shot(team="elp", comment="#2"))
    assert posted.read_text() == "1\n2\n"
    assert publisher.url == f"sh -c {script} {posted} {{mark}}"


async def test_a_command_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_publisher, "ANSWER_TIMEOUT_S", 0.1)
    with pytest.raises(CommandFailedError, match=r"^sleep did not end within 0\.1 s$"):
        await CommandPublisher(("sleep", "60")).post_event("m", POST)


async def test_a_command_that_there_is_not() -> None:
    publisher = CommandPublisher(("/no/such/program", "{mark}"))
    with pytest.raises(publisher.refusals):
        await publisher.post_event("m", POST)


async def test_a_websocket_that_does_not_answer_a_post(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_publisher, "ANSWER_TIMEOUT_S", 0.2)
    async with serve(lambda fan: fan.wait_closed(), "127.0.0.1", 0) as silent:
        port = next(iter(silent.sockets)).getsockname()[1]
        publisher = WebSocketPublisher(f"ws://127.0.0.1:{port}/", lambda _: "goal", ack="ok")
        async with publisher.connected() as poster:
            with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
                await poster.post_event("m", POST)


async def test_a_websocket_that_closes_on_a_post() -> None:
    async def take_one(fan: ServerConnection) -> None:
        await fan.recv()

    async with serve(take_one, "127.0.0.1", 0) as leaving:
        port = next(iter(leaving.sockets)).getsockname()[1]
        publisher = WebSocketPublisher(f"ws://127.0.0.1:{port}/", lambda _: "goal", ack="ok")
        async with publisher.connected() as poster:
            with pytest.raises(publisher.refusals):
                await poster.post_event("m", POST)

import asyncio
import logging
import socket
import time

import aiohttp
import pytest
import uvloop
from aiohttp import web

from common.http.api import make_app
from common.http.server import ApiServer
from common.listening import CannotListenError, PortTakenError
from tests.common.http.conftest import TOKEN
from tests.common.http.memory_backend import MemoryBackend
from tests.loopback import OWN_ADDRESS


async def checkin(port: int) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://{OWN_ADDRESS}:{port}/1/checkin") as answer:
        return answer.status


async def test_it_serves_on_each_of_its_ports_until_it_is_stopped(backend: MemoryBackend) -> None:
    server = ApiServer(OWN_ADDRESS, [0, 0])
    assert not server.ports
    first = await server.bind()
    await server.start(make_app(backend, TOKEN))
    ports: tuple[int, ...] = server.ports
    assert (first, len(set(ports))) == (ports[0], 2)
    assert [await checkin(port) for port in ports] == [200, 200]
    assert server.statistics().requests == 2
    await server.stop()
    assert server.ports == ()
    assert server.statistics().connections == 0
    for port in ports:
        with pytest.raises(aiohttp.ClientConnectionError):
            await checkin(port)
    await server.stop()  # once more does no harm


def test_a_stopped_servers_port_is_free_at_once_under_uvloop_too(backend: MemoryBackend) -> None:
    async def serve_twice() -> list[int]:
        statuses = []
        port = 0
        for _ in range(2):
            server = ApiServer(OWN_ADDRESS, [port])
            port = await server.bind()
            await server.start(make_app(backend, TOKEN))
            statuses.append(await checkin(port))
            await server.stop()
        return statuses

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(serve_twice()) == [200, 200]


async def test_a_client_that_comes_before_it_serves_waits_in_the_backlog(backend: MemoryBackend) -> None:
    server = ApiServer(OWN_ADDRESS, [0])
    port = await server.bind()
    reader, writer = await asyncio.open_connection(OWN_ADDRESS, port)
    writer.write(b"GET /1/checkin HTTP/1.0\r\n\r\n")
    await server.start(make_app(backend, TOKEN))
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()
    await writer.wait_closed()
    await server.stop()


async def test_a_taken_port_is_told_in_one_line_and_leaves_nothing_bound() -> None:
    with socket.create_server((OWN_ADDRESS, 0)) as taken, socket.create_server((OWN_ADDRESS, 0)) as freed:
        port, other = taken.getsockname()[1], freed.getsockname()[1]
        freed.close()
        server = ApiServer(OWN_ADDRESS, [other, port])
        with pytest.raises(
            PortTakenError, match=rf"^cannot listen on {OWN_ADDRESS}:{port}: Address already in use; [^\n]+$"
        ):
            await server.bind()
        assert server.ports == ()
        socket.create_server((OWN_ADDRESS, other)).close()


async def test_an_address_of_another_machine_is_told_in_one_line() -> None:
    with pytest.raises(CannotListenError, match=r"^cannot listen on 192\.0\.2\.1:0: [^\n]+; [^\n]+$"):
        await ApiServer("192.0.2.1", [0]).bind()


async def test_what_fails_before_any_handler_is_a_500_in_json_and_logged(
    backend: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_request: web.Request) -> None:
        raise ZeroDivisionError("a secret")

    async def never(_request: web.Request) -> web.Response:
        raise AssertionError

    app = make_app(backend, TOKEN)
    app.router.add_get("/fail", never, expect_handler=fail)
    server = ApiServer(OWN_ADDRESS, [0])
    port = await server.bind()
    await server.start(app)
    async with (
        aiohttp.ClientSession(f"http://{OWN_ADDRESS}:{port}") as session,
        session.get("/fail", headers={"Expect": "100-continue"}) as answer,
    ):
        assert answer.status == 500
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "secret" not in (await answer.json())["error"]
    await server.stop()
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


async def test_whatever_else_aiohttp_refuses_is_json_too(backend: MemoryBackend) -> None:
    async def gone(_request: web.Request) -> web.Response:
        raise web.HTTPGone

    app = make_app(backend, TOKEN)
    app.router.add_get("/gone", gone)
    server = ApiServer(OWN_ADDRESS, [0])
    port = await server.bind()
    await server.start(app)
    async with aiohttp.ClientSession() as session, session.get(f"http://{OWN_ADDRESS}:{port}/gone") as answer:
        assert (answer.status, await answer.json()) == (410, {"error": "Gone", "field": None})
    await server.stop()


async def test_requests_are_counted_and_none_is_logged(
    backend: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = ApiServer(OWN_ADDRESS, [0])
    port = await server.bind()
    await server.start(make_app(backend, TOKEN))
    await checkin(port)
    assert server.statistics().requests == 1
    await server.stop()
    assert not [record for record in caplog.records if "checkin" in record.getMessage()]


async def test_a_request_that_ends_just_when_its_time_is_up_is_no_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.http.server._DRAIN_SECONDS", 0.05)
    loop = asyncio.get_running_loop()
    begun, is_stopping = asyncio.Event(), asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        begun.set()
        await is_stopping.wait()
        await asyncio.sleep(0.03)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    server = ApiServer(OWN_ADDRESS, [0])
    port = await server.bind()
    await server.start(app)
    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.get(f"http://{OWN_ADDRESS}:{port}/"))
        await begun.wait()
        loop.call_soon(is_stopping.set)
        loop.call_later(0.01, time.sleep, 0.1)  # so both moments have come when the loop goes on
        await server.stop()
        await asyncio.wait((asked,))
        if asked.exception() is None:
            asked.result().close()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []

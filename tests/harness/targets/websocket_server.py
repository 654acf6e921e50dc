"""Somebody else's WebSocket server, of the package websockets or of aiohttp, and `POST /news` beside it."""

import asyncio
import itertools
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web
from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.harness.targets.loop_server import LoopServer

TICK_S = 0.02
DESCRIPTION = """
address = "ws://127.0.0.1:{port}/live?as={{user}}"
headers = {{ Authorization = "Bearer {{user}}" }}
hello = 'I am {{user}}'
answer_end = 'ready'
mark = '{mark}'
[publish]
url = "http://127.0.0.1:{http}/news"
body = "a goal #{{mark}}"
"""
Greets = Callable[[ServerConnection, str], Awaitable[None]]


async def ready(fan: ServerConnection, _hello: str) -> None:
    """Answer a fan once it has answered a ping."""
    await (await fan.ping())
    await fan.send("ready")


class WebSocketServer(LoopServer):
    """Hears a hello from each fan, answers by `greets`, and sends every fan what is posted at `http`.

    Whose request has no `Authorization` is closed with 1008. If it `ticks` it has events of its own, many a second.
    """

    def __init__(self, greets: Greets = ready, tls: ssl.SSLContext | None = None, *, ticks: bool = False) -> None:
        super().__init__()
        self.port = self.http = 0
        self.users: list[tuple[str, str]] = []
        """Of each fan its path, and its hello."""
        self._greets = greets
        self._tls = tls
        self._ticks = ticks

    def description(self, mark: str = "goal #") -> str:
        """Return what a file says that describes this server."""
        return DESCRIPTION.format(port=self.port, http=self.http, mark=mark)

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_post("/news", self._post)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listener, self.http = self._listen()
        await web.SockSite(runner, listener).start()
        listener, self.port = self._listen()
        async with serve(self._serve, sock=listener, ssl=self._tls, close_timeout=0.1) as self._server:
            ticking = asyncio.create_task(self._tick(), name="ticking")
            await self._is_over()
            ticking.cancel()
        await runner.cleanup()

    async def _tick(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(TICK_S)
            if self._ticks:
                broadcast(self._server.connections, f"goal #{number}")

    async def _serve(self, fan: ServerConnection) -> None:
        assert fan.request is not None
        if "Authorization" not in fan.request.headers:
            await fan.close(1008, "no token")
            return
        hello = await fan.recv()
        assert isinstance(hello, str)
        self.users.append((fan.request.path, hello))
        await self._greets(fan, hello)
        async for news in fan:  # from a reporter
            broadcast(self._server.connections, news)
            await fan.send("posted")

    async def _post(self, request: web.Request) -> web.Response:
        broadcast(self._server.connections, await request.text())
        return web.Response(status=202)


class AiohttpServer(LoopServer):
    """Says `welcome` to each fan of `/live`, asks 20 times a second whether it is there, and sends what is posted."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.codes: list[int | None] = []
        """With what each fan closed."""
        self._fans: list[web.WebSocketResponse] = []

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_get("/live", self._serve)
        app.router.add_post("/news", self._post)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listener, self.port = self._listen()
        await web.SockSite(runner, listener).start()
        await self._is_over()
        await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        fan = web.WebSocketResponse(heartbeat=0.6)
        await fan.prepare(request)
        await fan.send_bytes(b"welcome")
        self._fans.append(fan)
        async for message in fan:
            assert message.type is WSMsgType.CLOSE
        self.codes.append(fan.close_code)
        return fan

    async def _post(self, request: web.Request) -> web.Response:
        news = await request.read()
        await asyncio.gather(*(fan.send_bytes(news) for fan in self._fans if not fan.closed))
        return web.Response(status=202)

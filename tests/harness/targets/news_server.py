"""Somebody else's server: news by lines at one port, as EventSource at another, where they are posted, too."""

import asyncio
from asyncio import StreamReader, StreamWriter

from aiohttp import web

from tests.harness.targets.loop_server import LoopServer


class NewsServer(LoopServer):
    r"""It says `news v1\n`, hears `SUB <topic> <user>\r\n`, answers `+OK\r\n`, and then sends a line for each post."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        """The port of lines."""
        self.http = 0
        """The port of `GET /stream` and `POST /news`."""
        self.users: list[bytes] = []
        self._fans: list[StreamWriter | web.StreamResponse] = []
        self._writers: list[StreamWriter] = []

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_get("/stream", self._stream)
        app.router.add_post("/news", self._post)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listener, self.http = self._listen()
        await web.SockSite(runner, listener).start()
        listener, self.lines = self._listen()
        lines = await asyncio.start_server(self._serve, sock=listener)
        await self._is_over()
        lines.close()
        for writer in self._writers:  # also of who said nothing
            writer.close()
        await runner.cleanup()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(b"news v1\n")
        try:
            heard = await reader.readline()
        except ConnectionError:  # who only came to see whether it is greeted
            heard = b""
        if not heard.startswith(b"SUB news "):
            writer.write(b"-ERR what?\r\n")
            writer.close()
            return
        self.users.append(heard.split()[2])
        writer.write(b"+OK\r\n")
        self._fans.append(writer)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept"] == "text/event-stream"
        assert request.headers["Host"] == f"127.0.0.1:{self.http}"
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        self.users.append(request.query_string.encode())
        self._fans.append(answer)
        await self._over.wait()
        return answer

    async def _post(self, request: web.Request) -> web.Response:
        news = await request.read()
        for fan in list(self._fans):
            try:
                if isinstance(fan, StreamWriter):
                    fan.write(news + b"\r\n")
                else:
                    await fan.write(b"data: " + news + b"\n\n")
            except ConnectionError:
                self._fans.remove(fan)
        return web.Response(status=202)

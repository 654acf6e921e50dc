"""A server of streams, byte by byte as a test wants them, over HTTP or as bare text, and of POST /news at its port."""

import asyncio
import re
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Sequence

from tests.harness.targets.loop_server import LoopServer

APART_S = 0.002  # between the pieces of an event, so that they are likely to be read one by one


class StreamServer(LoopServer):
    """Answers the k-th fan with `answer(k)`, and sends all fans the pieces of `event(news)` for each post of news.

    Who says `SUB` is a fan, too, and is answered with a line. With `tls` it also serves those who speak that.
    """

    def __init__(
        self,
        answer: Callable[[int], bytes],
        event: Callable[[bytes], Sequence[bytes]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.port = self.tls_port = 0
        self._tls = tls
        self._answer = answer
        self._event = event
        self._fans: list[StreamWriter] = []
        self._writers: list[StreamWriter] = []

    async def _run(self) -> None:
        listener, self.port = self._listen()
        servers = [await asyncio.start_server(self._serve, sock=listener)]
        if self._tls is not None:
            listener, self.tls_port = self._listen()
            servers.append(await asyncio.start_server(self._serve, sock=listener, ssl=self._tls))
        await self._is_over()
        for server in servers:
            server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while line := await reader.readline():
                if line.startswith(b"SUB"):
                    self._take(writer, b"+OK\n")
                    continue
                head = await reader.readuntil(b"\r\n\r\n")
                if line.startswith(b"GET"):
                    self._take(writer, self._answer(len(self._fans)))
                    continue
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                await self._send(await reader.readexactly(int(length[1]) if length else 0))
                writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    def _take(self, writer: StreamWriter, answer: bytes) -> None:
        writer.write(answer)
        self._fans.append(writer)

    async def _send(self, news: bytes) -> None:
        if not news:
            return  # it was asked for its OPTIONS
        for piece in self._event(news):
            for fan in self._fans:
                fan.write(piece)
            await asyncio.sleep(APART_S)

"""Somebody else's server, which drops its fans after an event and has them again only after a later one."""

import asyncio
import contextlib
import re
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from enum import Enum, auto

from websockets.frames import Close, Frame, Opcode
from websockets.utils import accept_key

from tests.harness.targets.loop_server import LoopServer

_NUMBER = re.compile(rb"#(\d+)")


class Drop(Enum):
    """How it is done."""

    CLOSE = auto()
    """In good order: of a WebSocket with a close frame, 1012."""
    ABORT = auto()
    """By a reset."""
    DOWN = auto()
    """In good order, and then nobody listens at the port."""


class DroppingServer(LoopServer):
    """Serves lines (`SUB`), event streams and WebSockets at `port`, by TLS if there is any, and `POST /news` at `http`.

    It drops all fans after the event number `after`, turns away those who come again until it got the event `until`,
    and lets all go after the `last`. With `replays` a fan hears all events so far after its answer. It counts how many
    events it told fans, and whom it turned away.
    """

    def __init__(
        self, how: Drop, *, after: int, until: int, last: int, replays: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self.port = self.http = self.told = self.turned_away = 0
        self._how = how
        self._after = after
        self._until = until
        self._last = last
        self._replays = replays
        self._tls = tls
        self._is_away = False
        self._news: list[bytes] = []
        self._fans: dict[StreamWriter, Callable[[bytes], bytes]] = {}
        self._writers: list[StreamWriter] = []
        self._server: asyncio.Server

    async def _run(self) -> None:
        listener, self.http = self._listen()
        reporters = await asyncio.start_server(self._report, sock=listener)
        with socket.socket() as held:  # so that the port is nobody else's while nobody listens there
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(("127.0.0.1", 0))
            self.port = held.getsockname()[1]
            await self._open()
            await self._is_over()
            self._server.close()
            reporters.close()
            for writer in self._writers:
                writer.close()

    async def _open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=1024, reuse_port=True)
        self._listeners.append(listener)
        self._server = await asyncio.start_server(self._serve, sock=listener, ssl=self._tls)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.append(writer)
        try:
            line = await reader.readline()
            head = b"" if line.startswith(b"SUB") else await reader.readuntil(b"\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):  # who only came to see whether somebody listens
            line = head = b""
        if self._is_away or not line:
            self.turned_away += bool(line)
            writer.close()
            return
        answer, framed = _manner_of(head)
        writer.write(answer)
        for news in self._news if self._replays else ():
            writer.write(framed(news))
            self.told += 1
        self._fans[writer] = framed
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                pass
        self._fans.pop(writer, None)
        writer.close()

    async def _report(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                await self._tell(await reader.readexactly(int(length[1]) if length else 0))
                writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def _tell(self, news: bytes) -> None:
        found = _NUMBER.search(news)
        if found is None:
            return  # it was asked for its OPTIONS
        self._news.append(news)
        for fan, framed in self._fans.items():
            fan.write(framed(news))
            self.told += 1
        number = int(found[1])
        if number == self._after:
            self._drop()
        if number == self._until:
            self._is_away = False
            if self._how is Drop.DOWN:
                await self._open()
        if number == self._last:
            for fan in self._fans:
                fan.close()

    def _drop(self) -> None:
        self._is_away = True
        if self._how is Drop.DOWN:
            self._listeners.pop()  # all fans are there, and nobody is being accepted
            self._server.close()
        for fan, framed in self._fans.items():
            if self._how is Drop.ABORT:
                fan.transport.abort()
                continue
            if framed is _as_message:
                fan.write(Frame(Opcode.CLOSE, Close(1012, "restart").serialize()).serialize(mask=False))
            fan.close()
        self._fans.clear()


def _manner_of(request: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """Return how who asked so is answered, and how it is told news."""
    if not request:
        return b"+OK\n", lambda news: news + b"\n"
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    if key is None:
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", lambda news: b"data: " + news + b"\n\n"
    accept = accept_key(key[1].decode())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode(), _as_message


def _as_message(news: bytes) -> bytes:
    return Frame(Opcode.TEXT, news).serialize(mask=False)

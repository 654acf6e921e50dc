"""Publishing over a WebSocket: one connection of the reporter's, one message an event."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from common.domain.posts import Post
from harness.load.match import MatchPlan
from harness.targets.publisher import connection_of

ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class WebSocketPublisher:
    """Sends `body(post)` to `url`, after `hello` if there is one.

    An event is accepted when a message with `ack` in it came after it; without one, as soon as it was sent.
    """

    url: str
    body: Callable[[Post], str]
    hello: str = ""
    ack: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    closes_fans: bool = False

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """No connection, one that ended, and no answer in time."""
        return (WebSocketException, OSError)

    def announced(self, match: MatchPlan) -> contextlib.AbstractContextManager[None]:
        """There is nothing to announce."""
        return contextlib.nullcontext()

    def connected(self) -> contextlib.AbstractAsyncContextManager["_WebSocketPoster"]:
        """Return a poster with a connection, if one can be made."""
        return connection_of(_WebSocketPoster(self), self.refusals)


class _WebSocketPoster:
    """One connection, which is made anew after a post that failed. What comes on it is read, as a fan would."""

    def __init__(self, publisher: WebSocketPublisher) -> None:
        self._publisher = publisher
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._acked = asyncio.Event()

    async def post_event(self, match_id: str, post: Post) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                socket = self._socket or await self.connect()
                self._acked.clear()
                await socket.send(self._publisher.body(post))
                if self._publisher.ack:
                    await self._wait_for_ack()
        except TimeoutError:
            await self.close()
            raise TimeoutError(f"no answer within {ANSWER_TIMEOUT_S:g} s") from None
        except self._publisher.refusals:
            await self.close()
            raise

    async def connect(self) -> ClientConnection:
        asked = self._publisher
        socket = self._socket = await connect(
            asked.url,
            additional_headers=asked.headers,
            proxy=None,
            open_timeout=ANSWER_TIMEOUT_S,
            close_timeout=1,
            max_size=None,
        )
        self._reading = asyncio.create_task(self._read(socket), name="websocket-reporter")
        if asked.hello:
            await socket.send(asked.hello)
        return socket

    async def close(self) -> None:
        socket, self._socket = self._socket, None
        reading, self._reading = self._reading, None
        if socket is not None:
            await socket.close()
        if reading is not None:
            await asyncio.wait([reading])

    async def _read(self, socket: ClientConnection) -> None:
        """Read to the end: what is not read would make the reporter a slow fan."""
        ack = self._publisher.ack
        with contextlib.suppress(WebSocketException):
            async for message in socket:
                text = message if isinstance(message, str) else message.decode(errors="replace")
                if ack and ack in text:
                    self._acked.set()

    async def _wait_for_ack(self) -> None:
        """Wait until it came. Raise ConnectionError if the connection ends before."""
        acked = asyncio.create_task(self._acked.wait(), name="websocket-reporter-ack")
        assert self._reading is not None  # noqa: S101 -- there is a connection; this tells the type checker
        await asyncio.wait([acked, self._reading], return_when=asyncio.FIRST_COMPLETED)
        acked.cancel()
        await asyncio.wait([acked])
        if not self._acked.is_set():
            raise ConnectionError("the server closed before it answered")

"""Publishing over a connection of bytes: a message goes out, a fixed acknowledgement comes back.

Enough of NATS, of MQTT and of this project's own small servers: a client library would be a dependency for three lines.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from common.addresses import join
from common.domain.posts import Post
from harness.load.match import MatchPlan
from harness.load.tls import trusting
from harness.load.workload import Endpoint, Tls
from harness.targets.payload import line_of
from harness.targets.publisher import connection_of

ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class SocketPublisher:
    """Publishes at `endpoint`: says `hello` and waits for `welcome`, then `message(line)` and `ack` for each event.

    `welcome` and `ack` are how what the server says ends; an empty `hello` is not said, nor its answer waited for.
    """

    scheme: str
    endpoint: Endpoint
    message: Callable[[bytes], bytes]
    ack: bytes
    hello: bytes = b""
    welcome: bytes = b""
    tls: Tls | None = None

    @property
    def url(self) -> str:
        """The endpoint as people write it."""
        return f"{self.scheme}://{join(self.endpoint.host, self.endpoint.port)}"

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """No connection, no answer in time, or one that ended before it was complete."""
        return (OSError, EOFError, asyncio.LimitOverrunError)

    @property
    def closes_fans(self) -> bool:
        """No server that knows of no match closes anybody at its end."""
        return False

    def announced(self, match: MatchPlan) -> contextlib.AbstractContextManager[None]:
        """There is nothing to announce."""
        return contextlib.nullcontext()

    def connected(self) -> contextlib.AbstractAsyncContextManager["_SocketPoster"]:
        """Return a poster with a connection, if one can be made."""
        return connection_of(_SocketPoster(self), self.refusals)


class _SocketPoster:
    """One connection to the server, which is made anew after a post that failed."""

    def __init__(self, publisher: SocketPublisher) -> None:
        self._publisher = publisher
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post_event(self, match_id: str, post: Post) -> None:
        async with self._in_time():
            reader, writer = await self._link()
            writer.write(self._publisher.message(line_of(post)))
            await reader.readuntil(self._publisher.ack)

    async def connect(self) -> None:
        async with self._in_time():
            await self._link()

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):  # a connection that broke is closed, too
                await streams[1].wait_closed()

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Keep to the deadline; a connection on which something went wrong inside is not used again."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                yield
        except TimeoutError:
            await self.close()
            raise TimeoutError(f"no answer within {ANSWER_TIMEOUT_S:g} s") from None
        except self._publisher.refusals:
            await self.close()
            raise

    async def _link(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            asked = self._publisher
            secured: dict[str, Any] = {}
            if (tls := asked.tls) is not None:
                secured = {"ssl": trusting(tls.ca, insecure=tls.insecure), "server_hostname": tls.server_name}
            reader, writer = await asyncio.open_connection(asked.endpoint.host, asked.endpoint.port, **secured)
            self._streams = reader, writer
            if asked.hello:
                writer.write(asked.hello)
                await reader.readuntil(asked.welcome)
        return self._streams

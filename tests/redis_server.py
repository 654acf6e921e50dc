"""A real Redis that a test may stop, kill and start again, and that loses nothing of what it acknowledged.

    async with RedisServer() as redis:
        ...                    # use redis.url
        await redis.kill()     # gone, as by a crash
        await redis.start()    # back at the same address with the same data

It ends with the tests, even when they are killed.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from common.store.process import RedisProcess
from harness.targets.free_ports import free_endpoints
from tests.loopback import OWN_ADDRESS

_START_SECONDS = 20.0


class RedisServer:
    """A `redis-server` with an append-only file that is synced at every write; on a Unix socket, or on a TCP port.

    `password`, if any, is demanded of clients and contained in `url`. One that `forgets` has no such file: when it was
    killed it comes back with what it had at the last SAVE.
    """

    def __init__(self, *, tcp: bool = False, password: str | None = None, forgets: bool = False) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="matchstream-test-"))
        where = ["--port", str(free_ports(1)[0]), "--bind", OWN_ADDRESS] if tcp else ["--port", "0"]
        keeps = [] if forgets else ["--appendonly", "yes", "--appendfsync", "always"]
        settings = ["--dir", str(self._directory), "--save", "", *keeps]
        user = ""
        if password is not None:
            settings += ["--requirepass", password]
            user = f":{quote(password, safe='')}@"
        if tcp:
            self.url = f"redis://{user}{OWN_ADDRESS}:{where[1]}"
        else:
            where += ["--unixsocket", str(self.path), "--unixsocketperm", "700"]
            self.url = f"unix://{user}{self.path}"
        self._process = RedisProcess(self.url, [*where, *settings], self._directory / "redis.log")

    @property
    def path(self) -> Path:
        """Its socket, unless it is on a TCP port."""
        return self._directory / "redis.sock"

    @property
    def pid(self) -> int | None:
        """The process id, None while it is stopped."""
        return self._process.pid

    @property
    def directory(self) -> Path:
        """Where it keeps all that it has."""
        return self._directory

    async def start(self) -> None:
        """Start it and return when it answers."""
        await self._process.start(_START_SECONDS)

    async def stop(self) -> None:
        """End it as its operator would."""
        await self._process.stop()

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._process.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._process.kill()
        await asyncio.to_thread(shutil.rmtree, self._directory)


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports of OWN_ADDRESS that are free, and that the kernel gives to no client before a server has them."""
    return tuple(endpoint.port for endpoint in free_endpoints(OWN_ADDRESS, count))

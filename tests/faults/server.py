"""A `matchstream serve` that may be killed, and is started again at the ports that it had."""

from __future__ import annotations

import asyncio
import re
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

from tests.loopback import OWN_ADDRESS
from tests.stages.serving import TOKEN, environment, matchstream

if TYPE_CHECKING:
    from pathlib import Path

_READY: Final = re.compile(r"ready fans=[\d.]+:(\d+)(?:-(\d+))? http=[\d.]+:(\d+)(?:-(\d+))?\n")
_START_S: Final = 60.0
"""How long a server may take to serve, with all that has to end before it can."""
_PAUSE_S: Final = 0.3
_END_S: Final = 30.0


class ServerError(Exception):
    """A server did not serve, or did not end; its log, which the message names, tells why."""


class Server:
    """`words` are those of `serve`, without its ports. It logs to `log`, and goes on there when it is started again."""

    def __init__(self, words: tuple[str, ...], log: Path) -> None:
        self._words = words
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self.fan_ports = range(1)
        self.http_ports = range(1)
        self.lock = asyncio.Lock()
        """Whoever strikes it holds this, so that nobody starts or freezes what another has killed."""

    @property
    def pid(self) -> int:
        """The process id of the last one that was started."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    async def start(self) -> None:
        """Start it and return when it serves; try again while what it had before is still in use. Raise ServerError."""
        try:
            async with asyncio.timeout(_START_S):
                while not await self._serves():  # noqa: ASYNC110  # an attempt is no event to wait for
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            raise ServerError(f"it did not serve within {_START_S:.0f} s: see {self._log}") from None

    async def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None, "it was not started"
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        """End it as its operator would. Raise ServerError if it has to be killed."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise ServerError(f"it did not end within {_END_S:.0f} s: see {self._log}") from None

    async def _serves(self) -> bool:
        """Start the program; return whether it serves, False if it has ended instead."""
        ports = ("--port", str(self.fan_ports[0]), "--http-port", str(self.http_ports[0]))
        command = matchstream("serve", "--host", OWN_ADDRESS, *ports, *self._words)
        environ = environment(self._log.parent, MATCHSTREAM_TOKEN=TOKEN)
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        try:
            ready = _READY.fullmatch((await self._process.stdout.readline()).decode())
        except asyncio.CancelledError:
            await self.kill()
            raise
        if ready is None:
            await self._process.wait()  # it has said on standard error why it does not serve
            return False
        first, last, http_first, http_last = ready.groups()
        self.fan_ports = range(int(first), int(last or first) + 1)
        self.http_ports = range(int(http_first), int(http_last or http_first) + 1)
        return True


async def frozen_for(pid: int, seconds: float) -> None:
    """Stop a process for so long (SIGSTOP, SIGCONT). It may end meanwhile."""
    process = psutil.Process(pid)
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)


def killed(pid: int) -> None:
    """End a process as a crash would, if it has not ended."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()

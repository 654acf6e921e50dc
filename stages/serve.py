"""`matchstream serve`: run a stage until it is told to end, if need be with a Redis and a reporter of its own."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from common.addresses import join, reachable
from common.http.client import ReporterClient
from common.http.play import play_script
from common.process_start import ending_signals
from common.sd_notify import ServiceManager
from common.store.embedded import EmbeddedRedis

if TYPE_CHECKING:
    from common.domain.script import Script
    from stages.options import Addresses, Options, System
    from stages.stage0.parts import Stage

_log = logging.getLogger(__name__)


class ServerEndedError(Exception):
    """The server ended by itself: its supervisor gave up. The log has the reason."""


@dataclass(frozen=True, slots=True)
class PlayedMatch:
    """A match to be played by the server itself: at `speed` times real time, once or again and again.

    One of that id that is stored is in the way, unless it is to be replaced.
    """

    script: Script
    speed: float
    loop: bool
    replace: bool


async def serve(stage: Stage, options: Options, play: PlayedMatch | None) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; say `ready …` on standard output when fans and API calls are served.

    systemd is told then, and when the server begins to end, if it waits for that (`Type=notify`). The server stops in
    order, and at once when it is told to a second time.

    Raise what keeps the server from starting (CannotListenError, StoreUnavailableError, …), ServerEndedError when it
    gives up later, and what ends the reporter; everything that was started has ended then.
    """
    manager = ServiceManager.of(os.environ)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_Exhaustion().handle)
    told_to_end, told_again = asyncio.Event(), asyncio.Event()

    def tell() -> None:
        (told_again if told_to_end.is_set() else told_to_end).set()

    for number in ending_signals():
        loop.add_signal_handler(number, tell)
    async with AsyncExitStack() as stack:
        if options.redis_url is None:
            redis = await stack.enter_async_context(EmbeddedRedis())
            options = replace(options, redis_url=redis.url)
        server = stage.parts.system(stage, options)
        addresses = await server.start()
        stack.push_async_callback(_stop, server, told_again)
        print(ready_line(addresses), flush=True)  # noqa: T201  # the command's one line on standard output
        manager.tell_ready(ready_line(addresses))
        stack.callback(manager.tell_stopping)
        waits: dict[str, asyncio.Task[object]] = {
            "told to end": asyncio.create_task(told_to_end.wait(), name="told-to-end"),
            "server": asyncio.create_task(server.wait(), name="server-end"),
        }
        if play is not None:
            waits["play"] = asyncio.create_task(_play(addresses, server.token, play), name="play")
        try:
            await _first_end(waits)
        finally:
            for task in waits.values():
                task.cancel()
            await asyncio.wait(waits.values())


def ready_line(addresses: Addresses) -> str:
    """Return `ready fans=HOST:PORT[-PORT] http=HOST:PORT[-PORT]`, which programs wait for and people read.

    Where browsers are served, `browsers=HOST:PORT[-PORT]` follows.
    """
    served = {"fans": addresses.fans, "http": addresses.http, "browsers": addresses.browsers}
    ranges = (f"{who}={_range(addresses.host, *ports)}" for who, ports in served.items() if ports is not None)
    return f"ready {' '.join(ranges)}"


def _range(host: str, first: int, last: int) -> str:
    address = join(host, first)
    return address if first == last else f"{address}-{last}"


async def _stop(server: System, told_again: asyncio.Event) -> None:
    stopping = asyncio.create_task(server.stop(), name="stop")
    again = asyncio.create_task(told_again.wait(), name="told-again")
    try:
        await asyncio.wait((stopping, again), return_when=asyncio.FIRST_COMPLETED)
    finally:
        again.cancel()
        stopping.cancel()  # if it has not ended
        await asyncio.wait((stopping, again))
    if not stopping.cancelled():
        stopping.result()


async def _play(addresses: Addresses, token: str, play: PlayedMatch) -> None:
    api = join(reachable(addresses.host), addresses.http[0])
    async with ReporterClient(f"http://{api}", token) as client:
        await play_script(client, play.script, speed=play.speed, loop=play.loop, replace=play.replace)


async def _first_end(waits: dict[str, asyncio.Task[object]]) -> None:
    """Return when the order to end has come; raise if the server ended without one, or the reporter failed."""
    pending = set(waits.values())
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if waits["told to end"] in done:
            return
        if waits["server"] in done:
            raise ServerEndedError("the server gave up after too many crashes; its log has the reason")


class _Exhaustion:
    """The event loop's exception handler, which says once, not at every try, that a listener lacks open files."""

    def __init__(self) -> None:
        self._said = False

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what the event loop could not handle."""
        if context["message"] != "socket.accept() out of system resource":
            loop.default_exception_handler(context)
        elif not self._said:
            self._said = True
            _log.warning("the API cannot accept connections: %s; it goes on when files are free", context["exception"])

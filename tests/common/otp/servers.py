"""Servers that do what a test's messages tell them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from common.otp.gen_server import GenServer
from common.otp.node import Node

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.otp.process import Process, ReplyTo
    from common.otp.signals import Reason


class Boom(Exception):  # noqa: N818  # a crash of any kind
    """The crash of these tests."""


class RememberingNode(Node):
    """Knows which server an ended process has run."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: dict[Process, GenServer] = {}

    def forget(self, process: Process) -> None:
        """Remember instead."""
        self.ended[process] = process.server
        super().forget(process)


class Probe(GenServer):
    """Notes what it gets. A message that can be called is called, with the server (and for a call: who waits)."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.ended: list[Reason] = []

    def handle_call(self, request: Any, reply_to: ReplyTo) -> Any:
        """Answer with what the request returns, or with the pair ("answer", request)."""
        return request(self, reply_to) if callable(request) else ("answer", request)

    def handle_cast(self, message: Any) -> Awaitable[None] | None:
        """Do or note the message."""
        return self._take(message)

    def handle_info(self, message: Any) -> Awaitable[None] | None:
        """Do or note the message."""
        return self._take(message)

    def terminate(self, reason: Reason) -> Awaitable[None] | None:
        """Note the reason."""
        self.ended.append(reason)
        return None

    def _take(self, message: Any) -> Awaitable[None] | None:
        if callable(message):
            done: Awaitable[None] | None = message(self)
            return done
        self.seen.append(message)
        return None


class Trapping(Probe):
    """The same, but the exits of others are messages."""

    trap_exit = True


class Sleepy(Probe):
    """The same, but it hibernates."""

    hibernates = True


class SleepyTrapping(Trapping):
    """The same, and the exits of others are messages."""

    hibernates = True


class Stubborn(Probe):
    """Takes `busy_s` seconds to terminate."""

    def __init__(self, busy_s: float) -> None:
        super().__init__()
        self._busy_s = busy_s

    async def terminate(self, reason: Reason) -> None:
        """Take a while, and note the reason only after that."""
        await asyncio.sleep(self._busy_s)
        super().terminate(reason)


def crash(*_: Any) -> None:
    """Crash the server that gets this as a message or as a call."""
    raise Boom


def raising(error: BaseException) -> Callable[..., None]:
    """Return a message that raises `error` in the server that gets it."""

    def do(*_: Any) -> None:
        raise error

    return do


async def forever(*_: Any) -> None:
    """Keep the server that gets this busy until it is cancelled."""
    await asyncio.Event().wait()


def probe_of(process: Process) -> Probe:
    """Return the Probe that a process runs, or has run."""
    server = process.server
    if not process.alive:
        assert isinstance(process.node, RememberingNode)
        server = process.node.ended[process]
    assert isinstance(server, Probe)
    return server


def tasks_of(process: Process) -> list[asyncio.Task[None]]:
    """Return the task of a process; that of one which hibernates there is only while a callback waits."""
    return [task for task in asyncio.all_tasks() if task.get_name() == process.name]

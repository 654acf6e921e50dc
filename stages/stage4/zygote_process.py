"""The zygote as the node's supervisor sees it: a gen_server that owns the program (Erlang: a port).

When the program ends its children do, too: those who forked them are told, and the supervisor starts another.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from common.otp import NO_REPLY, GenServer, Stop, reply
from common.tuning.children import python_module
from stages.stage4.zygote import MOST_BYTES, ChildEnded, Fork, Forked, Kill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.otp import Reason, ReplyTo
    from stages.stage0.parts import Stage
    from stages.stage4.worker_messages import Setup

END_S: Final = 2.0
"""How long the program may take to end when it is told to; it has nothing to do for that."""


@dataclass(frozen=True, slots=True)
class ForkWorker:
    """The call that has a worker forked; answered with its Child.

    It is given copies of `sockets`: its end of the channel, and those on which it is to listen. Whoever gives up before
    the answer closes the first.
    """

    setup: Setup
    sockets: Sequence[socket.socket]


@dataclass(frozen=True, slots=True)
class Child:
    """A worker that was forked; `ended` is done when it has, with its status, None if nobody knows that."""

    pid: int
    ended: asyncio.Future[int | None]


@dataclass(frozen=True, slots=True)
class KillWorker:
    """The cast that ends a child at once, if it is still there."""

    pid: int


class ZygoteProcess(GenServer):
    """Runs the program, and speaks to it for the workers."""

    NAME = "zygote"

    _program: asyncio.subprocess.Process
    _control: socket.socket

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._orders: deque[tuple[ForkWorker, ReplyTo]] = deque()
        """The first of them is being carried out."""
        self._children: dict[int, asyncio.Future[int | None]] = {}

    async def init(self) -> None:
        """Start the program; what it is told waits until it has loaded all it needs."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._control.setblocking(False)
            self._program = await asyncio.create_subprocess_exec(
                *zygote_command(self._stage, theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C in a terminal is for the node, which ends its workers in order
            )
        asyncio.get_running_loop().add_reader(self._control, self._read)

    def handle_call(self, request: ForkWorker, reply_to: ReplyTo) -> object:
        """Have a worker forked; the answer comes later."""
        self._orders.append((request, reply_to))
        if len(self._orders) == 1:
            self._order()
        return NO_REPLY

    def handle_cast(self, message: KillWorker) -> None:
        """End a worker at once."""
        self._control.send(pickle.dumps(Kill(message.pid)))

    def handle_info(self, message: object) -> None:
        """End with the program."""
        raise Stop(f"{self.process.name}: {message}")

    async def terminate(self, reason: Reason) -> None:
        """End the program, and with it its children; tell who has some."""
        del reason
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self._program.wait()
        if self._program.returncode is None:
            self._program.kill()
            await self._program.wait()
        for ended in self._children.values():
            ended.set_result(None)

    def close_port(self) -> None:
        """Have the program end by itself: nobody is there to speak to it."""
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()

    def _order(self) -> None:
        """Send the next order that somebody still wants; one at a time, so that none finds the socket full."""
        while self._orders:
            request, _ = self._orders[0]
            if request.sockets[0].fileno() >= 0:
                files = [sock.fileno() for sock in request.sockets]
                socket.send_fds(self._control, [pickle.dumps(Fork(request.setup))], files)
                return
            self._orders.popleft()

    def _read(self) -> None:
        try:
            data = self._control.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._control)
            self.process.send("the program has ended")
            return
        said: Forked | ChildEnded = pickle.loads(data)  # noqa: S301  # a program of ours has written it
        if isinstance(said, Forked):
            ended = self._children[said.pid] = asyncio.get_running_loop().create_future()
            _, reply_to = self._orders.popleft()
            reply(reply_to, Child(said.pid, ended))
            self._order()
        else:
            self._children.pop(said.pid).set_result(said.status)


def zygote_command(stage: Stage, control: int) -> list[str]:
    """Return the command line of the program that forks workers of a stage, and is spoken to over `control`."""
    lessons = [f"--with={name}" for name in stage.added] + [f"--without={name}" for name in stage.left_out]
    return python_module("stages.zygote", str(control), stage.name, *lessons)

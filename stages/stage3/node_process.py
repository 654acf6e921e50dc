"""The process of one node, as its parent's supervisor sees it: a gen_server that owns a program (Erlang: a port)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from common.command_line import without_variables
from common.otp import NO_REPLY, Failure, GenServer, Stop, reply
from common.tuning.children import command_that_dies_with_parent, python_module
from stages.redis_url import JOIN_VARIABLE

if TYPE_CHECKING:
    from common.otp import Reason, ReplyTo
    from stages.options import Options
    from stages.stage0.parts import Stage

_log = logging.getLogger(__name__)

STOP_S: Final = 8.0
"""How long a node may take to end in order, besides the grace that it gives its fans."""
RETRY_S: Final = 2.0
"""The pause before a node is tried again that could not serve."""

_START: Final = "start"


class NodeStartError(Exception):
    """A node ended before it served; what it said on standard error tells why."""


@dataclass(frozen=True, slots=True)
class WaitUntilReady:
    """A call that is answered when the node serves. Failure of NodeStartError if it ends instead."""


@dataclass(frozen=True, slots=True)
class Ended:
    """To the process itself: the program has ended with this status, negative if a signal ended it."""

    status: int


class NodeProcess(GenServer):
    """Runs `matchstream serve` on given ports as one node; a crash of the program is a crash of this process.

    `insists`: a program that ends before it serves (Redis may be away) is no crash then, but started again after
    RETRY_S, as often as it takes. Supervisors count crashes, and one that gives up ends all nodes.
    """

    _program: asyncio.subprocess.Process

    def __init__(  # noqa: PLR0913  # what every node has, and what is this one's
        self, stage: Stage, options: Options, port: int, http_port: int, token: str, *, insists: bool
    ) -> None:
        self._command = node_command(stage, options, port, http_port)
        # What is set for the parent (its ports, its number of nodes, a match to play) is not meant for its nodes.
        others = without_variables(os.environ, "MATCHSTREAM")
        self._environ = {**others, "MATCHSTREAM_TOKEN": token, JOIN_VARIABLE: str(options.redis_url)}
        self._insists = insists
        self._stop_s = STOP_S + options.grace_s
        self._is_ready = False
        self._waiting: list[ReplyTo] = []

    async def init(self) -> None:
        """Start the program; it is not waited for, so that all nodes start side by side."""
        self._program = await asyncio.create_subprocess_exec(
            *command_that_dies_with_parent(self._command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=self._environ,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which ends its nodes in order
        )
        self.spawn(self._follow())

    def handle_call(self, request: WaitUntilReady, reply_to: ReplyTo) -> object:
        """Answer now, or when the node is ready."""
        del request  # there is no other
        if self._is_ready:
            return None
        self._waiting.append(reply_to)
        return NO_REPLY

    async def handle_info(self, message: object) -> None:
        """Answer those who wait; end with the program, or start it again."""
        if isinstance(message, Ended):
            self._ended(f"{self.process.name} {_how(message.status)}")
        elif message == _START:
            await self.init()
        else:
            self._is_ready = True
            self._answer(None)

    async def terminate(self, reason: Reason) -> None:
        """End the program: SIGTERM, and SIGKILL if that does not help in time."""
        del reason
        with suppress(ProcessLookupError):  # it has ended by itself
            self._program.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._stop_s):
                    await self._program.wait()
            if self._program.returncode is None:
                self._program.kill()
        await self._program.wait()

    def _ended(self, how: str) -> None:
        if self._is_ready:
            _log.warning("%s; starting it again", how)
            raise Stop(how)
        if not self._insists:
            self._answer(Failure(NodeStartError(f"{how} before it served; if it said why, that is above")))
            raise Stop(how)
        _log.warning("%s before it served; starting it again in %g s", how, RETRY_S)
        asyncio.get_running_loop().call_later(RETRY_S, self.process.send, _START)

    def _answer(self, answer: Failure | None) -> None:
        for reply_to in self._waiting:
            reply(reply_to, answer)
        self._waiting.clear()

    async def _follow(self) -> None:
        assert self._program.stdout is not None  # noqa: S101  # it is a pipe
        async for line in self._program.stdout:
            if line.startswith(b"ready "):
                self.process.send(line)
        self.process.send(Ended(await self._program.wait()))


def node_command(stage: Stage, options: Options, port: int, http_port: int) -> list[str]:
    """Return the command line of one node; the URL of its Redis is no part of it, since all can read it there."""
    lessons = [f"--with={name}" for name in stage.added] + [f"--without={name}" for name in stage.left_out]
    return [
        *python_module("stages", "serve", "--stage", stage.name, *lessons),
        *("--host", options.host, "--port", str(port), "--http-port", str(http_port)),
        *(() if options.browser_port is None else ("--browser-port", str(options.browser_port))),
        *("--topology", options.topology, "--grace", f"{options.grace_s:f}s"),
        *(() if options.workers is None else ("--workers", str(options.workers))),
        *(("--slow", options.slow) if stage.has("slow-fans") else ()),
        *(() if options.max_fans is None else ("--max-fans", str(options.max_fans))),
        *(() if options.max_rate is None else ("--max-rate", f"{options.max_rate:f}")),
        *(("--faults", options.faults) if options.faults else ()),
    ]


def _how(status: int) -> str:
    return f"ended with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"

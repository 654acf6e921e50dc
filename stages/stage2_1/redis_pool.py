"""Lesson `redis-pool`: the door to Redis has many connections behind it, and uses them side by side.

The process `db` stays the only door. It hands each question to the next of its `connection` processes (the talk's
erldis clients), which asks, waits and answers whoever asked; a connection still carries one question at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from common.otp import NO_REPLY, GenServer, reply
from stages.stage0.db import Db, Operation
from stages.stage0.log import messages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from common.otp import Process, ReplyTo


@dataclass(frozen=True, slots=True)
class Question:
    """From the door to a connection: what to run, and who waits for the answer, if anybody."""

    operation: Operation
    reply_to: ReplyTo | None


class Connection(GenServer):
    """Runs one operation after the other. It ends with its `db`, and `db` with it, which answers all who wait."""

    def __init__(self, answer: Callable[[Operation], Awaitable[object]]) -> None:
        self._answer = answer

    async def handle_cast(self, message: Question) -> None:
        """Run the operation and answer."""
        answered = await self._answer(message.operation)
        if message.reply_to is not None:
            reply(message.reply_to, answered)


class PooledDb(Db):
    """Hands each operation to the next of its connections."""

    _connections: Iterator[Process]

    async def init(self) -> None:
        """Start the connections; each opens its socket when it is first asked."""
        pool = [
            await self.node.start(Connection(self._answer), parent=self.process)
            for _ in range(self._parts.redis_connections)
        ]
        self._connections = cycle(pool)

    def handle_call(self, request: Operation, reply_to: ReplyTo) -> object:
        """Hand the operation on; the next call need not wait for its answer."""
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        self._hand_on(Question(request, reply_to))
        return NO_REPLY

    def handle_cast(self, message: Operation) -> None:
        """Hand on an operation whose answer nobody waits for."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        self._hand_on(Question(message, None))

    def _hand_on(self, question: Question) -> None:
        next(self._connections).cast(question)

"""Lessons `db-writer` and `db-readers`: the way of a node's questions to Redis, through the one writer or not.

A write is the same as in a `RedisStore`: the same commands, the same reading of the answers, the same errors. Only the
way differs: the commands go to the writer as a request, and are carried out in one step. Reads go that way as well, as
through the one `db` of a system that has no other, until every node has a reader of its own (the talk's `db_reader`).

The node must run `Subscriptions` and `Requests`, and some node of the system a `DbWriter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import hiredis

from common.otp import CallError, NoProcessError
from common.store.connections import refusal_in
from common.store.errors import StoreUnavailableError, UnknownOutcomeError, WrongTypeError
from common.store.redis_store import RedisStore
from stages.stage0.db import Db
from stages.stage3.request_queue import pack
from stages.stage3.requests import Request, Requests
from stages.stage3.visits import VisitBatches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from common.otp import Node
    from common.store.endpoint import Argument
    from stages.stage import Parts
    from stages.stage3.request_queue import Command


class WriterConnection:
    """The way to Redis that goes through the writer (`common.store.connections.Redis`); it begins at a node."""

    node: Callable[[], Node]

    async def call(self, *command: Argument) -> Any:
        """Have one command carried out and return Redis's answer. Raise StoreUnavailableError."""
        (answer,) = await self.call_all((command,))
        return answer

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Have commands carried out in one step, in order, and return their answers.

        Raise StoreUnavailableError if none could be sent or all are refused, UnknownOutcomeError if some are, or if
        there is no answer in time.
        """
        if not commands:
            return []
        packed = pack(commands)
        try:
            answers: list[Any] = await self.node()[Requests.NAME].call(Request(packed))
        except (CallError, NoProcessError) as error:
            raise UnknownOutcomeError("the requests to the writer are being restarted") from error
        answers = [_refusal(answer) if isinstance(answer, hiredis.ReplyError) else answer for answer in answers]
        if refusal := refusal_in(answers):
            raise refusal
        return answers


def _refusal(error: hiredis.ReplyError) -> StoreUnavailableError:
    kind = WrongTypeError if str(error).startswith(WrongTypeError.SAYS) else StoreUnavailableError
    return kind(f"Redis refused a command ({error}): look at that server, then try again")


class WriterStore(RedisStore):
    """Writes through the writer, from the node that it has joined; in all else it is as a `RedisStore` is."""

    def __init__(
        self, url: str, connections: int = 1, *, connect_timeout: float = 2.0, command_timeout: float = 5.0
    ) -> None:
        super().__init__(url, connections, connect_timeout=connect_timeout, command_timeout=command_timeout)
        self._writes = self._writer = WriterConnection()
        self._batches = VisitBatches(self._writer.call_all, self._tag)

    def join(self, node: Callable[[], Node], *, reads_directly: bool) -> None:
        """Ask the writer by way of that node, from the first question on; or have it do the reading, too."""
        self._writer.node = node
        if not reads_directly:
            self._reads = self._writer

    async def visit(self, user: str) -> int:
        """Count a visit of the user, together with others; return how many there have been, as far as they are kept."""
        return await self._batches.visit(user)

    async def close(self) -> None:
        """Give up the visits that are not counted yet, and close all connections."""
        self._batches.close()
        await super().close()


class OneDoorDb(Db):
    """Lesson `db-writer`: has everything done by the one process of the system that does it. Needs a `WriterStore`."""

    reads_directly: ClassVar[bool] = False

    def __init__(self, parts: Parts, redis_url: str) -> None:
        super().__init__(parts, redis_url)
        assert isinstance(self._store, WriterStore)  # noqa: S101  # the same lesson brings it
        self._store.join(lambda: self.node, reads_directly=self.reads_directly)


class WriterDb(OneDoorDb):
    """Lesson `db-readers`: leaves to the writer what changes something, and reads from Redis itself."""

    reads_directly = True

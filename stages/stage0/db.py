"""The talk's `db`: a gen_server that is the only door to Redis, with one connection, one operation at a time.

Here an outage of Redis is logged, for all who are turned away over it: fans and readers are strangers, who are told
what they can do, and neither where Redis is nor what is wrong with it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from common.domain.errors import DomainError
from common.otp import CallError, Failure, GenServer
from common.store.errors import ConflictError, StoreUnavailableError, UnknownOutcomeError, UnreadableRecordError
from stages.stage0.log import Seldom, messages
from stages.stage0.operations import MatchOf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.domain.match import Match
    from common.otp import Node, Reason, ReplyTo
    from common.store.connections import ConnectionStatistics
    from common.store.redis_store import RedisStore
    from stages.stage0.operations import StoreOperation
    from stages.stage0.parts import Parts

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


class Db(GenServer):
    """Runs operations on the store, in the order in which they are asked for."""

    NAME = "db"

    def __init__(self, parts: Parts, redis_url: str) -> None:
        self._parts = parts
        self._store = parts.store(redis_url, connections=parts.redis_connections)
        self._outage = Seldom(_log)

    @classmethod
    async def query(cls, node: Node, operation: Callable[[RedisStore], Awaitable[_T]]) -> _T:
        """Have an operation run; return its result or raise its error.

        Raise UnknownOutcomeError as well if the process ends before it answers.
        """
        try:
            result: _T = await node[cls.NAME].call(operation)
        except (CallError, LookupError) as error:
            raise UnknownOutcomeError("the database process was restarted") from error
        return result

    @classmethod
    async def match(cls, node: Node, match_id: str) -> Match:
        """Return a match as it is stored. Raise UnknownMatchError, StoreUnavailableError."""
        return await cls.query(node, MatchOf(match_id))

    def handle_call(self, request: StoreOperation, reply_to: ReplyTo) -> object:
        """Run one operation; the calls behind it wait."""
        del reply_to  # answered by returning
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        return self._answer(request)

    def handle_cast(self, message: StoreOperation) -> Awaitable[None] | None:
        """Run an operation whose answer nobody waits for; a failure is its own affair."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        return self._run(message)

    async def _run(self, operation: StoreOperation) -> None:
        await self._answer(operation)

    async def _answer(self, operation: StoreOperation) -> object:
        """Run an operation and return its result, or the Failure that the caller is to be told."""
        try:
            return await operation(self._store)
        except StoreUnavailableError as error:
            self._outage.warning("%s", error)
            return Failure(error)
        except (DomainError, ConflictError, UnreadableRecordError) as error:
            return Failure(error)

    def statistics(self) -> ConnectionStatistics:
        """Return what the connections to Redis are and did."""
        return self._store.statistics()

    async def terminate(self, reason: Reason) -> None:
        """Close the connection."""
        del reason
        await self._store.close()

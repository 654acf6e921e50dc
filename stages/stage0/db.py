"""The talk's `db`: a gen_server that is the only door to Redis, with one connection, one operation at a time.

Here an outage of Redis is logged, for all who are turned away over it: fans and readers are strangers, who are told
what they can do, and neither where Redis is nor what is wrong with it.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from common.domain.errors import DomainError, UnknownMatchError
from common.otp import CallError, Failure, GenServer
from common.store.errors import ConflictError, StoreUnavailableError, UnknownOutcomeError, UnreadableRecordError
from stages.stage0.log import Seldom, messages

if TYPE_CHECKING:
    from common.domain.match import Match
    from common.otp import Node, Reason, ReplyTo
    from common.store.connections import ConnectionStatistics
    from common.store.redis_store import RedisStore
    from stages.stage import Parts

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

Operation = Callable[["RedisStore"], Awaitable[Any]]
"""What a caller wants of the store."""


class Read(ABC):
    """An operation that changes nothing. Equal ones that are asked for at the same moment may share an answer."""

    __slots__ = ()

    @abstractmethod
    async def __call__(self, store: RedisStore) -> Any:
        """Return what was read, or raise a DomainError."""


@dataclass(frozen=True, slots=True)
class MatchOf(Read):
    """Asks for a match as it is stored."""

    match_id: str

    async def __call__(self, store: RedisStore) -> Match:
        """Return it. Raise UnknownMatchError."""
        match = await store.match(self.match_id)
        if match is None:
            raise _unknown(self.match_id)
        return match


@dataclass(frozen=True, slots=True)
class VersionOf(Read):
    """Asks for a match as it is stored, and for its version."""

    match_id: str

    async def __call__(self, store: RedisStore) -> tuple[Match, str]:
        """Return both. Raise UnknownMatchError."""
        found = await store.version(self.match_id)
        if found is None:
            raise _unknown(self.match_id)
        return found


def _unknown(match_id: str) -> UnknownMatchError:
    return UnknownMatchError(f"there is no match {match_id}; see /1/matches")


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

    def handle_call(self, request: Operation, reply_to: ReplyTo) -> object:
        """Run one operation; the calls behind it wait."""
        del reply_to  # answered by returning
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        return self._answer(request)

    def handle_cast(self, message: Operation) -> Awaitable[None] | None:
        """Run an operation whose answer nobody waits for; a failure is its own affair."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        return self._run(message)

    async def _run(self, operation: Operation) -> None:
        await self._answer(operation)

    async def _answer(self, operation: Operation) -> object:
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

"""What a node does for one worker: it asks the store, and hands on what matches tell their fans.

A match of the node has one subscriber a worker, from when the first fan there asks for it until it is over. An event is
put down once, whatever the number of workers, and costs a write to each: some 5 µs, where a connection to Redis would
cost a subscription, and two reads an event.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from common.domain.errors import DomainError
from common.otp import REMOVE_HANDLER, AddHandler, CallError
from common.store.errors import ConflictError, StoreUnavailableError, UnreadableRecordError
from stages.stage0.messages import EventManager
from stages.stage4.channel import Over, Told, encode
from stages.stage4.worker_messages import Follow, Order, Query

if TYPE_CHECKING:
    from common.otp import Monitor, Process
    from stages.stage0.messages import Dismissal, Notification, Place
    from stages.stage0.operations import StoreOperation
    from stages.stage0.parts import Parts
    from stages.stage4.channel import Channel

_log = logging.getLogger(__name__)

_ATTEMPTS: Final = 3
"""A match may end just when it is asked for; see `stages.stage0.match_sup`."""
_ERRORS: Final = (DomainError, StoreUnavailableError, ConflictError, UnreadableRecordError)
_OVER: Final = encode(Over())


class OnceEncoded:
    """The body of the frame that tells workers something: made for the first, and there for the others."""

    def __init__(self) -> None:
        self._told: object = None
        self._body = b""

    def of(self, told: object) -> bytes:
        """Return it. Those who tell several go on to the next when all have the one before."""
        if told is not self._told:
            self._told, self._body = told, encode(Told(told))
        return self._body


class Relay:
    """The handler of a worker with a dispatcher."""

    __slots__ = ("_bodies", "_channel", "_number")

    def __init__(self, channel: Channel, number: int, bodies: OnceEncoded) -> None:
        self._channel = channel
        self._number = number
        self._bodies = bodies

    def handle_event(self, event: Notification | Dismissal) -> object:
        """Send it on."""
        if not self._channel.is_open:
            return REMOVE_HANDLER
        self._channel.send(self._number, self._bodies.of(event))
        return None


class Relays:
    """Serves one worker, beside the process that has its channel."""

    def __init__(self, parts: Parts, process: Process, channel: Channel, bodies: OnceEncoded) -> None:
        self._parts = parts
        self._process = process
        self._channel = channel
        self._bodies = bodies
        self._followed: dict[Monitor, int] = {}

    def serve(self, number: int, asked: Query | Order | Follow) -> None:
        """Do what is asked, and answer under that number."""
        if isinstance(asked, Query):
            self._process.spawn(self._query(number, asked.operation))
        elif isinstance(asked, Order):
            db = self._process.node.whereis(self._parts.db.NAME)
            if db is not None:  # else it is being restarted, and nobody waits
                db.cast(asked.operation)
        else:
            self._process.spawn(self._follow(number, asked.match_id))

    def end(self, monitor: Monitor) -> None:
        """Tell the worker that whoever told it of a match has ended."""
        self._channel.send(self._followed.pop(monitor), _OVER)

    async def _query(self, number: int, operation: StoreOperation) -> None:
        try:
            answer: Any = await self._parts.db.query(self._process.node, operation)
        except _ERRORS as error:
            self._channel.refuse(number, error)
        else:
            self._channel.answer(number, answer)

    async def _follow(self, number: int, match_id: str) -> None:
        try:
            joined = await self._join(number, match_id)
        except _ERRORS as error:
            self._channel.refuse(number, error)
            return
        if joined is None:
            self._channel.answer(number, None)
            return
        manager, place = joined
        self._channel.answer(number, place)
        self._followed[self._process.monitor(manager)] = number

    async def _join(self, number: int, match_id: str) -> tuple[Process, Place] | None:
        """Add the worker's handler; return where, and how far the match had come. None if it is not live."""
        node = self._process.node
        for _ in range(_ATTEMPTS):
            manager: Process | None = await self._parts.match_sup.call(node, match_id, EventManager())
            if manager is None:
                return None
            try:
                relay = Relay(self._channel, number, self._bodies)
                return manager, await manager.call(AddHandler((self._process, number), relay))
            except CallError:
                _log.debug("the dispatcher of %s ended when %s came", match_id, self._process.name)
        raise StoreUnavailableError(f"the match {match_id} ended before it could be followed; try again")

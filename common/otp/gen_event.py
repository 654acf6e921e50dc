"""gen_event: a process that hands every event to each of its handlers, one after the other.

A supervised handler (`add_sup_handler`) ties its owner to the manager by a link, as in OTP: the manager looks through
all its handlers at the exit of any linked process, and the owner is told when the handler goes. With many handlers that
is much work for every fan that leaves, which is the talk's point in stage 2.2.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Protocol

from common.otp.gen_server import DONE, GenServer
from common.otp.process import Exit
from common.otp.signals import NORMAL, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Hashable, Iterator

    from common.otp.process import Process, ReplyTo

    _Waiting = tuple["AddHandler", Coroutine[Any, Any, object]]

_log = logging.getLogger(__name__)

REMOVE_HANDLER: Final = object()
"""Returned by a handler that wants no more events (OTP: `remove_handler`)."""


class Handler(Protocol):
    """What a gen_event runs for each event."""

    def handle_event(self, event: Any) -> object:  # whatever the manager is notified of
        """Handle one event, in a coroutine if need be.

        An exception removes this handler, and no other; so does `REMOVE_HANDLER`, without a word in the log.
        """
        ...


@dataclass(frozen=True, slots=True)
class AddHandler:
    """The call that adds a handler under an id, in place of one that has it; with an `owner` it is supervised."""

    id: Hashable
    handler: Handler
    owner: Process | None = None


@dataclass(frozen=True, slots=True)
class DeleteHandler:
    """The call that removes a handler; answered with whether it was there."""

    id: Hashable


@dataclass(frozen=True, slots=True)
class HandlerExit:
    """Sent to the owner of a supervised handler that is gone (OTP: `gen_event_EXIT`)."""

    manager: Process
    id: Hashable
    reason: Reason


class GenEvent(GenServer):
    """An event manager. `process.cast(event)` is `gen_event:notify/2`: every handler gets it, in order of adding."""

    trap_exit = True

    def __init__(self) -> None:
        self._handlers: dict[Hashable, AddHandler] = {}

    @property
    def handlers(self) -> int:
        """How many handlers there are."""
        return len(self._handlers)

    def handle_call(self, request: AddHandler | DeleteHandler, reply_to: ReplyTo) -> object:
        """Add or delete a handler."""
        del reply_to  # answered by returning
        if isinstance(request, AddHandler):
            replaced = self._handlers.get(request.id)
            self._handlers[request.id] = request
            if replaced is not None:
                self._release(replaced.owner)
            if request.owner is not None:
                self.process.link(request.owner)
            return True
        return self._delete(request.id, NORMAL)

    def handle_cast(self, message: Any) -> Awaitable[None]:  # the event
        """Hand the event to every handler; drop the ones that crash. No coroutine is made unless one of them waits."""
        entries = iter(tuple(self._handlers.values()))
        waiting = self._notify(message, entries)
        return DONE if waiting is None else self._notify_waiting(message, entries, waiting)

    def handle_info(self, message: Any) -> None:  # an Exit, or something to pass over
        """Drop the handlers of an owner that ended: as in OTP, every handler is looked at."""
        if isinstance(message, Exit):
            for id_ in [id_ for id_, entry in self._handlers.items() if entry.owner is message.process]:
                del self._handlers[id_]

    def _notify(self, event: Any, entries: Iterator[AddHandler]) -> _Waiting | None:
        """Hand the event to handlers up to one that has to wait; return that one, and for what."""
        for entry in entries:
            try:
                done = entry.handler.handle_event(event)
            except Exception as error:
                self._crash(entry, error)
            else:
                if done is not None:
                    if isinstance(done, CoroutineType):
                        return entry, done
                    self._remove_if(done, entry)
        return None

    async def _notify_waiting(self, event: Any, entries: Iterator[AddHandler], waiting: _Waiting | None) -> None:
        while waiting is not None:
            entry, done = waiting
            try:
                self._remove_if(await done, entry)
            except Exception as error:
                self._crash(entry, error)
            waiting = self._notify(event, entries)

    def _remove_if(self, done: object, entry: AddHandler) -> None:
        if done is REMOVE_HANDLER and self._handlers.get(entry.id) is entry:
            self._delete(entry.id, NORMAL)

    def _crash(self, entry: AddHandler, error: Exception) -> None:
        _log.error("handler %r of %s crashed", entry.id, self.process.name, exc_info=error)
        self._delete(entry.id, error)

    def _delete(self, id_: Hashable, reason: Reason) -> bool:
        entry = self._handlers.pop(id_, None)
        if entry is None:
            return False
        self._release(entry.owner)
        if entry.owner is not None and reason != NORMAL:
            entry.owner.send(HandlerExit(self.process, id_, reason))
        return True

    def _release(self, owner: Process | None) -> None:
        if owner is not None and all(entry.owner is not owner for entry in self._handlers.values()):
            self.process.unlink(owner)

"""The talk's `dispatcher`: the gen_event of a match, with a handler for each (match, user, client)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.otp import AddHandler, DeleteHandler, GenEvent
from stages.stage0.log import messages
from stages.stage0.messages import NO_PLACE, Dismissal, Place

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from common.otp import ReplyTo
    from stages.stage0.messages import Notification


class Dispatcher(GenEvent):
    """Delivers a match's notifications to its handlers, and tells who is added how far it has come."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def handle_call(self, request: AddHandler | DeleteHandler, reply_to: ReplyTo) -> Place:
        """Add or delete a handler; answer with the place of the last event that was sent to the handlers before."""
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        super().handle_call(request, reply_to)
        return self._place

    def handle_cast(self, message: Notification | Dismissal) -> Awaitable[None]:
        """Send an event, or the word that sends all fans away, to every handler."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        self._place = NO_PLACE if isinstance(message, Dismissal) else Place(message.seq, message.accepted_at)
        return super().handle_cast(message)

"""Lesson `repeaters`: dispatchers that are subscribed to the match's dispatcher and repeat to their share of the users.

A repeater is a dispatcher like the first one, so that a user need not know which of them it subscribes to, and each
knows how far it has come. Users are placed on them in turn.

The repeaters are children of the dispatcher, not of the match: an order to end reaches them behind the last event
that the dispatcher sent, never before it. The match is linked to them as well, since with one of them gone it would go
on placing users on nobody; its supervisor starts all of them anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.otp import AddHandler
from stages.stage0.live_match import LiveMatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.otp import Process
    from stages.stage0.messages import Dismissal, Notification


@dataclass(frozen=True, slots=True)
class Repeat:
    """The handler of a repeater with the dispatcher."""

    repeater: Process

    def handle_event(self, event: Notification | Dismissal) -> None:
        """Have the repeater notify its own handlers."""
        self.repeater.cast(event)


class RepeatedMatch(LiveMatch):
    """Places users on repeaters, and none on the dispatcher itself."""

    _repeaters: Sequence[Process]

    async def init(self) -> None:
        """Start the repeaters as well."""
        await super().init()
        self._repeaters = [await self._start_repeater() for _ in range(self._parts.dispatchers)]

    def event_managers(self) -> Sequence[Process]:
        """Return the repeaters."""
        return self._repeaters

    async def _start_repeater(self) -> Process:
        repeater = await self.node.start(self._parts.dispatcher(self._place()), parent=self._dispatcher)
        self.process.link(repeater)
        await self._dispatcher.call(AddHandler(repeater, Repeat(repeater)))
        return repeater

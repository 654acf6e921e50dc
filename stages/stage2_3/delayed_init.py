"""Lesson `delayed-init`: a process is there at once; what it has to find out or to write, it does afterwards.

The talk's server returns a timeout of 0 from `init` and goes on when that arrives, before anything else it is asked.
Here a user answers its fan with the status, and does the rest at low priority, when those who still wait for an answer
leave room (`low_priority`): it counts the visit, and adds its handler to the dispatcher. What was sent out before that
it reads from the history, as after a crash. So right after a crowd an event may reach the last of it later than it
otherwise would; and if the match is cancelled before, its history with it, they are told that, not the event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.stage0.log import messages
from stages.stage0.operations import CountVisit
from stages.stage0.user import User
from stages.stage2_3.low_priority import PriorityRunQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from common.otp import Process, Reason
    from stages.stage0.parts import Parts


@dataclass(frozen=True, slots=True)
class GoOn:
    """To a user itself, at low priority: a client was answered, now do what it did not wait for."""

    client: Process


class DelayedUser(User):
    """Counts its visit and subscribes after its answer."""

    def __init__(self, parts: Parts, user_id: str) -> None:
        super().__init__(parts, user_id)
        self._is_counted = False

    def init(self) -> None:
        """Begin at once."""

    async def handle_info(self, message: Any) -> None:
        """Count the visit, have the client notified from here on."""
        if not isinstance(message, GoOn):
            await super().handle_info(message)
            return
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        self._count()
        if message.client in self._watching:
            await self._subscribe(message.client)
        self._stop_if_unused()

    def terminate(self, reason: Reason) -> Awaitable[None] | None:
        """Count the visit of who has been answered and could not be kept."""
        self._count()
        return super().terminate(reason)

    async def _begin_watching(self, client: Process) -> None:
        run_queue = self.node.run_queue
        assert isinstance(run_queue, PriorityRunQueue)  # noqa: S101  # the same lesson brings it
        run_queue.send_low(self.process, GoOn(client))

    def _count(self) -> None:
        if not self._is_counted:
            self._is_counted = True
            db = self.node.whereis(self._parts.db.NAME)
            if db is None:
                messages.info("%s is not counted: the database process is being restarted", self.process.name)
            else:
                db.cast(CountVisit(self._id))  # one that Redis does not take is not counted

"""Lesson `monitors`: no supervised handlers; user, client and dispatcher are monitored instead.

A supervised handler links its owner to the dispatcher, which must then look through all its handlers when any linked
process ends. A monitor tells the one who asked, and nobody else. What the link did must be done by others now:

* a dispatcher that ends: the user is told by its monitor, and subscribes anew;
* a user whose client has gone: it takes the handler away itself, which costs the dispatcher a look-up;
* a user that crashes: its handlers find out at the next event, and go. Its clients are told by their monitors, and end
  with it, or their fans would be connected to nobody.

A handler that crashes is dropped and nobody is told (gen_event:add_handler/3 is no different): this one only casts.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.otp import NORMAL, REMOVE_HANDLER, SHUTDOWN, AddHandler, CallError, DeleteHandler, Down, Stop
from stages.stage0.client import Client
from stages.stage0.user import Subscription, User
from stages.traffic import Drop

if TYPE_CHECKING:
    from common.otp import Monitor, Process
    from common.wire.greeting import Greeting
    from stages.stage0.messages import Dismissal, Missed, Notification
    from stages.stage0.parts import Parts


@dataclass(frozen=True, slots=True)
class UnsupervisedSubscription(Subscription):
    """A handler that goes by itself when its user has gone."""

    def handle_event(self, event: Notification | Dismissal) -> object:
        """Pass it to the user, if there still is one."""
        if not self.user.alive:
            return REMOVE_HANDLER
        return Subscription.handle_event(self, event)


class MonitoringClient(Client):
    """Monitors its user."""

    def running(self, message: Any) -> None:
        """Pass on what the user sends; after its end nothing more will come."""
        super().running(message)
        if isinstance(message, Down):
            if message.reason not in (NORMAL, SHUTDOWN):
                self._parts.traffic.drops[Drop.CRASH] += 1
            raise Stop

    async def _call_user(self, greeting: Greeting) -> Process:
        user = await super()._call_user(greeting)
        self.process.monitor(user)
        return user


class MonitoringUser(User):
    """Monitors its clients and the dispatchers it has handlers with."""

    def __init__(self, parts: Parts, user_id: str) -> None:
        super().__init__(parts, user_id)
        self._monitors: dict[Process, Monitor] = {}

    async def handle_info(self, message: Any) -> None:
        """Forget a client that is down; get over a dispatcher that is."""
        if not isinstance(message, Down):
            await super().handle_info(message)
            return
        if self._monitors.get(message.monitor.process) is message.monitor:
            del self._monitors[message.monitor.process]
            await self._ended(message.monitor.process)
        self._stop_if_unused()

    def _hold(self, client: Process) -> None:
        self._monitor(client)

    async def _forget(self, client: Process) -> None:
        watching = self._watching[client]
        if watching.dispatcher is not None and watching.dispatcher.alive:
            with suppress(CallError):  # it ended meanwhile, and the handler with it
                await watching.dispatcher.call(DeleteHandler((watching.match_id, self._id, client)))
        if self._watching.get(client) is watching:
            del self._watching[client]

    def _handler(self, client: Process, match_id: str) -> AddHandler:
        return AddHandler((match_id, self._id, client), UnsupervisedSubscription(self.process, client))

    async def _add_handler(self, client: Process, manager: Process) -> Missed:
        self._monitor(manager)
        return await super()._add_handler(client, manager)

    def _monitor(self, process: Process) -> None:
        if process not in self._monitors:
            self._monitors[process] = self.process.monitor(process)

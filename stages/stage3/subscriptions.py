"""A node's one pub/sub connection, shared by all of its processes that want to hear of something.

What it must guarantee:

* A subscriber that was answered misses nothing until it is told so. Redis keeps nothing of what it publishes, so
  whatever comes while the connection is away is lost; once a channel is heard again, each of its subscribers gets a
  `Resubscribed` and has to look at what is stored.
* A wish is kept: a subscription that could not be made in time is made later, and `Resubscribed` says when.
* Nobody is forgotten and nothing stays behind: a subscriber that ends is dropped, and a channel without subscribers is
  given up.

Whoever subscribes should monitor the process that `subscribe` returns: when that one ends, so did its subscriptions.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common.otp import NO_REPLY, CallError, Down, Failure, GenServer, NoProcessError, reply
from common.store.endpoint import Endpoint
from common.store.errors import StoreUnavailableError
from stages.stage3.pubsub import CONNECT_S, Connected, Lost, Outbox, Published, PubSub, Subscribed

if TYPE_CHECKING:
    from common.otp import Monitor, Node, Process, Reason, ReplyTo

__all__ = ["Published", "Resubscribed", "Subscribe", "Subscriptions", "SubscriptionsStatistics"]

_log = logging.getLogger(__name__)

SUBSCRIBE_S = 2.0
"""How long a subscriber waits for Redis to confirm."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The call of a process that wants what is published on a channel; answered with None when Redis has confirmed.

    Failure of StoreUnavailableError after SUBSCRIBE_S; the channel is subscribed to all the same once Redis is back.
    """

    channel: str
    process: Process


@dataclass(frozen=True, slots=True)
class Resubscribed:
    """To a subscriber: the channel is heard (again) from here on; what was published before may have been missed."""

    channel: str


@dataclass(frozen=True, slots=True)
class SubscriptionsStatistics:
    """What there is now, and since the start: connections made, and messages that came."""

    connected: bool
    channels: int
    subscribers: int
    connections: int
    published: int


@dataclass(slots=True)
class _Channel:
    live: bool = False
    subscribers: dict[Process, Monitor] = field(default_factory=dict)
    waiting: list[tuple[ReplyTo, Process, asyncio.TimerHandle]] = field(default_factory=list)


class Subscriptions(GenServer):
    """Subscribes for the processes of a node, and hands them what is published."""

    NAME = "subscriptions"

    _pubsub: Process

    def __init__(self, redis_url: str) -> None:
        self._endpoint = Endpoint(redis_url, CONNECT_S)
        self._channels: dict[str, _Channel] = {}
        self._asked: Counter[str] = Counter()
        self._outbox: Outbox | None = None
        self._why_not = "it was not connected to yet"
        self._away = False
        self._connections = self._published = 0

    @classmethod
    async def subscribe(cls, node: Node, channel: str, process: Process) -> Process:
        """Have `process` get what is published on `channel`; return the process that sees to it.

        Raise StoreUnavailableError; unless that process was not there, the subscription is made later.
        """
        try:
            subscriptions = node[cls.NAME]
            await subscriptions.call(Subscribe(channel, process))
        except (CallError, NoProcessError) as error:
            raise StoreUnavailableError("the subscriptions are being restarted; try again") from error
        return subscriptions

    async def init(self) -> None:
        """Start to connect; Redis need not be there."""
        self._pubsub = await self.node.start(PubSub(self._endpoint, self.process), parent=self.process)

    def handle_call(self, request: Subscribe, reply_to: ReplyTo) -> object:
        """Subscribe a process to a channel, until its end."""
        channel = self._channels.get(request.channel)
        if channel is None:
            channel = self._channels[request.channel] = _Channel()
            self._say_subscribe(request.channel)
        if request.process not in channel.subscribers:
            channel.subscribers[request.process] = self.process.monitor(request.process)
        if channel.live:
            return None
        late = asyncio.get_running_loop().call_later(SUBSCRIBE_S, self._refuse, reply_to)
        channel.waiting.append((reply_to, request.process, late))
        return NO_REPLY

    def handle_info(self, message: Any) -> None:
        """Take note of what the connection says, and of subscribers that ended."""
        if isinstance(message, Published):
            self._hand_on(message)
        elif isinstance(message, Subscribed):
            self._confirm(message.channel)
        elif isinstance(message, Connected):
            self._connected(message.outbox)
        elif isinstance(message, Lost):
            self._lost(message.why)
        elif isinstance(message, Down):
            for name in tuple(self._channels):
                self._drop(name, message.monitor.process)

    async def terminate(self, reason: Reason) -> None:
        """Close the connection; after a kill, the link to it does that."""
        self._pubsub.exit(reason)
        await self._pubsub.wait()

    def statistics(self) -> SubscriptionsStatistics:
        """Return the counts as they are now."""
        subscribers = sum(len(channel.subscribers) for channel in self._channels.values())
        return SubscriptionsStatistics(
            self._outbox is not None, len(self._channels), subscribers, self._connections, self._published
        )

    def _hand_on(self, message: Published) -> None:
        self._published += 1
        channel = self._channels.get(message.channel)
        for subscriber in channel.subscribers if channel is not None else ():
            subscriber.send(message)

    def _confirm(self, name: str) -> None:
        """Take note of a SUBSCRIBE that was answered; it counts if it is the last that was sent for this channel."""
        self._asked[name] -= 1
        if self._asked[name] > 0:
            return
        del self._asked[name]
        channel = self._channels.get(name)
        if channel is None:
            return
        channel.live = True
        answered = set()
        for reply_to, process, late in channel.waiting:
            late.cancel()
            if not reply_to.done():
                reply(reply_to, None)
                answered.add(process)
        channel.waiting.clear()
        for process in channel.subscribers.keys() - answered:
            process.send(Resubscribed(name))

    def _connected(self, outbox: Outbox) -> None:
        if self._away:
            _log.warning("Redis at %s is back", self._endpoint.address)
        self._away = False
        self._connections += 1
        self._outbox = outbox
        self._why_not = f"Redis at {self._endpoint.address} did not confirm in time"
        for name in self._channels:
            self._say_subscribe(name)

    def _lost(self, why: str) -> None:
        if not self._away:
            _log.warning("%s; trying again until it is back", why)
        self._away = True
        self._why_not = why
        self._outbox = None
        self._asked.clear()
        for channel in self._channels.values():
            channel.live = False

    def _drop(self, name: str, process: Process) -> None:
        channel = self._channels.get(name)
        monitor = channel.subscribers.pop(process, None) if channel is not None else None
        if channel is None or monitor is None:
            return
        self.process.demonitor(monitor)
        ended = StoreUnavailableError(f"the subscription to {name} was ended before Redis had confirmed it")
        for reply_to, waiting, late in channel.waiting:
            if waiting is process:
                late.cancel()
                reply(reply_to, Failure(ended))
        if not channel.subscribers:
            del self._channels[name]
            if self._outbox is not None:
                self._outbox.put_nowait(("UNSUBSCRIBE", name))

    def _say_subscribe(self, name: str) -> None:
        if self._outbox is not None:
            self._asked[name] += 1
            self._outbox.put_nowait(("SUBSCRIBE", name))

    def _refuse(self, reply_to: ReplyTo) -> None:
        reply(reply_to, Failure(StoreUnavailableError(f"nothing can be subscribed to: {self._why_not}")))

"""A worker's stand-ins for what its node has once: `db`, and the matches. Fans and audiences see no difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.otp import NO_REPLY, Failure, GenServer, Restart, SimpleOneForOne, Stop, reply
from stages.stage0.log import messages
from stages.stage4.channel import Over
from stages.stage4.worker_messages import Follow, Order, Query

if TYPE_CHECKING:
    import asyncio

    from common.otp import Process, ReplyTo
    from stages.stage0.messages import Dismissal, EventManager, Notification, Place
    from stages.stage0.operations import StoreOperation
    from stages.stage0.parts import Parts
    from stages.stage4.channel import Channel


class RelayedDb(GenServer):
    """Has the node's `db` run operations; those who ask wait side by side."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def handle_call(self, request: StoreOperation, reply_to: ReplyTo) -> object:
        """Send an operation to the node; the answer comes later."""
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        self._channel.ask(Query(request)).add_done_callback(lambda done: _hand_on(done, reply_to))
        return NO_REPLY

    def handle_cast(self, message: StoreOperation) -> None:
        """Send an operation to the node."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        self._channel.tell(Order(message))


class RelayedMatches(SimpleOneForOne):
    """Starts a match for each that audiences ask for; it has the name and the place of `match_sup`."""

    def __init__(self, parts: Parts, channel: Channel) -> None:
        super().__init__(lambda match_id: RelayedMatch(parts, channel, match_id), Restart.TRANSIENT)


class RelayedMatch(GenServer):
    """A match whose process is in the node: here is a dispatcher, which tells what that one tells."""

    _dispatcher: Process | None

    def __init__(self, parts: Parts, channel: Channel, match_id: str) -> None:
        self._parts = parts
        self._channel = channel
        self._id = match_id

    async def init(self) -> None:
        """Follow the match. Raise what it says: UnknownMatchError, UnreadableRecordError, StoreUnavailableError.

        What is told before the dispatcher is there waits in the mailbox.
        """
        place: Place | None = await self._channel.follow(Follow(self._id), self.process.cast)
        if place is None:
            self._dispatcher = None
        else:
            self._dispatcher = await self.node.start(self._parts.dispatcher(place), parent=self.process)

    def handle_call(self, request: EventManager, reply_to: ReplyTo) -> object:
        """Answer with the dispatcher; with None, as the last answer, if the match is not live."""
        del reply_to  # answered by returning, or by a Stop
        messages.info("%s <- %s", self.process.name, type(request).__name__)
        if self._dispatcher is None and not self.process.queued:
            raise Stop(reply=None)
        return self._dispatcher

    def handle_cast(self, message: Notification | Dismissal | Over) -> None:
        """Hand on what is told, and end when no more comes: the dispatcher does when it has told all."""
        messages.info("%s <- %s", self.process.name, type(message).__name__)
        if isinstance(message, Over):
            raise Stop
        assert self._dispatcher is not None  # noqa: S101  # nothing is told of a match that is not live
        self._dispatcher.cast(message)


def _hand_on(done: asyncio.Future[object], reply_to: ReplyTo) -> None:
    try:
        answer = done.result()
    except Exception as error:  # whatever it is, it is the asker's
        answer = Failure(error)
    reply(reply_to, answer)

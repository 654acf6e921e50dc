"""Subscriptions between two things that their connection says, which no real Redis can be made to pause at."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from common.otp import SHUTDOWN, GenServer, Node
from common.store.errors import StoreUnavailableError
from stages.stage3.pubsub import Connected, Lost, Outbox, Subscribed
from stages.stage3.subscriptions import Resubscribed, Subscribe, Subscriptions
from tests.stages.stage3.system import Listener
from tests.virtual_time import idle, run_virtual

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.otp import Process


class Silent(GenServer):
    """In place of the connection: the test says what that would."""

    def __init__(self, *_: Any) -> None:
        pass


class Connection:
    """What the subscriptions of a node have their connection say, and are told by it."""

    def __init__(self, node: Node, subscriptions: Process) -> None:
        self.node = node
        self.subscriptions = subscriptions
        self._outbox = Outbox()

    async def connect(self) -> None:
        """There is a connection, a new one."""
        self._outbox = Outbox()
        await self.say(Connected(self._outbox))

    async def say(self, *messages: object) -> None:
        """Tell the subscriptions, and let them act."""
        for message in messages:
            self.subscriptions.send(message)
        await idle()

    def sent(self) -> list[tuple[str, ...]]:
        """Take what is to be sent to Redis."""
        return [self._outbox.get_nowait() for _ in range(self._outbox.qsize())]

    async def listener(self) -> Listener:
        listener = Listener()
        await self.node.start(listener)
        return listener

    async def ask(self, request: Subscribe) -> asyncio.Task[object]:
        """Make a call that may be answered later."""
        asking = asyncio.create_task(self.subscriptions.call(request), name="asks")
        await idle()
        return asking


def subscribing(monkeypatch: pytest.MonkeyPatch, test: Callable[[Connection], Awaitable[None]]) -> None:
    """Run a test on virtual time, with subscriptions that are not connected yet."""
    monkeypatch.setattr("stages.stage3.subscriptions.PubSub", Silent)

    async def main() -> None:
        node = Node()
        subscriptions = await node.start(Subscriptions("redis://127.0.0.1:6379"), name=Subscriptions.NAME)
        await test(Connection(node, subscriptions))
        for server in [*node.servers(Listener), *node.servers(Subscriptions)]:
            server.process.exit(SHUTDOWN)
            await server.process.wait()
        assert not node.processes()

    run_virtual(main())


def test_a_connection_is_lost_before_subscribe_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the next one confirms is what counts: nothing is waited for any more that the first was asked."""

    async def test(connection: Connection) -> None:
        await connection.connect()
        listener = await connection.listener()
        asking = await connection.ask(Subscribe("goals", listener.process))
        assert connection.sent() == [("SUBSCRIBE", "goals")]
        await connection.say(Lost("cut off"))
        await connection.connect()
        assert connection.sent() == [("SUBSCRIBE", "goals")]
        assert not asking.done()
        await connection.say(Subscribed("goals"))
        assert asking.done()
        assert await asking is None
        assert listener.heard == []

    subscribing(monkeypatch, test)


def test_a_channel_is_heard_from_the_last_confirmation_on_and_not_from_an_earlier_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first is the answer to a SUBSCRIBE behind which an UNSUBSCRIBE is under way."""

    async def test(connection: Connection) -> None:
        await connection.connect()
        leaving, staying = (await connection.listener()).process, (await connection.listener()).process
        first = await connection.ask(Subscribe("goals", leaving))
        leaving.kill()
        with pytest.raises(StoreUnavailableError, match="was ended before Redis had confirmed it"):
            await first
        last = await connection.ask(Subscribe("goals", staying))
        assert connection.sent() == [("SUBSCRIBE", "goals"), ("UNSUBSCRIBE", "goals"), ("SUBSCRIBE", "goals")]
        await connection.say(Subscribed("goals"))
        assert not last.done()
        await connection.say(Subscribed("goals"))
        assert await last is None

    subscribing(monkeypatch, test)


def test_who_ends_its_subscription_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(connection: Connection) -> None:
        await connection.connect()
        leaving, staying = await connection.listener(), await connection.listener()
        left, stayed = [await connection.ask(Subscribe("goals", each.process)) for each in (leaving, staying)]
        leaving.process.kill()
        await idle()
        with pytest.raises(StoreUnavailableError, match="was ended before Redis had confirmed it"):
            await left
        await connection.say(Subscribed("goals"))
        assert await stayed is None
        assert connection.sent() == [("SUBSCRIBE", "goals")]

    subscribing(monkeypatch, test)


def test_a_redis_that_confirms_too_late_is_named_and_the_wish_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(connection: Connection) -> None:
        listener = await connection.listener()
        with pytest.raises(StoreUnavailableError, match="it was not connected to yet"):
            await connection.subscriptions.call(Subscribe("goals", listener.process))
        await connection.connect()
        with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:6379 did not confirm in time"):
            await connection.subscriptions.call(Subscribe("goals", listener.process))
        await connection.say(Subscribed("goals"))
        assert listener.heard == [Resubscribed("goals")]
        assert connection.sent() == [("SUBSCRIBE", "goals")]

    subscribing(monkeypatch, test)


def test_every_outage_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def test(connection: Connection) -> None:
        for _ in range(2):
            await connection.connect()
            await connection.say(Lost("cut off"), Lost("cut off"))

    with caplog.at_level(logging.WARNING, "stages.stage3"):
        subscribing(monkeypatch, test)
    away = "cut off; trying again until it is back"
    back = "Redis at 127.0.0.1:6379 is back"
    assert [record.message for record in caplog.records] == [away, back, away]

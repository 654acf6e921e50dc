"""Subscriptions against a real Redis that is killed, stopped and started again."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

import pytest

from common.otp import Node
from common.store.cluster import with_cluster
from common.store.errors import StoreUnavailableError
from stages.stage3.subscriptions import Published, Resubscribed, Subscribe, Subscriptions
from tests.redis_cluster import RedisCluster
from tests.stages.stage3.system import System
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.store.connections import Connections
    from tests.redis_cluster import ClusterServer
    from tests.redis_server import RedisServer
    from tests.stages.stage3.system import Listener


async def receivers(raw: Connections, channel: str) -> int:
    _, count = await raw.call("PUBSUB", "NUMSUB", channel)
    return int(count)


async def nobody_on(raw: Connections, channel: str) -> None:
    async def nobody() -> bool:
        return await receivers(raw, channel) == 0

    await eventually(nobody, f"{channel} is given up")


async def heard(listener: Listener, *expected: object) -> None:
    await eventually(lambda: len(listener.heard) >= len(expected), f"{listener.heard} becomes {expected}")
    assert listener.heard == list(expected)


async def test_what_is_published_comes_to_the_subscribers_of_its_channel(system: System, raw: Connections) -> None:
    node = Node()
    subscriptions = await system.subscriptions(node)
    (one, first), (two, second) = await system.listener(node), await system.listener(node)
    assert await Subscriptions.subscribe(node, "goals", first) is node["subscriptions"]
    await Subscriptions.subscribe(node, "goals", second)
    await Subscriptions.subscribe(node, "cards", second)
    assert await raw.call("PUBLISH", "goals", b"\xff\x00") == 1
    await raw.call("PUBLISH", "cards", "red")
    await heard(two, Published("goals", b"\xff\x00"), Published("cards", b"red"))
    await heard(one, Published("goals", b"\xff\x00"))
    statistics = subscriptions.statistics()
    assert (statistics.connected, statistics.channels, statistics.subscribers) == (True, 2, 3)
    assert (statistics.connections, statistics.published) == (1, 2)


async def test_a_channel_without_subscribers_is_given_up(system: System, raw: Connections) -> None:
    node = Node()
    subscriptions = await system.subscriptions(node)
    (one, first), (_, second) = await system.listener(node), await system.listener(node)
    for process in (first, first, second):
        await Subscriptions.subscribe(node, "goals", process)
    second.kill()
    await eventually(lambda: subscriptions.statistics().subscribers == 1, "a dead subscriber is dropped")
    assert await receivers(raw, "goals") == 1
    first.kill()
    await nobody_on(raw, "goals")
    assert subscriptions.statistics().channels == 0
    assert one.heard == []


async def test_a_subscriber_that_is_dead_already_leaves_nothing(system: System, raw: Connections) -> None:
    node = Node()
    subscriptions = await system.subscriptions(node)
    _, process = await system.listener(node)
    process.kill()
    await process.wait()
    with pytest.raises(StoreUnavailableError, match="ended before Redis had confirmed it"):
        await Subscriptions.subscribe(node, "goals", process)
    await nobody_on(raw, "goals")
    assert subscriptions.statistics().channels == 0


async def test_however_often_one_comes_and_goes_what_counts_is_the_last(system: System, raw: Connections) -> None:
    node = Node()
    await system.subscriptions(node)
    listener, process = await system.listener(node)
    subscriptions = await Subscriptions.subscribe(node, "cards", process)

    async def come_and_go(channel: str) -> None:
        _, passing = await system.listener(node)
        asking = asyncio.create_task(subscriptions.call(Subscribe(channel, passing)), name="passing")
        await asyncio.sleep(0)
        passing.kill()
        await asyncio.gather(asking, return_exceptions=True)

    for _ in range(4):
        await come_and_go("goals")
    await Subscriptions.subscribe(node, "goals", process)
    for channel in ("goals", "fouls"):
        await come_and_go(channel)
    await nobody_on(raw, "fouls")
    assert await raw.call("PUBLISH", "goals", "one") == 1
    await eventually(lambda: Published("goals", b"one") in listener.heard, "it is heard")


async def test_after_an_outage_subscribers_are_told_that_they_may_have_missed_something(
    system: System, raw: Connections, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "stages.stage3")
    node = Node()
    subscriptions = await system.subscriptions(node)
    (one, first), (two, second) = await system.listener(node), await system.listener(node)
    await Subscriptions.subscribe(node, "goals", first)
    await redis.kill()
    await eventually(lambda: not subscriptions.statistics().connected, "the outage is noticed")
    with pytest.raises(StoreUnavailableError, match=r"nothing can be subscribed to: Redis at .* cannot be reached"):
        await Subscriptions.subscribe(node, "goals", second)
    await redis.start()
    await heard(one, Resubscribed("goals"))
    await heard(two, Resubscribed("goals"))
    await raw.call("PUBLISH", "goals", "2-1")
    await heard(one, Resubscribed("goals"), Published("goals", b"2-1"))
    messages = [record.message for record in caplog.records]
    assert len(messages) == 2
    assert messages[0].endswith("trying again until it is back")
    assert messages[1].endswith("is back")


async def test_a_wish_made_while_redis_is_away_is_granted_when_it_is_back_in_time(
    system: System, redis: RedisServer
) -> None:
    await redis.kill()
    node = Node()
    await system.subscriptions(node)
    listener, process = await system.listener(node)
    wish = asyncio.create_task(Subscriptions.subscribe(node, "goals", process), name="wish")
    await redis.start()
    await wish
    assert listener.heard == []


async def test_a_redis_that_hangs_is_noticed(system: System, raw: Connections, redis: RedisServer) -> None:
    node = Node()
    subscriptions = await system.subscriptions(node)
    listener, process = await system.listener(node)
    await Subscriptions.subscribe(node, "goals", process)
    assert redis.pid is not None
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        await eventually(lambda: not subscriptions.statistics().connected, "the silence is noticed")
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    await heard(listener, Resubscribed("goals"))
    await raw.call("PUBLISH", "goals", "2-1")
    await heard(listener, Resubscribed("goals"), Published("goals", b"2-1"))


async def test_in_a_cluster_subscriptions_follow_a_shard_that_is_handed_over() -> None:
    node = Node()
    async with RedisCluster(replicas=1) as cluster:
        system = System(await with_cluster(f"{cluster.masters[1].url}/7"))
        subscriptions = await system.subscriptions(node)
        listener, process = await system.listener(node)
        await Subscriptions.subscribe(node, "goals", process)
        _, passing = await system.listener(node)
        await Subscriptions.subscribe(node, "cards", passing)
        master, replica = cluster.masters[0], cluster.servers[-1]
        assert await master.call("SPUBLISH", "{7}goals", "1-0") == 1
        await heard(listener, Published("goals", b"1-0"))
        passing.kill()
        await eventually(lambda: answers(master, ("PUBSUB", "SHARDCHANNELS"), [b"{7}goals"]), "one is given up")
        assert subscriptions.statistics().connections == 1

        await replica.call("CLUSTER", "FAILOVER")
        await heard(listener, Published("goals", b"1-0"), Resubscribed("goals"))
        assert await replica.call("SPUBLISH", "{7}goals", "2-0") == 1
        await heard(listener, Published("goals", b"1-0"), Resubscribed("goals"), Published("goals", b"2-0"))
        await system.stop()


async def answers(server: ClusterServer, command: tuple[str, ...], expected: object) -> bool:
    return bool(await server.call(*command) == expected)


async def test_killed_subscriptions_leave_no_connection_behind(system: System, raw: Connections) -> None:
    node = Node()
    await system.subscriptions(node)
    _, process = await system.listener(node)
    killed = await Subscriptions.subscribe(node, "goals", process)
    killed.kill()
    await killed.wait()
    await nobody_on(raw, "goals")
    assert {process.kind for process in node.processes()} == {"Listener"}
    with pytest.raises(StoreUnavailableError, match="being restarted"):
        await Subscriptions.subscribe(node, "goals", process)

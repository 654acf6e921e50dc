"""Stage 3 on a real Redis Cluster: sharded pub/sub, one shard a system, and what becomes of it when that shard fails."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from redis.crc import key_slot

from stages.stage3 import keys
from tests.redis_cluster import RedisCluster, clusters_are_here
from tests.stages.stage3.nodes import NodesProcess, Reporter, apis, comments, kicked_off
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.redis_cluster import ClusterServer
    from tests.stages.fan import Fan
    from tests.stages.game import Game

pytestmark = pytest.mark.skipif(not clusters_are_here(), reason="sharded pub/sub needs redis-server 7 or newer")

COUNT = 2
TAG = "{7}"


@pytest.fixture
async def cluster() -> AsyncIterator[RedisCluster]:
    async with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def nodes(cluster: RedisCluster, tmp_path: Path) -> Iterator[NodesProcess]:
    with NodesProcess(tmp_path, "--nodes", str(COUNT), "--redis", f"{cluster.masters[1].url}/7") as nodes:
        yield nodes
    assert "Traceback" not in nodes.log()
    assert "ERROR" not in nodes.log()


@pytest.fixture
async def games(nodes: NodesProcess) -> AsyncIterator[list[Game]]:
    """Return a match that has started, by each node's API."""
    async with apis(*map(nodes.url_of, nodes.numbers)) as clients:
        yield await kicked_off(clients)


async def test_fans_of_all_nodes_hear_everything_over_sharded_channels(
    cluster: RedisCluster, nodes: NodesProcess, games: list[Game]
) -> None:
    owner = await cluster.owner(key_slot(TAG.encode()))
    assert owner is not cluster.masters[1]  # whose URL the nodes have; so it has to be found
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(nodes.fan(number)) for number in nodes.numbers for _ in range(2)]
        for number, fan in enumerate(fans):
            await fan.watch(f"fan-{number}", games[0].id)
        posted = [await games[number % COUNT].foul(f"{number}") for number in range(20)]
        channel = TAG + keys.match_channel(games[0].id)
        assert await owner.call("PUBSUB", "SHARDNUMSUB", channel) == [channel.encode(), COUNT]
        for server in cluster.servers:
            assert await server.call("PUBSUB", "CHANNELS") == []
            shard_channels = await server.call("PUBSUB", "SHARDCHANNELS")
            assert all(name.startswith(TAG.encode()) for name in shard_channels)
            assert bool(shard_channels) is (server is owner)
            assert bool(await server.call("DBSIZE")) is (server is owner)
        await games[1].stop()
        for fan in fans:
            await fan.read_to_end()
            assert fan.told() == comments(posted)
            assert fan.kinds == ["status", *["foul"] * 20, "stop"]

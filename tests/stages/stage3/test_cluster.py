"""Stage 3 on a real Redis Cluster: sharded pub/sub, a shard for a system, and what becomes of it when that fails."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot

from common.http.client import ApiError
from stages.stage3 import keys
from tests.redis_cluster import RedisCluster
from tests.stages.game import Game
from tests.stages.stage3.nodes import NodesProcess, apis, comments, kicked_off
from tests.stages.stage3.test_faults import EVENTS, played, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


COUNT = 2
TAG = "{7}"
SLOT = key_slot(TAG.encode())


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
    owner = await cluster.owner(SLOT)
    assert owner is not cluster.masters[1]  # whose URL the nodes have; so it has to be found
    async with AsyncExitStack() as stack:
        fans = await watching(stack, nodes, nodes.numbers, games[0])
        posted = [await games[number % COUNT].foul(f"{number}") for number in range(EVENTS)]
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
            assert fan.kinds == ["status", *["foul"] * EVENTS, "stop"]


async def test_systems_with_different_database_numbers_know_nothing_of_each_other(
    cluster: RedisCluster, nodes: NodesProcess, games: list[Game], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with NodesProcess(tmp_path / "other", "--nodes", "1", "--redis", cluster.masters[0].url) as other:
        async with apis(other.url) as (client,), nodes.fan(0) as one, other.fan(0) as another:
            assert not await client.matches()
            namesake = Game(client, games[0].new)
            await namesake.announce()
            await namesake.start()
            for fan in (one, another):
                await fan.watch("ana", namesake.id)
            await namesake.foul("of the other system")
            await games[0].foul("of this one")
            for game in (namesake, games[1]):
                await game.stop()
            for fan, told in ((one, "of this one"), (another, "of the other system")):
                await fan.read_to_end()
                assert fan.told() == [told]


@pytest.mark.slow
async def test_the_shard_is_away_for_a_while(cluster: RedisCluster, nodes: NodesProcess, games: list[Game]) -> None:
    owner = await cluster.owner(SLOT)
    async with AsyncExitStack() as stack:
        fans = await watching(stack, nodes, nodes.numbers, games[0])
        async with played(games) as reporter:
            await owner.kill()
            with pytest.raises(ApiError) as refusal:
                await games[0].api.history(games[0].id)
            assert refusal.value.status == 503
            await owner.start()
            await cluster.is_whole()
        for fan in fans:
            await fan.read_to_end()
        await reporter.check(fans)


@pytest.fixture
async def replicated() -> AsyncIterator[RedisCluster]:
    async with RedisCluster(replicas=1) as cluster:
        yield cluster


@pytest.fixture
def nodes_on_replicated(replicated: RedisCluster, tmp_path: Path) -> Iterator[NodesProcess]:
    """Return nodes of a system whose shard has a replica, and who have its master's URL."""
    with NodesProcess(tmp_path, "--nodes", str(COUNT), "--redis", f"{replicated.masters[0].url}/7") as nodes:
        yield nodes
    assert "Traceback" not in nodes.log()
    assert "ERROR" not in nodes.log()


async def takes_over(cluster: RedisCluster) -> None:
    """Return once the replica has become the master of the system's shard."""
    replica = cluster.servers[-1]

    async def is_owner() -> bool:
        return await cluster.owner(SLOT) is replica

    await eventually(is_owner, "the replica has taken over")


@pytest.mark.slow
async def test_a_replica_takes_over_when_the_master_dies(
    replicated: RedisCluster, nodes_on_replicated: NodesProcess
) -> None:
    nodes, master = nodes_on_replicated, replicated.masters[0]
    async with AsyncExitStack() as stack:
        games = await kicked_off(await stack.enter_async_context(apis(*map(nodes.url_of, nodes.numbers))))
        fans = await watching(stack, nodes, nodes.numbers, games[0])
        before = [await games[number % COUNT].foul(f"before {number}") for number in range(EVENTS)]
        await master.is_replicated(TAG)
        await master.kill()
        await takes_over(replicated)
        async with played(games) as reporter:
            pass
        for fan in fans:
            await fan.read_to_end()
        history = await reporter.check(fans)
        assert comments(history)[:EVENTS] == comments(before)


@pytest.mark.slow
async def test_a_master_hands_over_to_its_replica_while_a_match_is_played(
    replicated: RedisCluster, nodes_on_replicated: NodesProcess
) -> None:
    nodes = nodes_on_replicated
    async with AsyncExitStack() as stack:
        games = await kicked_off(await stack.enter_async_context(apis(*map(nodes.url_of, nodes.numbers))))
        fans = await watching(stack, nodes, nodes.numbers, games[0])
        async with played(games) as reporter:
            await replicated.servers[-1].call("CLUSTER", "FAILOVER")
            await takes_over(replicated)
        for fan in fans:
            await fan.read_to_end()
        await reporter.check(fans)

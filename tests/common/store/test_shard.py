"""A shard of a Redis Cluster: read off CLUSTER SLOTS, and followed over real servers that die and hand over."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot

from common.store.cluster import with_cluster
from common.store.endpoint import RedisEndpoint
from common.store.errors import StoreUnavailableError
from common.store.redis_store import RedisStore
from common.store.shard import owner_of, servers
from tests.common.store import records
from tests.common.store.test_redis_store import MATCH, event, play
from tests.loopback import OWN_ADDRESS
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisServer, free_ports
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ASKED = ("asked", 1)
RANGES = [
    [0, 99, [b"10.0.0.1", 7000, b"id-1", []], [b"10.0.0.2", 7001, b"id-2", []]],
    [100, 199, [b"", 7002, b"id-3", []]],
    [200, 299, [b"10.0.0.1", 7000, b"id-1", []], [None, 7003, b"id-4", []]],
]


def test_the_servers_of_a_cluster_are_read_each_once() -> None:
    assert servers(RANGES, ASKED) == [("10.0.0.1", 7000), ("10.0.0.2", 7001), ("asked", 7002), ("asked", 7003)]


@pytest.mark.parametrize(
    ("slot", "owner"),
    [
        (0, ("10.0.0.1", 7000)),
        (99, ("10.0.0.1", 7000)),
        (100, ("asked", 7002)),
        (299, ("10.0.0.1", 7000)),
        (300, None),
    ],
)
def test_the_owner_of_a_slot_is_its_master(slot: int, owner: tuple[str, int] | None) -> None:
    assert owner_of(slot, RANGES, ASKED) == owner


@pytest.mark.parametrize(("url", "tag"), [("/7", "{7}"), ("", "{0}"), ("?db=3", "{3}")])
def test_the_number_of_the_database_is_the_tag(url: str, tag: str) -> None:
    assert RedisEndpoint(f"redis+cluster://localhost:7000{url}", 1.0).tag == tag
    assert RedisEndpoint(f"redis://localhost:7000{url}", 1.0).tag == ""


async def test_a_redis_of_its_own_is_no_cluster(redis: RedisServer) -> None:
    assert await with_cluster(redis.url) == redis.url  # by its socket
    async with RedisServer(tcp=True, password="hunter2") as another:  # noqa: S106  # the tests' own
        assert await with_cluster(f"{another.url}/3") == f"{another.url}/3"


async def test_a_redis_that_cannot_be_asked_is_said() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(StoreUnavailableError, match=r"did not answer within 0\.05 s"):
        await with_cluster(f"redis://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.05)
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        await with_cluster(f"redis://{OWN_ADDRESS}:{free_ports(1)[0]}")
    async with RedisServer(tcp=True, password="hunter2") as redis:  # noqa: S106
        with pytest.raises(StoreUnavailableError, match="refuses this user"):
            await with_cluster(redis.url.replace("hunter2", "wrong"))


async def test_a_cluster_of_which_no_known_server_answers_is_said() -> None:
    async with store_at(f"redis+cluster://{OWN_ADDRESS}:{free_ports(1)[0]}/7") as store:
        for _ in range(2):
            assert "cannot be reached" in await refusal(store)


@pytest.fixture
async def cluster() -> AsyncIterator[RedisCluster]:
    async with RedisCluster(replicas=1) as cluster:
        yield cluster


async def first_shards(cluster: RedisCluster) -> int:
    """Return the number of a database that is kept in the shard of the first master, which has the replica."""
    owners = {number: await cluster.owner(slot(number)) for number in range(20)}
    return next(number for number, owner in owners.items() if owner is cluster.masters[0])


async def test_a_store_in_a_cluster_does_what_any_does_and_follows_its_shard(cluster: RedisCluster) -> None:
    first, replica = cluster.masters[0], cluster.servers[-1]
    number = await first_shards(cluster)
    url = await with_cluster(f"{first.url}/{number}")
    assert url.startswith("redis+cluster://")
    assert await with_cluster(url) == url
    async with store_at(url) as store:
        assert await store.put_team(records.TEAM)
        assert await store.create_match(MATCH)
        await play(store, 1, 3)
        assert await store.visit("ana") == 1
        assert await store.matches() == [records.match(seq=3)]
        assert await store.history(MATCH.id, 1) == [event(2), event(3)]

        await replica.call("CLUSTER", "FAILOVER")
        address = RedisEndpoint(url, 1.0).address
        assert await refusal(store) == f"the cluster of Redis at {address} has moved slot {slot(number)}: try again"
        assert await store.visit("ana") == 2  # by the new master; one that is refused counts nothing

        await first.kill()  # whose URL the store has
        await replica.kill()
        assert "cannot be reached" in await refusal(store)
        await replica.start()
        await eventually(lambda: is_served(store), "the shard is found by what the store knows")
        assert await store.cancel(MATCH.id)


async def test_any_server_of_a_cluster_leads_to_the_shard(cluster: RedisCluster) -> None:
    number = await first_shards(cluster)
    urls = [await with_cluster(f"{server.url}/{number}") for server in cluster.servers]
    for visits, url in enumerate(urls, start=1):
        async with store_at(url) as store:
            assert await store.visit("ana") == visits


async def test_a_slot_that_nobody_serves_is_said(cluster: RedisCluster) -> None:
    number = await first_shards(cluster)
    for server in cluster.servers:
        await server.call("CLUSTER", "DELSLOTS", slot(number))
    async with store_at(await with_cluster(f"{cluster.masters[1].url}/{number}")) as store:
        assert f"no server of the cluster has slot {slot(number)}" in await refusal(store)


def slot(number: int) -> int:
    return key_slot(f"{{{number}}}".encode())


@asynccontextmanager
async def store_at(url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(url)
    yield store
    await store.close()


async def refusal(store: RedisStore) -> str:
    """Return with what a question is refused, once one is."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await store.match(MATCH.id)
            except StoreUnavailableError as error:
                return str(error)


async def is_served(store: RedisStore) -> bool:
    try:
        await store.match(MATCH.id)
    except StoreUnavailableError:
        return False
    return True

"""The pool behind `db`, on virtual time: operations wait for each other, so those that run in turn would never end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from common.otp import SHUTDOWN, ChildSpec, Node, Supervisor
from common.store.errors import StoreUnavailableError
from stages.catalogue import STAGES
from stages.stage0.db import Db
from stages.stage2_1.redis_pool import Connection
from tests.virtual_time import DeadlockError, idle, run_virtual

if TYPE_CHECKING:
    from common.otp import Process
    from common.store.redis_store import RedisStore

CONNECTIONS: Final = 3
PARTS: Final = replace(STAGES["2.1"].parts, redis_connections=CONNECTIONS)


async def start(node: Node) -> Process:
    """Start a supervised `db`; nothing here goes to its Redis."""
    specs = [ChildSpec(Db.NAME, lambda: PARTS.db(PARTS, "unix:///nowhere"))]
    return await node.start(Supervisor(specs))


async def meet(node: Node, barrier: asyncio.Barrier) -> int:
    """Have an operation run that ends when all whom the barrier waits for are under way."""

    async def wait(store: RedisStore) -> int:
        del store
        return await barrier.wait()

    return await PARTS.db.query(node, wait)


def test_there_are_as_many_connections_as_the_stage_has() -> None:
    async def main() -> None:
        node = Node()
        await start(node)
        assert sum(1 for _ in node.servers(Connection)) == CONNECTIONS

    run_virtual(main())


def test_operations_run_side_by_side() -> None:
    async def main() -> None:
        node, barrier = Node(), asyncio.Barrier(CONNECTIONS)
        await start(node)
        for _ in range(3):
            assert sorted(await asyncio.gather(*(meet(node, barrier) for _ in range(CONNECTIONS)))) == [0, 1, 2]

    run_virtual(main())


def test_a_connection_carries_one_operation_at_a_time() -> None:
    async def main() -> None:
        node, barrier = Node(), asyncio.Barrier(CONNECTIONS + 1)
        await start(node)
        await asyncio.gather(*(meet(node, barrier) for _ in range(CONNECTIONS + 1)))

    with pytest.raises(DeadlockError):
        run_virtual(main())


def test_a_connection_that_ends_leaves_nobody_waiting() -> None:
    async def main() -> None:
        node, barrier = Node(), asyncio.Barrier(2 * CONNECTIONS)
        await start(node)
        first = node[Db.NAME]
        asking = [asyncio.ensure_future(meet(node, barrier)) for _ in range(CONNECTIONS + 2)]
        await idle()
        (connection, *_) = node.servers(Connection)
        connection.process.kill()
        for answer in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(answer, StoreUnavailableError)
            assert "restarted" in str(answer)
        await idle()
        assert node[Db.NAME] is not first
        assert sum(1 for _ in node.servers(Connection)) == CONNECTIONS
        await asyncio.gather(*(meet(node, asyncio.Barrier(1)) for _ in range(10)))

    run_virtual(main())


def test_an_operation_that_crashes_is_like_a_connection_that_does() -> None:
    async def crash(store: RedisStore) -> None:
        raise RuntimeError(f"injected: {store}")

    async def main() -> None:
        node, barrier = Node(), asyncio.Barrier(2)
        await start(node)
        waiting = asyncio.ensure_future(meet(node, barrier))
        await idle()
        for asked in (PARTS.db.query(node, crash), waiting):
            with pytest.raises(StoreUnavailableError, match="restarted"):
                await asked

    run_virtual(main())


def test_the_pool_is_closed_with_its_db() -> None:
    async def main() -> None:
        node, barrier = Node(), asyncio.Barrier(CONNECTIONS + 1)
        top = await start(node)
        kept: list[RedisStore] = []

        async def keep(store: RedisStore) -> None:
            kept.append(store)

        await PARTS.db.query(node, keep)
        waiting = [asyncio.ensure_future(meet(node, barrier)) for _ in range(CONNECTIONS)]
        await idle()
        top.exit(SHUTDOWN)
        await top.wait()
        for answer in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(answer, StoreUnavailableError)
        with pytest.raises(StoreUnavailableError, match="closed"):
            await kept[0].ping()
        await idle()
        assert not node.processes()

    run_virtual(main())

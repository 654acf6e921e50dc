"""A `db` that works beside: equal questions of a moment are one, and none is answered with what was true before it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from common.domain.errors import UnknownMatchError
from common.otp import SHUTDOWN, Node
from stages.stage import layered
from stages.stage0 import STAGE
from stages.stage0.db import Db, Read
from stages.stage2_3.reply_later import LaterDb
from tests.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from common.store.redis_store import RedisStore


@dataclass
class World:
    """What a store would say; every look at it takes a second."""

    value: int = 0
    looks: int = 0


@dataclass(frozen=True)
class Look(Read):
    world: World = field(hash=False)
    what: str = "value"

    async def __call__(self, _: RedisStore) -> int:
        seen = self.world.value
        self.world.looks += 1
        await asyncio.sleep(1)
        if self.what != "value":
            raise UnknownMatchError(f"there is no {self.what}")
        return seen


@asynccontextmanager
async def db() -> AsyncIterator[Node]:
    """Have a node on which it runs."""
    node = Node()
    kind = layered(Db, LaterDb)
    process = await node.start(kind(STAGE.parts, "unix:///nowhere"), name=Db.NAME)
    yield node
    process.exit(SHUTDOWN)
    await process.wait()


def increment(world: World) -> Any:
    """Return the operation that changes the world."""

    async def change(_: RedisStore) -> None:
        world.value += 1

    return change


def test_equal_reads_of_a_moment_are_one() -> None:
    async def main() -> None:
        world = World()
        async with db() as node:
            asked = [Db.query(node, Look(world)) for _ in range(100)]
            assert await asyncio.gather(*asked) == [0] * 100
            assert world.looks == 1

    run_virtual(main())


def test_different_reads_are_not() -> None:
    async def main() -> None:
        world = World()
        async with db() as node:
            answers = await asyncio.gather(
                Db.query(node, Look(world)), Db.query(node, Look(world, "team")), return_exceptions=True
            )
            assert answers[0] == 0
            assert str(answers[1]) == "there is no team"
            assert world.looks == 2

    run_virtual(main())


def test_who_asks_while_it_is_read_has_it_read_again() -> None:
    async def main() -> None:
        world = World()
        async with db() as node:
            first = asyncio.create_task(Db.query(node, Look(world)))
            await asyncio.sleep(0.5)
            world.value = 1  # by somebody else, who has told the second
            second = asyncio.create_task(Db.query(node, Look(world)))
            assert await asyncio.gather(first, second) == [0, 1]

    run_virtual(main())


@pytest.mark.parametrize("waits", [True, False])
def test_who_asks_after_a_write_sees_it_whoever_has_asked_before(*, waits: bool) -> None:
    async def main() -> None:
        world = World()
        async with db() as node:
            before = asyncio.create_task(Db.query(node, Look(world)))
            if waits:
                write = asyncio.create_task(Db.query(node, increment(world)))
            else:
                write = asyncio.create_task(cast(node, increment(world)))
            after = asyncio.create_task(Db.query(node, Look(world)))
            await asyncio.gather(before, write, after)
            assert (before.result(), after.result()) == (0, 1)

    run_virtual(main())


async def cast(node: Node, operation: Any) -> None:
    """Have an operation carried out that nobody waits for."""
    node[Db.NAME].cast(operation)


def test_a_failure_is_everybodys_who_asked() -> None:
    async def main() -> None:
        world = World()
        async with db() as node:
            asked = [Db.query(node, Look(world, "match")) for _ in range(10)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert [str(answer) for answer in answers] == ["there is no match"] * 10
            assert world.looks == 1

    run_virtual(main())

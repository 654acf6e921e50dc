"""Visits are counted in batches: none is lost at a clean stop, none counted twice, and not many wait for Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from common.otp import SHUTDOWN
from common.store import keys
from common.store.connections import Connections
from common.store.errors import StoreUnavailableError, UnknownOutcomeError
from common.store.redis_store import RedisStore
from stages.stage0.operations import CountVisit, CountVisits
from stages.stage4.write_behind import WriteBehindFans
from tests.stages.in_process.running import watching
from tests.stages.stage4.inside import fans_of
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.stages.fan import Connect, Fan
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running

Come = Callable[..., AbstractAsyncContextManager[list["Fan"]]]
NAMES = [f"fan-{number}" for number in range(7)]


@pytest.fixture
def come(connect: Connect, game: Game) -> Come:
    """Return what has fans of those names watch a match."""
    return partial(watching, connect, game)


@pytest.fixture
async def raw(running: Running) -> AsyncIterator[Connections]:
    """Return a connection of the test's own."""
    raw = Connections(running.redis_url, 1, 10.0, 10.0)
    yield raw
    await raw.close()


async def counted(raw: Connections) -> dict[str, int]:
    """Return how often each has come."""
    found = [value.decode() for value in await raw.call("HGETALL", keys.VISITS)]
    return dict(zip(found[::2], map(int, found[1::2]), strict=True))


def waiting(running: Running) -> list[str]:
    """Return the visits that are not written."""
    server = fans_of(running)
    assert isinstance(server, WriteBehindFans)
    return server._visits  # noqa: SLF001  # there is no door to it


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing written until the end."""
    monkeypatch.setattr("stages.stage4.write_behind.EVERY_S", 3600.0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.stage4.write_behind.BATCH", 3)
    monkeypatch.setattr("stages.stage4.write_behind.MOST", 5)


async def test_visits_are_written_together(running: Running, come: Come, raw: Connections, asked: list[object]) -> None:
    async with come(*NAMES, NAMES[0]):

        async def are_counted() -> bool:
            return await counted(raw) == dict.fromkeys(NAMES, 1) | {NAMES[0]: 2}

        await eventually(are_counted, "all visits are counted")
    assert not any(isinstance(operation, CountVisit) for operation in asked)
    assert waiting(running) == []


@pytest.mark.usefixtures("never")
async def test_none_is_lost_when_the_server_stops(
    running: Running, come: Come, raw: Connections, monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    monkeypatch.setattr("stages.stage4.write_behind.BATCH", 3)
    async with come(*NAMES):
        assert (waiting(running), await counted(raw)) == (NAMES, {})
        ended = running.node["fans"]
        ended.exit(SHUTDOWN)
        await ended.wait()
    assert await counted(raw) == dict.fromkeys(NAMES, 1)
    batches = [len(operation.user_ids) for operation in asked if isinstance(operation, CountVisits)]
    assert batches == [3, 3, 1]
    await running.replaced("fans", ended)


@pytest.mark.usefixtures("never")
async def test_a_server_stops_though_redis_does_not_take_them(
    running: Running, come: Come, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def be_away(_store: RedisStore, _users: Sequence[str]) -> None:
        raise StoreUnavailableError("injected")

    async with come(*NAMES):
        monkeypatch.setattr(RedisStore, "visit_all", be_away)
        ended = running.node["fans"]
        ended.exit(SHUTDOWN)
        await ended.wait()
        await running.replaced("fans", ended)
    assert f"the last {len(NAMES)} visits are not counted: injected" in caplog.text


@pytest.mark.usefixtures("small")
async def test_while_redis_is_away_a_bounded_number_waits_and_is_written_then(
    running: Running,
    come: Come,
    raw: Connections,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Those that are on their way count, too: they come back."""
    tried: list[int] = []
    all_are_there = asyncio.Event()

    async def be_away(_store: RedisStore, users: Sequence[str]) -> None:
        tried.append(len(users))
        await all_are_there.wait()
        raise StoreUnavailableError("injected")

    monkeypatch.setattr("stages.stage4.write_behind.EVERY_S", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(RedisStore, "visit_all", be_away)
        async with come(NAMES[0]):
            await eventually(lambda: tried == [1], "its visit is on its way")
            async with come(*NAMES[1:]):
                all_are_there.set()
                await eventually(lambda: len(tried) > 3, "it is tried again, in vain")
                assert tried[2] == 3
                await eventually(lambda: waiting(running) == NAMES[:5], "they wait")
            assert "5 visits wait to be counted" in caplog.text

    async def are_counted() -> bool:
        return await counted(raw) == dict.fromkeys(NAMES[:5], 1)

    await eventually(are_counted, "those who waited are counted")


async def test_a_batch_whose_answer_is_lost_is_not_written_again(
    running: Running, come: Come, raw: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit_all = RedisStore.visit_all
    lost: list[str] = []

    async def lose_the_answer(store: RedisStore, users: Sequence[str]) -> None:
        await visit_all(store, users)
        lost.extend(users)
        raise UnknownOutcomeError("injected")

    with monkeypatch.context() as patch:
        patch.setattr(RedisStore, "visit_all", lose_the_answer)
        async with come(*NAMES):
            await eventually(lambda: len(lost) == len(NAMES), "all are written, and no answer comes")
    async with come("last"):

        async def is_counted() -> bool:
            return "last" in await counted(raw)

        await eventually(is_counted, "the last one is counted")
    assert await counted(raw) == dict.fromkeys([*NAMES, "last"], 1)
    assert waiting(running) == []

"""The writer: one at a time, replaced when it dies, and whatever breaks, all is carried out once and in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from common.domain.errors import UnknownMatchError
from common.otp import SHUTDOWN, Node
from common.store.errors import ConflictError, StoreUnavailableError
from stages.stage3 import keys
from stages.stage3.request_queue import RequestQueue
from tests.common.store import records
from tests.common.store.test_redis_store import MATCH, event, play
from tests.stages.stage3.proxy import Fate, Proxy
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from common.otp import Process
    from common.store.connections import Connections
    from common.store.redis_store import RedisStore
    from stages.stage3.db_writer import DbWriter
    from tests.redis_server import RedisServer
    from tests.stages.stage3.system import System


LONG_S = 600.0
"""A lease that no slow machine lets run out."""


async def leads(writer: DbWriter) -> None:
    await eventually(lambda: writer.statistics().is_writer, "it is the writer")


async def end(process: Process) -> None:
    """End a process in order."""
    process.exit(SHUTDOWN)
    await process.wait()


async def test_one_candidate_is_the_writer_and_when_it_is_killed_another_takes_over(
    system: System, raw: Connections
) -> None:
    store = system.store(await system.node())
    one = await system.writer("one", lease_s=LONG_S)
    await leads(one)
    others = [await system.writer(name, lease_s=LONG_S) for name in ("two", "three")]
    assert await store.visit("ana") == 1
    assert [other.statistics().is_writer for other in others] == [False, False]
    epoch = one.statistics().epoch
    one.process.kill()
    assert await raw.call("PEXPIRE", keys.LEASE, 1) == 1  # what is left of it has passed
    visits = [asyncio.create_task(store.visit("ana"), name="visit") for _ in range(3)]
    assert sorted(await asyncio.gather(*visits)) == [2, 3, 4]
    assert sorted(other.statistics().is_writer for other in others) == [False, True]
    candidate, now = sorted(other.statistics().epoch for other in others)
    assert candidate == 0
    assert now > epoch


async def test_a_writer_that_ends_in_order_lets_go_at_once(system: System, raw: Connections) -> None:
    writer = await system.writer("one")
    await leads(writer)
    await end(writer.process)
    assert await raw.call("EXISTS", keys.LEASE) == 0
    assert writer.statistics().replaced == 0


async def test_a_candidate_that_ends_does_not_take_the_lease_along(system: System, raw: Connections) -> None:
    await leads(await system.writer("one", lease_s=LONG_S))
    await end((await system.writer("two", lease_s=LONG_S)).process)
    assert await raw.call("EXISTS", keys.LEASE) == 1


async def test_a_writer_that_was_replaced_cannot_write_and_is_a_candidate_again(
    system: System, raw: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stages.stage3")
    store = system.store(await system.node())
    writer = await system.writer("one", lease_s=LONG_S)
    await leads(writer)
    before = writer.statistics().epoch
    await raw.call_all((("SET", keys.LEASE, "another", "PX", 300), ("INCR", keys.EPOCH)))
    assert await store.visit("ana") == 1  # when the other has not renewed its lease
    statistics = writer.statistics()
    assert (statistics.replaced, statistics.is_writer) == (1, True)
    assert statistics.epoch > before + 1
    assert [record.message for record in caplog.records if record.name.endswith("db_writer")] == [
        f"one is the writer, in epoch {before}",
        f"one is the writer no more, after epoch {before}: another has taken over, or Redis was set back",
        f"one is the writer, in epoch {statistics.epoch}",
    ]


async def test_a_writer_whose_lease_ran_out_goes_on_if_nobody_took_it(system: System, raw: Connections) -> None:
    store = system.store(await system.node())
    writer = await system.writer("one")
    await leads(writer)
    epoch = writer.statistics().epoch
    await raw.call("DEL", keys.LEASE)

    async def renewed() -> bool:
        return bool(await raw.call("EXISTS", keys.LEASE))

    await eventually(renewed, "the lease is there again")
    assert await store.visit("ana") == 1
    assert writer.statistics().epoch == epoch


async def test_requests_are_carried_out_in_the_order_in_which_a_node_made_them(
    system: System, raw: Connections
) -> None:
    store = system.store(await system.node())
    await system.writer()
    await store.create_match(MATCH)
    await asyncio.gather(*(play(store, seq, seq) for seq in range(1, 51)))
    assert await store.history(MATCH.id) == [event(seq) for seq in range(1, 51)]
    assert await raw.call("XLEN", keys.REQUESTS) == 0


async def play_a_match(store: RedisStore) -> None:
    """Make requests of every kind, one after the other and side by side; check each answer, and then what is stored."""
    assert await store.create_match(MATCH)
    assert not await store.create_match(MATCH)
    for seq in range(1, 7):
        await asyncio.gather(play(store, seq, seq), *(store.visit("ana") for _ in range(10)))
    with pytest.raises(ConflictError):
        await play(store, 6, 6)
    with pytest.raises(UnknownMatchError):
        await store.append(records.match("another", seq=1), event(1))
    assert await store.put_team(records.TEAM)
    assert await store.history(MATCH.id) == [event(seq) for seq in range(1, 7)]
    assert await store.visit("ana") == 61


@pytest.mark.parametrize("killed", [False, True], ids=["cut off", "killed"])
@pytest.mark.parametrize("fate", [Fate.LOSE_COMMAND, Fate.LOSE_ANSWER])
@pytest.mark.parametrize("number", range(1, 13))
async def test_whichever_step_the_writer_does_not_survive_all_is_done_once(
    system: System, tmp_path: Path, number: int, fate: Fate, *, killed: bool
) -> None:
    commands = 0

    def decide(_: list[bytes]) -> Fate:
        nonlocal commands
        commands += 1
        if commands != number:
            return Fate.PASS
        if killed:
            first.process.kill()
        return fate

    store = system.store(await system.node())
    async with Proxy(tmp_path, system.url, decide) as proxy:
        first = await system.writer("one", url=proxy.url)
        match = asyncio.create_task(play_a_match(store), name="match")
        if killed:
            await eventually(lambda: commands > 0, "the first is at work")
            await system.writer("two")
        await match
        await eventually(lambda: commands >= number, "that step was taken")
        await end(first.process)


async def test_a_writer_that_hears_nothing_any_more_is_replaced_and_fenced(system: System, tmp_path: Path) -> None:
    store = system.store(await system.node())
    async with Proxy(tmp_path, system.url, lambda _: Fate.PASS) as proxy:
        one = await system.writer("one", url=proxy.url)
        await leads(one)
        two = await system.writer("two")
        assert await store.visit("ana") == 1
        proxy.fall_silent()
        assert await store.visit("ana") == 2
        assert two.statistics().is_writer
        await eventually(lambda: not one.statistics().is_writer, "the first knows that its time is up")
        proxy.resume()
        assert await store.visit("ana") == 3
        await eventually(lambda: one.statistics().replaced == 1, "the first learns that it was replaced")
        assert two.statistics().epoch > one.statistics().epoch
        await end(one.process)


async def test_an_answer_that_is_lost_with_the_connection_is_taken_when_it_is_back(
    system: System, raw: Connections
) -> None:
    store = system.store(await system.node(timeout_s=600))
    visit = asyncio.create_task(store.visit("ana"), name="visit")

    async def is_asked() -> bool:
        return bool(await raw.call("XLEN", keys.REQUESTS))

    await eventually(is_asked, "the request is in the queue")
    (subscriptions,) = (await raw.call("CLIENT", "LIST", "TYPE", "pubsub")).splitlines()
    await raw.call("SET", keys.EPOCH, 1)
    async with Redis(unix_socket_path=system.url.removeprefix("unix://")) as another, another.pubsub() as somebody:
        await somebody.psubscribe("*")  # so that Redis believes that the answer is heard
        await somebody.get_message(timeout=None)
        await raw.call("CLIENT", "KILL", "ID", subscriptions.split()[0].removeprefix(b"id="))
        await RequestQueue(raw).execute(1)
        assert await asyncio.wait_for(visit, DEADLINE_S) == 1


async def test_answers_that_were_taken_are_deleted_along_with_the_next_request(
    system: System, raw: Connections
) -> None:
    store = system.store(await system.node())
    await system.writer()
    for number in range(1, 6):
        assert await store.visit("ana") == number
    (key,) = await raw.call("KEYS", keys.writer_answers_key("*"))
    assert await raw.call("HKEYS", key) == [b"5"]


@pytest.mark.slow
async def test_when_redis_is_killed_and_comes_back_nothing_acknowledged_is_lost_or_done_twice(
    system: System, redis: RedisServer
) -> None:
    nodes = [await system.node("a"), await system.node("b")]
    stores = [system.store(node) for node in nodes]
    writers = [await system.writer("one"), await system.writer("two")]
    await stores[0].create_match(MATCH)
    acknowledged = unknown = seq = 0
    for _ in range(2):
        target = acknowledged + 200
        killing: asyncio.Task[None] | None = None
        while acknowledged < target or killing is None or not killing.done():
            if killing is None and acknowledged >= target - 100:
                killing = asyncio.create_task(kill_and_start(redis), name="kill")
            visits = [stores[number % 2].visit("ana") for number in range(20)]
            outcomes = await asyncio.gather(*visits, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} <= {int, StoreUnavailableError}
            acknowledged += sum(isinstance(outcome, int) for outcome in outcomes)
            unknown += sum(not isinstance(outcome, int) for outcome in outcomes)
            seq = await append_next(stores[0], seq)
        await killing
    assert acknowledged < await stores[0].visit("ana") <= acknowledged + unknown + 1
    assert await stores[0].history(MATCH.id) == [event(number) for number in range(1, seq + 1)]
    assert sum(writer.statistics().is_writer for writer in writers) == 1


async def kill_and_start(redis: RedisServer) -> None:
    await redis.kill()
    await redis.start()


async def append_next(store: RedisStore, seq: int) -> int:
    """Append the event after `seq`, which may have been stored without an answer; return the last number."""
    try:
        await play(store, seq + 1, seq + 1)
    except ConflictError:
        match = await store.match(MATCH.id)
        assert match is not None
        assert match.seq == seq + 1
    except StoreUnavailableError:
        return seq
    return seq + 1


async def test_a_redis_that_hangs_is_waited_for(
    system: System, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = system.store(await system.node())
    writer = await system.writer("one")
    assert await store.visit("ana") == 1
    assert redis.pid is not None
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        visit = asyncio.create_task(store.visit("ana"), name="visit")
        await eventually(lambda: writer.statistics().failures > 1, "the silence is noticed")
        assert not writer.statistics().is_writer
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    await asyncio.gather(visit, return_exceptions=True)  # it may have been given up when the silence was noticed
    assert await store.visit("ana") in {2, 3}
    said = [record.message for record in caplog.records if record.name.endswith("db_writer")]
    assert len(said) == 1
    assert said[0].endswith("trying again until it is back")


async def test_without_redis_it_waits_for_it(system: System, redis: RedisServer) -> None:
    await redis.kill()
    writer = await system.writer("one", node=Node())
    await eventually(lambda: writer.statistics().failures > 1, "it tries")
    await redis.start()
    await leads(writer)

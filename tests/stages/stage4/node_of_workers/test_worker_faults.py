"""A worker, all workers, what forks them or their node is killed: who is not served by that notices nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import psutil
import pytest

from common.store import keys
from common.store.connections import Connections
from stages.stage0.client import STORE_AWAY
from tests.redis_server import RedisServer
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.stage3.nodes import Reporter
from tests.stages.stage4.workers import COUNT, WorkersProcess, api_of, fans_of_each, kill, serving
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from common.http.client import ReporterClient
    from tests.stages.fan import Connect

EVENTS = 10
GOODBYE = "the server is stopping; connect again in a moment"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WorkersProcess]:
    with WorkersProcess(tmp_path, "--grace", "1h", "--without", "drain") as server:
        yield server
    assert "Traceback" not in server.log()
    assert "ERROR" not in server.log()


@pytest.fixture
async def game(api: ReporterClient) -> Game:
    game = await Game.announced(api, "m")
    await game.start()
    return game


def is_running(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_the_fans_of_others_hear_all_when_a_worker_is_killed_under_load(
    server: WorkersProcess, api: ReporterClient, connect: Connect, game: Game
) -> None:
    async with AsyncExitStack() as stack:
        by_worker = await fans_of_each(stack, api, connect, game.id, each=2)
        (killed, *_), before = by_worker, await api.statistics()
        reporter = Reporter([game])
        async with asyncio.TaskGroup() as group:
            group.create_task(reporter.report(), name="reporter")
            await reporter.more(EVENTS)
            kill(killed)
            for fan in by_worker[killed]:
                await fan.read_to_loss()
            await serving(api, without=killed)
            later = [fan for fans in (await fans_of_each(stack, api, connect, game.id)).values() for fan in fans]
            await reporter.more(EVENTS)
            reporter.stop()
        await game.stop()
        others = [fan for pid, fans in by_worker.items() if pid != killed for fan in fans]
        for fan in (*others, *later):
            await fan.read_to_end()
        history = await reporter.check(others)
        stored = [event.details.get("comment") for event in history if event.kind == "foul"]
        for fan in later:
            assert fan.told() == stored[len(stored) - len(fan.told()) :]
            assert len(fan.told()) >= EVENTS
        after = await api.statistics()
        assert sorted(worker.restarts for worker in after.workers) == [0, 1]
        assert after.accepted == before.accepted + len(later)
        assert after.greetings == before.greetings + len(later)
        assert after.deliveries > before.deliveries
        assert after.cpu_s > before.cpu_s
    assert f"(process {killed}) was ended by SIGKILL; starting it again" in server.log()


async def test_who_waits_to_be_accepted_is_served_by_the_next_worker(
    server: WorkersProcess, api: ReporterClient, connect: Connect, game: Game
) -> None:
    before = await serving(api)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    async with connect() as fan:
        for pid in before:
            kill(pid)
        await fan.watch("fan", game.id)
        await game.foul("heard")
        await fan.read_events(1)
        assert fan.told() == ["heard"]
    assert not server.worker_pids & before.keys()


async def test_all_may_be_killed_at_once_more_than_once(api: ReporterClient, connect: Connect, game: Game) -> None:
    for _ in range(3):
        async with AsyncExitStack() as stack:
            by_worker = await fans_of_each(stack, api, connect, game.id)
            for pid in by_worker:
                kill(pid)
            for fan in (fan for fans in by_worker.values() for fan in fans):
                await fan.read_to_loss()
            for pid in by_worker:
                await serving(api, without=pid)
    assert [worker.restarts for worker in (await api.statistics()).workers] == [3] * COUNT


async def test_workers_end_with_what_has_forked_them_and_are_forked_again(
    server: WorkersProcess, api: ReporterClient, connect: Connect, game: Game
) -> None:
    before = await serving(api)
    os.kill(next(iter(before)), signal.SIGSTOP)  # one that hangs, too
    server.zygote.kill()
    for pid in before:
        await serving(api, without=pid)
        assert not (psutil.pid_exists(pid) and is_running(psutil.Process(pid)))
    async with connect() as fan:
        await fan.watch("fan", game.id)


async def test_nothing_is_left_of_a_node_that_is_killed(
    server: WorkersProcess, api: ReporterClient, connect: Connect, game: Game
) -> None:
    async with AsyncExitStack() as stack:
        by_worker = await fans_of_each(stack, api, connect, game.id)
        processes = [server.zygote, *map(psutil.Process, by_worker)]
        os.kill(next(iter(by_worker)), signal.SIGSTOP)  # one that hangs, too
        server.send_signal(signal.SIGKILL)
        server.wait()
        for fan in (fan for fans in by_worker.values() for fan in fans):
            await fan.read_to_loss()
        await eventually(lambda: not any(map(is_running, processes)), "all processes have ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_all_fans_are_told_goodbye_whoever_else_is_told_to_end(
    server: WorkersProcess, api: ReporterClient, connect: Connect, game: Game, number: signal.Signals
) -> None:
    """As a service manager does, or a terminal: all processes of a service are told at once."""
    async with AsyncExitStack() as stack:
        by_worker = await fans_of_each(stack, api, connect, game.id)
        fans = [fan for each in by_worker.values() for fan in each]
        for pid in (*by_worker, server.zygote.pid, server.pid):
            os.kill(pid, number)
        for fan in fans:
            await fan.read_to_end()
            assert fan.goodbyes == [GOODBYE]
        assert await asyncio.to_thread(server.wait) == 0
    assert f"stopping: {len(fans)} fans were told goodbye, of whom 0 did not read and were cut off" in server.log()


async def test_visits_are_counted_up_to_the_last(tmp_path: Path) -> None:
    async with RedisServer() as redis:
        raw = Connections(redis.url, 1, 10.0, 20.0)
        with WorkersProcess(tmp_path, "--redis", redis.url) as server:
            addresses = server.fan_addresses()
            async with api_of(server) as api, AsyncExitStack() as stack:
                game = await Game.announced(api, "m")
                await game.start()
                by_worker = await fans_of_each(stack, api, lambda: Fan(next(addresses)), game.id)
                for number in range(EVENTS):
                    fan = await stack.enter_async_context(Fan(next(addresses)))
                    await fan.watch(f"last-{number}", game.id)
        counts = await raw.call("HVALS", keys.VISITS)
        assert list(map(int, counts)) == [1] * (sum(map(len, by_worker.values())) + EVENTS)
        await raw.close()


async def test_fans_of_a_match_that_is_known_need_no_redis(tmp_path: Path) -> None:
    async with RedisServer() as redis:
        with WorkersProcess(tmp_path, "--redis", redis.url) as server:
            addresses = server.fan_addresses()
            async with api_of(server) as api, AsyncExitStack() as stack:
                game = await Game.announced(api, "m")
                await game.start()
                await fans_of_each(stack, api, lambda: Fan(next(addresses)), game.id, each=2)
                await redis.kill()
                known, unknown = Fan(next(addresses)), Fan(next(addresses))
                async with known, unknown:
                    await known.watch("known", game.id)
                    await unknown.greet("unknown", "other-match-2011-09-10")
                    await unknown.read_to_end()
                    assert unknown.errors == [STORE_AWAY]
                    await redis.start()
                    await game.insist("heard")
                    await known.read_events(1)

"""Workers that share the ports of their node, as a program: they are one server to fans and reporters."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import psutil
import pytest

from stages.traffic import Drop
from tests.stages.game import Game
from tests.stages.metrics import metric
from tests.stages.refusals import refused
from tests.stages.serving import ServerProcess
from tests.stages.stage3.nodes import comments
from tests.stages.stage4.workers import COUNT, WorkersProcess, fans_of_each, nobody_there, serving, workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from common.http.client import ReporterClient
    from tests.stages.fan import Connect

EVENTS = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkersProcess]:
    with WorkersProcess(tmp_path_factory.mktemp("workers")) as server:
        yield server
    assert "Traceback" not in server.log()
    assert "ERROR" not in server.log()


@pytest.fixture
async def game(api: ReporterClient) -> Game:
    await nobody_there(api)
    game = await Game.announced(api, "m")
    await game.start()
    return game


async def test_fans_of_all_workers_hear_every_event_once_and_in_order(
    api: ReporterClient, connect: Connect, game: Game
) -> None:
    async with AsyncExitStack() as stack:
        by_worker = await fans_of_each(stack, api, connect, game.id)
        fans = [fan for each in by_worker.values() for fan in each]
        told = comments([await game.foul(str(number)) for number in range(EVENTS)])
        for fan in fans:
            await fan.read_events(EVENTS)  # before the end of the match, which has them read the history
        await game.stop()
        for fan in fans:
            await fan.read_to_end()
            assert fan.told() == told
            assert fan.kinds == ["status", *["foul"] * EVENTS, "stop"]


async def test_the_node_is_told_as_one_and_each_worker(
    server: WorkersProcess, api: ReporterClient, connect: Connect, game: Game
) -> None:
    async with AsyncExitStack() as stack:
        by_worker = await fans_of_each(stack, api, connect, game.id)
        await game.foul("delivered")
        fans = [fan for each in by_worker.values() for fan in each]
        for fan in fans:
            await fan.read_events(1)
        seen = await api.statistics()
        assert {worker.pid: worker.connections for worker in seen.workers} == {
            pid: len(each) for pid, each in by_worker.items()
        }
        assert seen.connections == seen.handlers == len(fans)
        for count in ("accepted", "greetings", "deliveries"):
            assert getattr(seen, count) == sum(getattr(worker, count) for worker in seen.workers)
        assert sum(seen.response.counts) == seen.greetings
        assert sum(seen.fan_out.counts) == seen.deliveries
        assert [worker.number for worker in seen.workers] == list(range(COUNT))
        assert set(by_worker) == server.worker_pids
        assert all(worker.answers and 0 < worker.pss_bytes < worker.rss_bytes for worker in seen.workers)
        assert seen.cpu_s > sum(worker.cpu_s for worker in seen.workers)
        assert seen.open_files.open > sum(worker.open_files.open for worker in seen.workers)
        kinds = {kind.kind: kind for kind in seen.kinds}
        assert kinds["WorkerProcess"].alive == kinds["Fans"].alive == kinds["Audience"].alive == COUNT
        for number, worker in enumerate(seen.workers):
            label = {"worker": str(number)}
            assert await metric(server.url, "matchstream_worker_connections", **label) == worker.connections
        assert await metric(server.url, "matchstream_connections") == len(fans)


async def test_one_subscription_to_redis_serves_all_workers(api: ReporterClient, connect: Connect, game: Game) -> None:
    async with AsyncExitStack() as stack:
        before = (await api.statistics()).subscriptions
        await fans_of_each(stack, api, connect, game.id)
        after = (await api.statistics()).subscriptions
        assert before is not None
        assert after is not None
        assert (after.connections, after.subscribers) == (1, before.subscribers)


async def test_a_fan_who_says_nonsense_or_wants_what_is_not_there_is_told_so(
    api: ReporterClient, connect: Connect
) -> None:
    await serving(api)
    before = (await api.statistics()).drops
    async with connect() as fan:
        await fan.send(b"GET / HTTP/1.1\r\n\r\n")
        await fan.read_to_end()
        assert fan.errors[0].startswith("expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>")
    async with connect() as fan:
        await fan.greet("fan", "no-such-2011-09-10")
        await fan.read_to_end()
        assert fan.errors == ["there is no match no-such-2011-09-10; see /1/matches"]
    after = (await api.statistics()).drops
    assert {drop: after[drop] - before[drop] for drop in after if after[drop] != before[drop]} == {
        Drop.GREETING: 1,
        Drop.MATCH: 1,
    }


async def test_fans_of_all_workers_hear_that_a_match_is_cancelled_and_may_watch_the_next_of_that_id(
    api: ReporterClient, connect: Connect, game: Game
) -> None:
    for _ in range(2):
        async with AsyncExitStack() as stack:
            by_worker = await fans_of_each(stack, api, connect, game.id)
            await game.foul("of this one")
            await api.cancel_match(game.id)
            for fan in (fan for fans in by_worker.values() for fan in fans):
                await fan.read_to_end()
                assert fan.told() == ["of this one"]
                assert fan.errors == [f"the match {game.id} was cancelled"]
        await game.announce()
        await game.start()


async def test_a_match_that_is_not_live_is_told_and_no_more(api: ReporterClient, connect: Connect) -> None:
    game = await Game.announced(api, "m")
    for kinds in (["status"], ["status", "stop"]):
        async with connect() as fan:
            await fan.watch("fan", game.id)
            if len(kinds) == 1:
                await fan.read_to_end()
            else:
                await game.stop()
                await fan.read_to_end()
            assert fan.kinds == kinds
        if len(kinds) == 1:
            await game.start()


async def test_a_worker_that_hangs_is_told_as_it_was_and_holds_no_answer_up(
    api: ReporterClient, connect: Connect, game: Game
) -> None:
    async with AsyncExitStack() as stack:
        by_worker = await fans_of_each(stack, api, connect, game.id)
        hung, other = by_worker
        os.kill(hung, signal.SIGSTOP)
        try:
            seen = await workers(api)
            assert (seen[hung].answers, seen[other].answers) == (False, True)
            assert seen[hung].connections == len(by_worker[hung])
            await game.foul("heard by the others")
            for fan in by_worker[other]:
                await fan.read_events(1)
        finally:
            os.kill(hung, signal.SIGCONT)
        await serving(api)
        for fan in by_worker[hung]:
            await fan.read_events(1)


async def test_counts_of_all_fans_stay_when_they_leave(api: ReporterClient, connect: Connect, game: Game) -> None:
    async with AsyncExitStack() as stack:
        fans = [fan for each in (await fans_of_each(stack, api, connect, game.id)).values() for fan in each]
        before = await api.statistics()
        assert before.connections == len(fans)
    after = await nobody_there(api)
    assert (after.accepted, after.greetings) == (before.accepted, before.greetings)


def test_a_node_without_workers_serves_fans_itself(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, "--workers", "0") as server:
        assert not [child for child in psutil.Process(server.pid).children() if "stages.zygote" in child.cmdline()]


def test_a_stage_that_has_none_is_told_no_number_of_workers() -> None:
    assert "--workers" in refused("serve", "--stage", "3", "--workers", "2")

"""A node with workers in this process, so that what happens to its own processes can be brought about."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from common.store.embedded import EmbeddedRedis
from stages.catalogue import STAGES
from stages.options import Options
from stages.stage4 import channel, zygote_process
from stages.stage4.worker_process import WorkerProcess, WorkerStartError
from stages.stage4.workers import workers_for
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.in_process.conftest import same_process
from tests.stages.in_process.running import Running
from tests.stages.serving import TOKEN
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from common.otp import Process

__all__ = ["same_process"]


@pytest.fixture
async def redis(monkeypatch: pytest.MonkeyPatch, same_process: None) -> AsyncIterator[EmbeddedRedis]:
    monkeypatch.setenv("MATCHSTREAM_TOKEN", TOKEN)
    async with EmbeddedRedis() as redis:
        yield redis


@pytest.fixture
async def running(redis: EmbeddedRedis) -> AsyncIterator[Running]:
    """Return a node with one worker."""
    stage = STAGES["4"]
    options = Options(host="127.0.0.1", port=0, http_port=0, redis_url=redis.url, workers=1)
    server = stage.parts.system(stage, options)
    addresses = await server.start()
    try:
        yield Running(stage, server.node, addresses, redis.url)
    finally:
        await server.stop()
    assert not server.node.processes()


@pytest.fixture
async def game(running: Running) -> AsyncIterator[Game]:
    async with ReporterClient(f"http://127.0.0.1:{running.addresses.http[0]}", TOKEN) as api:
        game = await Game.announced(api, "m")
        await game.start()
        yield game


def fan_of(running: Running) -> Fan:
    return Fan(("127.0.0.1", running.addresses.fans[0]))


def worker(running: Running) -> tuple[Process, int]:
    """Return the process that has the worker, and the worker's process id."""
    (found,) = running.node.servers(WorkerProcess)
    return found.process, found.pid


def forked(running: Running) -> set[int]:
    return {one.pid for one in running.node.servers(WorkerProcess) if one.process.initialised}


async def another_serves(running: Running, ended: int) -> None:
    """Return when a worker serves that is not that one, which has gone."""

    def another() -> bool:
        there = [one for one in running.node.servers(WorkerProcess) if one.process.initialised]
        return [(one.serves, one.pid != ended) for one in there] == [(True, True)]

    await eventually(another, "another worker serves")
    with pytest.raises(ProcessLookupError):
        os.kill(ended, 0)


@pytest.mark.parametrize("how", ["exit", "kill"])
async def test_a_worker_ends_with_the_process_that_has_it(running: Running, game: Game, how: str) -> None:
    async with fan_of(running) as fan:
        await fan.watch("fan", game.id)
        process, pid = worker(running)
        if how == "kill":
            process.kill()
        else:
            process.exit("crashed")
        await fan.read_to_loss()
        assert fan.goodbyes == []
        await another_serves(running, pid)
    async with fan_of(running) as fan:
        await fan.watch("fan", game.id)


async def test_a_worker_that_does_not_read_what_it_is_told_is_replaced(
    running: Running, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "MOST_UNREAD", 10_000)
    async with fan_of(running) as fan:
        await fan.watch("fan", game.id)
        _, pid = worker(running)
        os.kill(pid, signal.SIGSTOP)

        async def is_replaced() -> bool:
            await game.foul("x" * 280)
            return pid not in forked(running)

        await eventually(is_replaced, "the worker is given up")
        await fan.read_to_loss()
        await another_serves(running, pid)


async def test_fans_hear_all_when_the_match_crashes_in_the_node(running: Running, game: Game) -> None:
    async with fan_of(running) as fan:
        await fan.watch("fan", game.id)
        await game.foul("before")
        match = running.match(game).process
        match.exit("crashed")
        await match.wait()
        await game.insist("after")
        await fan.read_events(2)
        assert fan.told() == ["before", "after"]


async def test_fans_hear_all_when_the_dispatcher_crashes_in_the_node(running: Running, game: Game) -> None:
    async with fan_of(running) as fan:
        await fan.watch("fan", game.id)
        await game.foul("before")
        running.dispatcher(game).kill()
        await game.insist("after")
        await fan.read_events(2)
        assert fan.told() == ["before", "after"]


async def test_a_worker_that_cannot_be_started_keeps_the_node_from_serving(
    redis: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        zygote_process, "zygote_command", lambda *_: [sys.executable, "-c", "raise SystemExit('cannot start')"]
    )
    stage = STAGES["4"]
    options = Options(host="127.0.0.1", port=0, http_port=0, redis_url=redis.url, workers=1)
    server = stage.parts.system(stage, options)
    with pytest.raises(WorkerStartError):
        await server.start()
    assert not server.node.processes()
    assert "cannot start" in capfd.readouterr().err


def test_there_is_a_worker_a_core_or_as_many_as_the_fans_need_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(**changes: int | None) -> int:
        given: dict[str, int | None] = {
            "told": None,
            "expected_fans": 0,
            "nodes": 1,
            "open_files": 1_048_576,
            **changes,
        }
        return workers_for(**given)

    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr("resource.getrlimit", lambda _: (20_000, 20_000))
    assert count() == 3
    assert count(told=7) == 7
    assert count(told=0) == 0
    assert count(expected_fans=1_000) == 3
    assert 1_000_000 / 20_000 < count(expected_fans=1_000_000) < 1_000_000 / 15_000
    assert count(expected_fans=1_000_000, nodes=4) == pytest.approx(count(expected_fans=1_000_000) / 4, abs=1)
    assert count(told=2, expected_fans=1_000_000) == 2

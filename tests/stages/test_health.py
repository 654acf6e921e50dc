"""Health: alive as long as the process answers, ready as long as fans and reporters are served; on every node."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from stages.catalogue import STAGES
from tests.redis_server import RedisServer
from tests.stages.every_stage import turning_points, two_nodes
from tests.stages.serving import ServerProcess
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

ASKERS = 50


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer() as redis:
        yield redis


@pytest.fixture(params=turning_points())
def server(request: pytest.FixtureRequest, redis: RedisServer, tmp_path: Path) -> Iterator[ServerProcess]:
    stage = STAGES[request.param]
    with ServerProcess(stage.name, tmp_path, "--redis", redis.url, *two_nodes(stage)) as server:
        yield server


@asynccontextmanager
async def asking() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(DEADLINE_S)) as session:
        yield session


async def ask(session: aiohttp.ClientSession, server: ServerProcess, path: str) -> list[tuple[int, str]]:
    """Return status and what is said, on every port of the API."""
    found = []
    for port in server.http_ports:
        async with session.get(f"http://{server.host}:{port}{path}") as answer:
            told = await answer.json()
            found.append((answer.status, told.get("error") or told.get("status", "")))
    return found


async def become(session: aiohttp.ClientSession, server: ServerProcess, status: int) -> None:
    async def have() -> bool:
        return {found for found, _ in await ask(session, server, "/readyz")} == {status}

    await eventually(have, f"every node answers {status}")


async def test_ready_as_long_as_redis_answers_and_alive_in_any_case(server: ServerProcess, redis: RedisServer) -> None:
    ports = len(server.http_ports)
    async with asking() as session:
        assert await ask(session, server, "/healthz") == [(200, "alive")] * ports
        assert await ask(session, server, "/readyz") == [(200, "ready")] * ports
        assert await ask(session, server, "/1/checkin") == [(200, "")] * ports
        await redis.kill()
        await become(session, server, 503)
        for path in ("/readyz", "/1/checkin"):
            for status, error in await ask(session, server, path):
                assert (status, error.split(";")[0]) == (503, "Redis does not answer")
                assert "\n" not in error
        assert await ask(session, server, "/healthz") == [(200, "alive")] * ports
        await redis.start()
        await become(session, server, 200)
        assert await ask(session, server, "/1/checkin") == [(200, "")] * ports


async def commands(redis: RedisServer) -> int:
    """Return how many PINGs Redis has carried out."""
    reader, writer = await asyncio.open_unix_connection(redis.url.removeprefix("unix://"))
    writer.write(b"INFO commandstats\r\n")
    told = await reader.read(100_000)
    writer.close()
    (line,) = [line for line in told.decode().splitlines() if line.startswith("cmdstat_ping:")]
    return int(line.partition("calls=")[2].partition(",")[0])


async def test_many_who_ask_while_redis_hangs_leave_nothing_behind_at_it(
    server: ServerProcess, redis: RedisServer
) -> None:
    async with asking() as session:
        await become(session, server, 200)
        before = await commands(redis)
        assert redis.pid is not None
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            await become(session, server, 503)
            asked = [ask(session, server, path) for path in ("/readyz", "/1/checkin") for _ in range(ASKERS)]
            answers = [answer for answers in await asyncio.gather(*asked) for answer in answers]
        finally:
            os.kill(redis.pid, signal.SIGCONT)
        assert {status for status, _ in answers} == {503}
        assert {status for status, _ in await ask(session, server, "/healthz")} == {200}
        await become(session, server, 200)
        asked_of_it = await commands(redis) - before
        assert asked_of_it < len(answers) / 4

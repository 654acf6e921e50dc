"""Stage 0 in this process, so that what happens to its processes can be brought about through its node."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from common.store.embedded import EmbeddedRedis
from stages.stage import Options
from stages.stage0 import STAGE
from stages.stage0.server import Server
from tests.stages.fan import Fan
from tests.stages.in_process.running import Running
from tests.stages.serving import TOKEN
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.stages.fan import Connect

PERMANENT = {"Supervisor", "Db", "UserSup", "MatchSup", "ClientSup", "Listener", "Web"}


@pytest.fixture
def same_open_files() -> Iterator[None]:
    """Undo what a server in this process does to its limit."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
async def running(same_open_files: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """Return a running server; at the end check that only its permanent processes are left, and then none."""
    monkeypatch.setenv("MATCHSTREAM_TOKEN", TOKEN)
    async with EmbeddedRedis() as redis:
        server = Server(STAGE.parts, Options(host="127.0.0.1", port=0, http_port=0, redis_url=redis.url))
        node = server.node
        addresses = await server.start()
        try:
            yield Running(node, addresses, redis.url)
            await eventually(lambda: set(node.statistics().kinds) == PERMANENT, f"only {PERMANENT} are left")
        finally:
            await server.stop()
        assert node.statistics().processes == 0


@pytest.fixture
async def api(running: Running) -> AsyncIterator[ReporterClient]:
    async with ReporterClient(f"http://127.0.0.1:{running.addresses.http[0]}", TOKEN) as client:
        yield client


@pytest.fixture
def connect(running: Running) -> Connect:
    return lambda: Fan(("127.0.0.1", running.addresses.fans[0]))

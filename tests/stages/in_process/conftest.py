"""A stage in this process, so that what happens to its processes can be brought about through its node."""

from __future__ import annotations

import gc
import itertools
import resource
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from common.store.embedded import EmbeddedRedis
from stages.catalogue import STAGES
from stages.stage import Options
from tests.stages.fan import Fan
from tests.stages.in_process.running import Running
from tests.stages.serving import TOKEN
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from common.otp import Node
    from stages.stage import Stage
    from tests.stages.fan import Connect

MECHANICS = ("0", pytest.param("2.2", marks=pytest.mark.slow), "2.5")
"""The baseline; monitors, repeaters and a pool of connection processes; and all else that one process can learn."""


@pytest.fixture(params=MECHANICS)
def stage(request: pytest.FixtureRequest) -> Stage:
    name: str = request.param
    return STAGES[name]


@pytest.fixture
def same_process() -> Iterator[None]:
    """Undo what a server does to the process that it runs in."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    thresholds = gc.get_threshold()
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def kinds(node: Node) -> Counter[str]:
    """Return how many processes of each kind run."""
    return Counter(process.kind for process in node.processes())


@pytest.fixture
async def running(stage: Stage, same_process: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """Return a running server; at the end check that only its permanent processes are left, and then none."""
    monkeypatch.setenv("MATCHSTREAM_TOKEN", TOKEN)
    async with EmbeddedRedis() as redis:
        server = stage.parts.server(stage.parts, Options(host="127.0.0.1", port=0, http_port=0, redis_url=redis.url))
        node = server.node
        addresses = await server.start()
        permanent = kinds(node)
        try:
            yield Running(stage, node, addresses, redis.url)
            await eventually(lambda: kinds(node) == permanent, f"only {permanent} are left")
        finally:
            await server.stop()
        assert not node.processes()


@pytest.fixture
async def api(running: Running) -> AsyncIterator[ReporterClient]:
    async with ReporterClient(f"http://127.0.0.1:{running.addresses.http[0]}", TOKEN) as client:
        yield client


@pytest.fixture
def connect(running: Running) -> Connect:
    """Return what makes a new fan, at the next of the server's ports."""
    first, last = running.addresses.fans
    ports = itertools.cycle(range(first, last + 1))
    return lambda: Fan(("127.0.0.1", next(ports)))

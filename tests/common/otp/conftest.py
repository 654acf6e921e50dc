"""Every test of this package runs on virtual time, and must leave nothing behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from common.otp.gen_server import GenServer
from tests.common.otp.servers import RememberingNode
from tests.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from common.otp.node import Node


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutine tests and fixtures on virtual time."""
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
def node_kind() -> type[Node]:
    """Return what `node` is; a test that ends processes wants to read what they have noted."""
    return RememberingNode


@pytest.fixture
async def node(node_kind: type[Node]) -> AsyncIterator[Node]:
    """Return a node; at the end kill what still runs, and check that nothing is left and nothing went unnoticed."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
    node = node_kind()
    yield node
    processes = [server.process for server in node.servers(GenServer)]
    for process in processes:  # all at once: a supervisor would start its children anew
        process.kill()
    for process in processes:
        await process.wait()
    assert not node.processes()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert unhandled == []


@pytest.fixture(params=[False, True], ids=["task", "hibernating"])
def hibernates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Have every server hibernate, or none: what they do must be the same."""
    hibernates: bool = request.param
    monkeypatch.setattr(GenServer, "hibernates", hibernates)
    return hibernates

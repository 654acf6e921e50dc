"""Every test of this package runs on virtual time, and must leave nothing behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from common.otp.gen_server import GenServer
from common.otp.node import Node
from tests.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutine tests and fixtures on virtual time."""
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """Return a node; at the end kill what still runs, and check that nothing is left and nothing went unnoticed."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
    node = Node()
    yield node
    for server in list(node.servers(GenServer)):
        server.process.kill()
        await server.process.wait()
    assert node.statistics().processes == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert unhandled == []

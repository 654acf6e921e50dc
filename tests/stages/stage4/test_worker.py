"""What runs in a worker, in this process: its node is the other end of a channel."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stages.catalogue import STAGES
from stages.options import Options
from stages.stage0.parts import layered
from stages.stage4.channel import Channel
from stages.stage4.worker import WorkerServer
from stages.stage4.worker_messages import Farewell, Look, Ready, StopServing
from tests.stages.in_process.conftest import same_process
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["same_process"]


class Worker:
    """A worker, and what it says to its node."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.node: Channel

    async def begin(self) -> None:
        """Open the channel; the worker has not begun yet."""
        ours, self._theirs = socket.socketpair()
        self.node = await Channel.over(ours, lambda _, message: self.said.append(message), lambda: None)

    async def run(self) -> int:
        """Be the worker; return its exit status."""
        parts = replace(STAGES["4"].parts, server=layered(STAGES["4"].parts.server, WorkerServer))
        server = parts.server(parts, Options(host="127.0.0.1", port=0, http_port=0, redis_url="redis://none"))
        assert isinstance(server, WorkerServer)
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        status = await server.serve(self._theirs, [listening])
        await asyncio.sleep(0)  # for what it has said last to arrive
        if not any(isinstance(said, Farewell) for said in self.said):
            await server.stop()  # a process would just end
        return status


@pytest.fixture
async def worker(same_process: None) -> AsyncIterator[Worker]:
    worker = Worker()
    await worker.begin()
    yield worker
    worker.node.abort()
    await asyncio.sleep(0)


async def test_it_is_ready_answers_and_says_last_how_many_were_told_goodbye(worker: Worker) -> None:
    running = asyncio.create_task(worker.run(), name="worker")
    await eventually(lambda: bool(worker.said), "the worker is ready")
    assert isinstance(worker.said[0], Ready)
    seen = await worker.node.ask(Look())
    assert (seen.statistics.connections, seen.behind, seen.statistics.workers) == (0, 0, ())
    worker.node.tell(StopServing())
    assert await asyncio.wait_for(running, DEADLINE_S) == 0
    assert worker.said[1:] == [Farewell(0, 0)]


async def test_told_to_stop_before_it_serves_it_ends_in_order(worker: Worker) -> None:
    worker.node.tell(StopServing())
    assert await asyncio.wait_for(worker.run(), DEADLINE_S) == 0


async def test_it_ends_with_its_node(worker: Worker) -> None:
    running = asyncio.create_task(worker.run(), name="worker")
    await eventually(lambda: bool(worker.said), "the worker is ready")
    worker.node.close()
    assert await asyncio.wait_for(running, DEADLINE_S) == 3

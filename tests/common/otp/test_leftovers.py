"""What is left of processes that have ended: nothing, or no more than the garbage collector finds."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import TYPE_CHECKING

import pytest

from common.otp.gen_event import AddHandler, GenEvent
from common.otp.node import Node
from common.otp.process import NO_REPLY
from common.otp.signals import SHUTDOWN, CallError, CallTimeoutError, Stop
from common.otp.supervisor import ChildSpec, Restart, SimpleOneForOne, StartChild, Supervisor
from tests.common.otp.servers import Probe, Trapping, crash, forever, raising
from tests.virtual_time import idle

if TYPE_CHECKING:
    from collections.abc import Callable

    from common.otp.process import Process, ReplyTo

CYCLES = 200

ENDS: dict[str, Callable[[Process], None]] = {
    "exit": lambda process: process.exit(SHUTDOWN),
    "kill": lambda process: process.kill(),
    "stop": lambda process: process.cast(raising(Stop())),
    "crash": lambda process: process.cast(crash),
}


def held(process: Process) -> list[int]:
    """Return how much a process holds of others: pending calls, links, monitors at it and by it, messages."""
    parts = (process._callers, process._links, process._monitors, process._watching, process._mailbox)  # noqa: SLF001  # what must be empty is not for the public
    return [len(part) for part in parts]


class Silent(Probe):
    """Answers no call."""

    def handle_call(self, request: object, reply_to: ReplyTo) -> object:
        del request, reply_to
        return NO_REPLY


class Deaf:
    """A handler that does nothing."""

    def handle_event(self, event: object) -> None:
        del event


@pytest.mark.parametrize("end", ENDS)
async def test_many_short_lives_leave_nothing_with_those_that_live_on(node: Node, end: str) -> None:
    """A target of monitors, a watcher, a linked one, a manager and a supervisor see many processes come and go."""
    target, watcher, linked = await node.start(Probe()), await node.start(Probe()), await node.start(Trapping())
    manager, supervisor = await node.start(GenEvent()), await node.start(SimpleOneForOne(Silent))
    for number in range(CYCLES):
        process: Process = await supervisor.call(StartChild((), f"child-{number}"))
        process.monitor(target)
        watcher.monitor(process)
        linked.link(process)
        await manager.call(AddHandler(number, Deaf(), process))
        pending = asyncio.create_task(process.call("x"))
        await idle()
        ENDS[end](process)
        await asyncio.wait([pending])
        assert isinstance(pending.exception(), CallError)
        await idle()
        assert held(process) == [0, 0, 0, 0, 0]
    for survivor in (target, watcher, linked, manager):
        assert held(survivor) == [0, 0, 0, 0, 0]
    assert held(supervisor) == [0, 0, 0, 0, 0]
    assert node.statistics().processes == 5
    assert isinstance(manager.server, GenEvent)
    assert manager.server.handlers == 0


async def test_calls_that_time_out_leave_nothing(node: Node) -> None:
    process = await node.start(Probe())
    process.cast(forever)
    for _ in range(CYCLES):
        with pytest.raises(CallTimeoutError):
            await process.call("x", timeout_s=0.1)
    assert held(process)[0] == 0


@pytest.mark.parametrize("end", ENDS)
async def test_an_ended_process_can_be_collected(node: Node, end: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(
        logging.CRITICAL, "common.otp"
    )  # pytest keeps what is logged, and the log of a crash has its frames
    supervisor = await node.start(Supervisor([ChildSpec("a", Probe, Restart.TEMPORARY)]))
    server = weakref.ref(node["a"].server)
    ENDS[end](node["a"])
    await idle()
    gc.collect()
    assert server() is None
    assert held(supervisor) == [0, 0, 0, 0, 0]


async def test_a_whole_tree_that_ended_leaves_no_process_task_or_cycle_of_tasks() -> None:
    node = Node()
    specs = [ChildSpec(f"many-{number}", lambda: SimpleOneForOne(Probe)) for number in range(3)]
    tree = await node.start(Supervisor([ChildSpec("top", lambda: Supervisor(specs)), ChildSpec("last", Probe)]))
    for number in range(300):
        await node[f"many-{number % 3}"].call(StartChild((), f"user-{number}"))
    assert node.statistics().processes == 306
    refs = [weakref.ref(server) for server in node.servers(Probe)]
    tree.exit(SHUTDOWN)
    await tree.wait()
    assert node.statistics().processes == 0
    assert node.statistics().kinds == {}
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    assert [ref for ref in refs if ref() is not None] == []

"""What is left of processes that have ended: nothing, or no more than the garbage collector finds."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import TYPE_CHECKING

import pytest

from common.otp.gen_event import AddHandler, GenEvent
from common.otp.gen_fsm import GenFsm
from common.otp.node import Node
from common.otp.signals import NO_REPLY, NORMAL, SHUTDOWN, CallError, Stop
from common.otp.supervisor import ChildSpec, Restart, SimpleOneForOne, StartChild, Supervisor
from tests.common.otp.servers import Probe, Trapping, crash, forever
from tests.virtual_time import idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from common.otp.gen_server import GenServer
    from common.otp.process import Process, ReplyTo
    from common.otp.signals import Reason

pytestmark = pytest.mark.usefixtures("hibernates")

CYCLES = 200

ENDS: dict[str, Callable[[Process], None]] = {
    "exit": lambda process: process.exit(SHUTDOWN),
    "kill": lambda process: process.kill(),
    "stop": lambda process: process.cast(stop),
    "crash": lambda process: process.cast(crash),
}


@pytest.fixture
def node_kind() -> type[Node]:
    """Return one that does not remember the ended."""
    return Node


def held(process: Process) -> list[int]:
    """Return how much a process holds of others: pending calls, links, monitors at it and by it, messages."""
    parts = (process._callers, process._links, process._monitors, process._watching)  # noqa: SLF001  # what must be empty is not for the public
    return [*(len(part) for part in parts), process.queued]


class Silent(Probe):
    """Answers no call."""

    def handle_call(self, request: object, reply_to: ReplyTo) -> object:
        del request, reply_to
        return NO_REPLY


def stop(*_: object) -> None:
    raise Stop


class Forgetful(Probe):
    """Does not note the reason of its end, in which the frames of its crash are, and in those itself."""

    def terminate(self, reason: Reason) -> None:
        del reason


class Waiting(Probe):
    """Waits in each callback."""

    async def init(self) -> None:
        await asyncio.sleep(0)

    async def handle_call(self, request: object, reply_to: ReplyTo) -> object:
        await asyncio.sleep(0)
        return request

    async def handle_cast(self, message: Callable[[object], None]) -> None:
        await asyncio.sleep(0)
        message(self)

    async def handle_info(self, message: object) -> None:
        await asyncio.sleep(0)

    async def terminate(self, reason: Reason) -> None:
        await asyncio.sleep(0)


class Machine(GenFsm):
    """A state machine whose timer runs."""

    def init(self) -> None:
        self.next_state(self.state, 60.0)

    def handle_call(self, request: object, reply_to: ReplyTo) -> object:
        return request

    def state(self, message: object) -> None:
        if callable(message):
            message(self)


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
    assert len(node.processes()) == 5
    assert isinstance(manager.server, GenEvent)
    assert manager.server.handlers == 0


async def test_calls_that_are_given_up_leave_nothing(node: Node) -> None:
    process = await node.start(Probe())
    process.cast(forever)
    for _ in range(CYCLES):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.call("x"), 0.1)
    assert held(process)[0] == 0


@pytest.fixture
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collector")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", [Forgetful, Waiting, Machine])
async def test_an_ended_process_is_freed_without_the_garbage_collector(
    node: Node, end: str, kind: type[GenServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(
        logging.CRITICAL, "common.otp"
    )  # pytest keeps what is logged, and the log of a crash has its frames
    supervisor = await node.start(Supervisor([ChildSpec("a", kind, Restart.TEMPORARY)]))
    server, process = weakref.ref(node["a"].server), node["a"]
    assert await process.call("x") in ("x", ("answer", "x"))
    process.send("y")
    await idle()
    ENDS[end](process)
    await idle()
    assert not process.alive
    assert server() is None
    assert held(supervisor) == [0, 0, 0, 0, 0]


@pytest.mark.usefixtures("no_garbage_collector")
async def test_a_call_that_fails_leaves_nothing_to_the_garbage_collector(node: Node) -> None:
    process = await node.start(Forgetful())
    try:
        await process.call(stop)
    except CallError as error:  # `pytest.raises` would keep it
        reason = error.reason
    await idle()
    assert reason == NORMAL
    assert gc.collect() == 0


async def test_a_whole_tree_that_ended_leaves_no_process_task_or_cycle_of_tasks(node: Node) -> None:
    specs = [ChildSpec(f"many-{number}", lambda: SimpleOneForOne(Probe)) for number in range(3)]
    tree = await node.start(Supervisor([ChildSpec("top", lambda: Supervisor(specs)), ChildSpec("last", Probe)]))
    for number in range(300):
        await node[f"many-{number % 3}"].call(StartChild((), f"user-{number}"))
    assert len(node.processes()) == 306
    refs = [weakref.ref(server) for server in node.servers(Probe)]
    tree.exit(SHUTDOWN)
    await tree.wait()
    assert not node.processes()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    assert [ref for ref in refs if ref() is not None] == []

"""What is only true of a process that hibernates: what it does without, and that it may be ended all the same.

That it does what any process does, the other modules test: they run with both kinds.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from common.otp.gen_server import DONE
from common.otp.node import AlreadyStartedError, Node
from common.otp.process import Down, Exit
from common.otp.signals import NO_PROCESS, NORMAL, SHUTDOWN, CallError, Stop
from tests.common.otp.servers import Boom, Probe, Sleepy, SleepyTrapping, crash, forever, probe_of
from tests.virtual_time import idle, now_s, run_virtual

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from common.otp.process import Process
    from common.otp.signals import Reason

MANY = 500


class SlowToEnd(Sleepy):
    """Takes a second for `terminate`."""

    async def terminate(self, reason: Reason) -> None:
        await asyncio.sleep(1.0)
        super().terminate(reason)


class WithoutWaiting(Sleepy):
    """Returns what a subclass may await."""

    def init(self) -> Awaitable[None]:
        return DONE

    def handle_cast(self, message: object) -> Awaitable[None]:
        return DONE

    def terminate(self, reason: Reason) -> Awaitable[None]:
        return DONE


def names() -> list[str]:
    """Return the names of all tasks but the test's own."""
    return sorted(task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()})


def parts(process: Process) -> tuple[object, object]:
    """Return the mailbox and the task of a process."""
    return process._mailbox, process._task  # type: ignore[attr-defined]  # noqa: SLF001  # what must be None is not for the public


async def test_an_idle_process_has_no_task_and_no_mailbox(node: Node) -> None:
    processes = [await node.start(Sleepy()) for _ in range(MANY)]
    for process in processes:
        process.cast("a")
        process.send("b")
        assert process.queued == 2
    await idle()
    assert all(probe_of(process).seen == ["a", "b"] for process in processes)
    assert {parts(process) for process in processes} == {(None, None)}
    assert names() == ["node"], "one for all of them, in whose place it is cancelled"


async def test_a_start_with_a_plain_init_does_not_suspend(node: Node) -> None:
    start = node.start(Sleepy(), name="at-once")
    with pytest.raises(StopIteration) as stop:
        start.send(None)
    assert stop.value.value is node["at-once"]


async def test_plain_callbacks_need_no_task(node: Node) -> None:
    process, linked = await node.start(Sleepy()), await node.start(SleepyTrapping())
    await idle()
    made: list[object] = []

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop: Any = asyncio.get_running_loop()
    loop.set_task_factory(make)
    linked.link(process)
    process.cast("a")
    process.send("b")
    assert await process.call("c") == ("answer", "c")
    another, third = await node.start(Sleepy(), parent=process), await node.start(WithoutWaiting())
    third.cast("a")
    process.cast(crash)
    await idle()
    third.exit(SHUTDOWN)
    await idle()
    loop.set_task_factory(None)
    assert not third.alive
    assert isinstance(probe_of(linked).seen[0], Exit)
    assert len(probe_of(process).ended) == len(probe_of(another).ended) == 1
    assert made == []


async def test_a_callback_that_waits_has_a_task_of_the_name_of_the_process(node: Node) -> None:
    process = await node.start(Sleepy(), name="waiting")

    async def wait(server: Probe) -> None:
        await asyncio.sleep(1.0)
        server.seen.append("waited")

    process.cast(wait)
    process.cast("next")
    await idle()
    assert names() == ["node", "waiting"]
    assert process.queued == 1
    await asyncio.sleep(1.0)
    assert probe_of(process).seen == ["waited", "next"]
    assert names() == ["node"]
    assert parts(process) == (None, None)


async def test_the_task_of_the_node_goes_with_the_last_process(node: Node) -> None:
    for _ in range(2):
        process = await node.start(Sleepy())
        await idle()
        assert names() == ["node"]
        process.exit(SHUTDOWN)
        await process.wait()
        assert names() == []


async def test_an_idle_process_takes_less_than_half_of_what_one_with_a_task_takes(node: Node) -> None:
    async def size(kind: type[Probe]) -> float:
        servers = [kind() for _ in range(MANY)]
        tracemalloc.start()
        for server in servers:
            (await node.start(server)).cast("a")
        await idle()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return taken / MANY

    assert await size(Sleepy) < 0.5 * await size(Probe)


@pytest.mark.parametrize("by", ["exit", "kill"])
@pytest.mark.parametrize("asleep", [True, False])
async def test_one_without_a_task_can_be_ended(node: Node, by: str, asleep: bool) -> None:
    """Asleep, or with a message and waiting for its turn: the signal overtakes the message."""
    process = await node.start(Sleepy())
    if not asleep:
        process.cast("a message")
    if by == "kill":
        process.kill()
    else:
        process.exit("why")
    assert process.alive
    await process.wait()
    assert probe_of(process).seen == []
    assert probe_of(process).ended == ([] if by == "kill" else ["why"])


async def test_a_message_that_comes_during_a_turn_is_handled(node: Node) -> None:
    process = await node.start(Sleepy())
    process.cast(lambda server: server.process.cast("by myself"))
    await idle()
    assert probe_of(process).seen == ["by myself"]


async def test_a_plain_init_that_fails_is_what_the_starter_gets(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    class Refusing(Sleepy):
        def init(self) -> None:
            raise Boom

    parent = await node.start(SleepyTrapping())
    with pytest.raises(Boom):
        await node.start(Refusing(), name="refusing", parent=parent)
    assert node.whereis("refusing") is None
    await idle()
    (exit_,) = probe_of(parent).seen
    assert isinstance(exit_.reason, Boom)
    assert caplog.records == []  # the starter has the error, and may think nothing of it


async def test_a_plain_init_may_stop_or_signal_its_own_exit(node: Node) -> None:
    class Stopping(Sleepy):
        def init(self) -> None:
            raise Stop("no")

    class Leaving(Sleepy):
        def init(self) -> None:
            self.process.exit("enough")

    with pytest.raises(CallError) as caught:
        await node.start(Stopping())
    assert caught.value.reason == "no"
    process = await node.start(Leaving())
    await process.wait()
    assert probe_of(process).ended == ["enough"]


async def test_messages_of_a_plain_init_to_itself_are_handled(node: Node) -> None:
    class Reminding(Sleepy):
        def init(self) -> None:
            self.process.cast("go on")

    process = await node.start(Reminding())
    await idle()
    assert probe_of(process).seen == ["go on"]


async def test_a_name_that_is_taken_is_refused(node: Node) -> None:
    await node.start(Sleepy(), name="db")
    with pytest.raises(AlreadyStartedError):
        await node.start(Sleepy(), name="db")


async def test_a_child_of_the_dead_does_not_start(node: Node) -> None:
    parent = await node.start(Sleepy())
    parent.kill()
    await parent.wait()
    with pytest.raises(CallError) as caught:
        await node.start(Sleepy(), parent=parent)
    assert caught.value.reason == NO_PROCESS


@pytest.mark.parametrize("by", ["exit", "outside"])
async def test_a_task_that_is_cancelled_before_its_first_step_ends_its_process(node: Node, by: str) -> None:
    process, watcher = await node.start(Sleepy(), name="target"), await node.start(Sleepy())
    monitor = watcher.monitor(process)

    def cancel() -> None:
        (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "target")
        if by == "outside":
            task.cancel()
        else:
            process.exit(SHUTDOWN)

    process.cast(forever)
    asyncio.get_running_loop().call_soon(cancel)  # after the turn that has made the task, before that task's own
    await process.wait()
    await idle()
    assert probe_of(process).ended == [SHUTDOWN]
    assert probe_of(watcher).seen == [Down(monitor, SHUTDOWN)]


async def test_an_exit_signal_to_itself_cancels_what_a_callback_would_wait_for(node: Node) -> None:
    process = await node.start(Sleepy())

    def leave(server: Probe) -> Coroutine[Any, Any, None]:
        server.process.exit("enough")
        return forever()

    process.cast(leave)
    await process.wait()
    assert probe_of(process).ended == ["enough"]


async def test_anything_that_can_be_awaited_will_do(node: Node) -> None:
    process = await node.start(Sleepy())
    ready = asyncio.get_running_loop().create_future()
    process.cast(lambda _: ready)
    process.cast("next")
    await idle()
    assert probe_of(process).seen == []
    ready.set_result(None)
    await idle()
    assert probe_of(process).seen == ["next"]


def test_the_end_of_the_loop_terminates_those_that_sleep_and_those_that_wait() -> None:
    servers = [Sleepy(), SleepyTrapping(), SlowToEnd(), SlowToEnd()]
    processes: list[Process] = []

    async def wait_and_tidy_up(server: Probe) -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(1.0)
            server.seen.append("tidy")

    async def main() -> None:
        node = Node()
        processes.extend([await node.start(server) for server in servers])
        processes[-1].cast(wait_and_tidy_up)
        await idle()

    run_virtual(main())
    assert servers[-1].seen == ["tidy"], "it was cancelled once"
    assert [server.ended for server in servers] == [[SHUTDOWN]] * 4
    assert not any(process.alive for process in processes)


@pytest.mark.parametrize("others", [False, True])
async def test_the_node_guards_those_that_start_after_all_others_were_gone(node: Node, others: bool) -> None:
    if others:
        await node.start(Probe())  # has a task
    for _ in range(2):
        server = SlowToEnd()
        process = await node.start(server)
        await idle()
        (guard,) = (task for task in asyncio.all_tasks() if task.get_name() == "node")
        guard.cancel()
        await asyncio.wait([guard])
        assert guard.cancelled()
        assert not process.alive
        assert server.ended == [SHUTDOWN]
    assert now_s() == 2.0


async def test_a_crash_in_a_plain_terminate_is_the_reason(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    class Careless(Sleepy):
        def terminate(self, reason: Reason) -> None:
            raise Boom

    process, watcher = await node.start(Careless()), await node.start(Sleepy())
    watcher.monitor(process)
    process.exit(NORMAL)
    await idle()
    (down,) = probe_of(watcher).seen
    assert isinstance(down.reason, Boom)
    assert [record.message for record in caplog.records] == ["Careless crashed in terminate"]


async def test_an_exit_signal_in_the_moment_in_which_a_callback_is_done_leaves_it_its_answer(node: Node) -> None:
    process = await node.start(Sleepy())

    async def answer(*_: object) -> str:
        asyncio.get_running_loop().call_soon(process.exit, "why")  # before anybody is told that the task is done
        return "answer"

    assert await process.call(answer) == "answer"
    await process.wait()
    assert probe_of(process).ended == ["why"]

"""How a process ends: by whom, when, with what reason, and what is still done."""

import asyncio
import contextlib

import pytest

from common.otp.node import Node
from common.otp.process import Down, Exit, Process
from common.otp.signals import KILLED, NO_PROCESS, NORMAL, SHUTDOWN, CallError, Reason, Stop
from tests.common.otp.servers import Boom, Probe, Stubborn, Trapping, crash, forever, probe_of, raising, tasks_of
from tests.virtual_time import idle, now_s

pytestmark = pytest.mark.usefixtures("hibernates")


class SlowToStart(Probe):
    """Takes a minute for `init`, and a second to leave it."""

    def __init__(self) -> None:
        super().__init__()
        self.left_init = False

    async def init(self) -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(1.0)
            self.left_init = True


class TrappingSlowToStart(SlowToStart):
    trap_exit = True


class Refusing(Probe):
    """Does not start."""

    async def init(self) -> None:
        raise Boom


async def starting(node: Node, server: Probe, name: str = "starting") -> asyncio.Task[Process]:
    task = asyncio.create_task(node.start(server, name=name), name="starter")
    await idle()
    return task


async def test_terminate_runs_once_with_the_reason(node: Node) -> None:
    for reason in (NORMAL, SHUTDOWN, "why"):
        process = await node.start(Probe())
        process.cast(raising(Stop(reason)))
        await process.wait()
        assert probe_of(process).ended == [reason]
        assert not process.alive


async def test_an_order_from_outside_ends_any_process(node: Node) -> None:
    for server in (Probe(), Trapping()):
        process = await node.start(server)
        process.exit(NORMAL)
        await process.wait()
        assert server.ended == [NORMAL]


async def test_the_end_of_the_parent_ends_even_a_trapping_child(node: Node) -> None:
    for reason in (NORMAL, "why"):
        parent = await node.start(Probe())
        child = await node.start(Trapping(), parent=parent)
        parent.cast(raising(Stop(reason)))
        await child.wait()
        assert probe_of(child).ended == [reason]
        assert probe_of(child).seen == []


async def test_a_trapping_process_first_handles_what_is_in_its_mailbox(node: Node) -> None:
    process = await node.start(Trapping())
    process.cast("before")
    process.exit(SHUTDOWN)
    process.cast("after")
    await process.wait()
    assert probe_of(process).seen == ["before"]
    assert probe_of(process).ended == [SHUTDOWN]


async def test_an_exit_interrupts_a_callback_of_a_process_that_does_not_trap(node: Node) -> None:
    process = await node.start(Probe())
    process.cast(forever)
    await idle()
    process.exit(SHUTDOWN)
    process.exit("too late")
    await process.wait()
    assert probe_of(process).ended == [SHUTDOWN]


async def test_an_exit_before_the_first_step_ends_it_without_init_or_terminate(node: Node) -> None:
    server = SlowToStart()
    start = asyncio.create_task(node.start(server, name="early"))
    asyncio.get_running_loop().call_soon(lambda: node["early"].exit(SHUTDOWN))
    with pytest.raises(CallError, match="early ended") as caught:
        await start
    assert caught.value.reason == SHUTDOWN
    assert not server.left_init
    assert server.ended == []
    assert now_s() == 0.0


async def test_a_child_of_a_dead_parent_does_not_start(node: Node) -> None:
    parent = await node.start(Probe())
    parent.kill()
    await parent.wait()
    with pytest.raises(CallError) as caught:
        await node.start(Probe(), parent=parent)
    assert caught.value.reason == NO_PROCESS


@pytest.mark.parametrize("by", ["exit", "kill"])
async def test_an_exit_during_init_fails_the_start(node: Node, by: str) -> None:
    server = SlowToStart()
    start = await starting(node, server)
    if by == "kill":
        node["starting"].kill()
    else:
        node["starting"].exit("why")
    with pytest.raises(CallError) as caught:
        await start
    assert caught.value.reason == (KILLED if by == "kill" else "why")
    assert server.left_init
    assert server.ended == []


@pytest.mark.parametrize("kind", [SlowToStart, TrappingSlowToStart])
async def test_a_start_that_is_cancelled_leaves_no_process(node: Node, kind: type[SlowToStart]) -> None:
    server, parent = kind(), await node.start(Probe())
    start = asyncio.create_task(node.start(server, parent=parent))
    await idle()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert now_s() == 1.0
    assert server.left_init
    assert len(node.processes()) == 1
    assert await parent.call("unharmed?") == ("answer", "unharmed?")


async def test_a_start_that_is_cancelled_when_it_is_done_terminates_the_process(node: Node) -> None:
    server = Probe()
    start = asyncio.create_task(node.start(server, name="done"))

    async def init() -> None:
        asyncio.get_running_loop().call_soon(start.cancel)

    server.init = init  # type: ignore[method-assign]  # this one server's own
    with pytest.raises(asyncio.CancelledError):
        await start
    assert server.ended == [SHUTDOWN]
    assert node.whereis("done") is None


async def test_a_failing_init_is_what_the_starter_gets(node: Node) -> None:
    server = Refusing()
    with pytest.raises(Boom):
        await node.start(server, name="refusing")
    assert server.ended == []
    assert node.whereis("refusing") is None


async def test_a_failing_init_ends_the_parent_that_does_not_trap(node: Node) -> None:
    plain, trapping = await node.start(Probe()), await node.start(Trapping())
    for parent in (plain, trapping):
        with pytest.raises(Boom):
            await node.start(Refusing(), parent=parent)
    await plain.wait()
    await idle()
    (exit_,) = probe_of(trapping).seen
    assert isinstance(exit_, Exit)
    assert isinstance(exit_.reason, Boom)


async def test_kill_skips_terminate_and_interrupts_anything(node: Node) -> None:
    for server in (Probe(), Trapping()):
        process = await node.start(server)
        process.cast(forever)
        await idle()
        process.kill()
        await process.wait()
        assert server.ended == []


async def test_kill_interrupts_a_terminate(node: Node) -> None:
    process, watcher = await node.start(Stubborn(60.0)), await node.start(Probe())
    monitor, tasks = watcher.monitor(process), tasks_of(process)
    process.exit(SHUTDOWN)
    await idle()
    process.kill()
    await idle()
    assert not any(task.cancelled() for task in tasks)
    assert probe_of(process).ended == []
    assert probe_of(watcher).seen == [Down(monitor, KILLED)]


async def test_a_kill_is_a_kill_whatever_is_raised_after_it(node: Node) -> None:
    def kill_and_crash(server: Probe) -> None:
        server.process.kill()
        raise Boom

    class Protesting(Probe):
        async def terminate(self, reason: Reason) -> None:
            try:
                await forever()
            finally:
                raise Boom

    plain, protesting, watcher = await node.start(Probe()), await node.start(Protesting()), await node.start(Probe())
    monitors = [watcher.monitor(process) for process in (plain, protesting)]
    plain.cast(kill_and_crash)
    await plain.wait()
    protesting.exit(SHUTDOWN)
    await idle()
    protesting.kill()
    await idle()
    assert probe_of(plain).ended == []
    assert probe_of(watcher).seen == [Down(monitor, KILLED) for monitor in monitors]


async def test_kill_overtakes_an_exit_of_the_same_moment(node: Node) -> None:
    process = await node.start(Probe())
    process.exit(SHUTDOWN)
    process.kill()
    await process.wait()
    assert probe_of(process).ended == []


@pytest.mark.parametrize("first", [crash, raising(Stop("done"))], ids=["crash", "stop"])
async def test_an_exit_does_not_cut_terminate_short(node: Node, first: object) -> None:
    process = await node.start(Stubborn(1.0))
    tasks = tasks_of(process)
    process.cast(first)
    await idle()
    process.exit(SHUTDOWN)
    await process.wait()
    assert len(probe_of(process).ended) == 1
    assert not any(task.cancelled() for task in tasks)


async def test_a_process_that_signals_its_own_exit_and_crashes_still_terminates(node: Node) -> None:
    process = await node.start(Stubborn(1.0))
    tasks = tasks_of(process)

    def exit_and_crash(server: Probe) -> None:
        server.process.exit(SHUTDOWN)
        raise Boom

    process.cast(exit_and_crash)
    await process.wait()
    (reason,) = probe_of(process).ended
    assert isinstance(reason, Boom)
    assert not any(task.cancelled() or task.cancelling() for task in tasks)
    assert now_s() == 1.0


async def test_a_callback_cannot_swallow_an_exit(node: Node) -> None:
    process = await node.start(Probe())

    async def hold_out(_: Probe) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await forever()

    process.cast(hold_out)
    process.cast("never handled")
    await idle()
    process.exit(SHUTDOWN)
    await process.wait()
    assert probe_of(process).ended == [SHUTDOWN]
    assert probe_of(process).seen == []


async def test_a_process_that_signals_its_own_exit_handles_no_more(node: Node) -> None:
    process = await node.start(Probe())
    process.cast(lambda server: server.process.exit("enough"))
    process.cast("never handled")
    await process.wait()
    assert probe_of(process).ended == ["enough"]
    assert probe_of(process).seen == []


async def test_any_number_may_wait_for_an_end_and_give_up_on_it(node: Node) -> None:
    process = await node.start(Probe())
    waiting = [asyncio.create_task(process.wait()) for _ in range(3)]
    await idle()
    waiting[0].cancel()
    await idle()
    process.exit(SHUTDOWN)
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
    await process.wait()


async def test_a_crash_in_terminate_is_logged_and_is_the_reason(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    server, watcher = Probe(), await node.start(Probe())

    async def terminate(reason: Reason) -> None:
        del reason
        raise Boom

    server.terminate = terminate  # type: ignore[method-assign]  # this one server's own
    process = await node.start(server)
    watcher.monitor(process)
    process.exit(SHUTDOWN)
    await idle()
    (down,) = probe_of(watcher).seen
    assert isinstance(down.reason, Boom)
    assert [record.message for record in caplog.records] == ["Probe crashed in terminate"]
    assert "Boom" in caplog.text, "the traceback tells where"


async def test_links_and_monitors_are_told_after_terminate(node: Node) -> None:
    process, watcher = await node.start(Stubborn(3.0)), await node.start(Trapping())
    watcher.link(process)
    watcher.monitor(process)
    process.exit(SHUTDOWN)
    await asyncio.sleep(2.0)
    assert probe_of(watcher).seen == []
    await asyncio.sleep(2.0)
    assert len(probe_of(watcher).seen) == 2


async def test_the_end_of_the_loop_terminates_every_process() -> None:
    """What `asyncio.run` does at its end: cancel every task, and wait for them."""
    node, servers = Node(), [Stubborn(1.0) for _ in range(3)]
    processes = [await node.start(server) for server in servers]
    await idle()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert [server.ended for server in servers] == [[SHUTDOWN]] * 3
    assert all(task.cancelled() for task in tasks)
    assert not any(process.alive for process in processes)
    assert not node.processes()


async def test_the_end_of_the_loop_ends_a_process_before_its_first_step(node: Node) -> None:
    class Starting(Probe):
        async def init(self) -> None:
            await self.node.start(Probe(), name="child", parent=self.process)

    starter = asyncio.create_task(node.start(Starting()), name="starter")
    while node.whereis("child") is None:  # noqa: ASYNC110  # it is to be seen before its first step
        await asyncio.sleep(0)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:  # as a loop does at its end
        task.cancel()
    await asyncio.wait(tasks)
    assert starter.cancelled()
    assert not node.processes()


async def test_a_cancellation_from_elsewhere_before_the_first_step_fails_the_start(node: Node) -> None:
    start = asyncio.create_task(node.start(SlowToStart(), name="target"), name="starter")
    await asyncio.sleep(0)  # it has begun, and no more
    (task,) = tasks_of(node["target"])
    task.cancel()
    with pytest.raises(CallError, match="target ended") as caught:
        await start
    assert caught.value.reason == SHUTDOWN
    assert node.whereis("target") is None

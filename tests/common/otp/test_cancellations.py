"""How a process ends when its task, or what it waits for, is cancelled: as by an exit, and the canceller sees it."""

import asyncio

import pytest

from common.otp.node import Node
from common.otp.process import Down, Exit
from common.otp.signals import SHUTDOWN, Reason
from tests.common.otp.servers import Boom, Probe, Stubborn, Trapping, forever, probe_of, tasks_of
from tests.virtual_time import idle

pytestmark = pytest.mark.usefixtures("hibernates")


@pytest.mark.parametrize("outside", [False, True])
async def test_terminate_after_a_cancellation_may_use_timeouts_and_task_groups(
    node: Node, outside: bool, hibernates: bool
) -> None:
    async def fail() -> None:
        raise Boom

    async def work_together() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(2.0)

    class Orderly(Probe):
        async def terminate(self, reason: Reason) -> None:
            current = asyncio.current_task()
            assert current is not None
            assert current.cancelling() == 0  # else a TaskGroup of Python 3.13 cancels its task anew
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await asyncio.sleep(2.0)
            with pytest.raises(ExceptionGroup):
                await work_together()
            super().terminate(reason)

    process = await node.start(Orderly())
    process.cast(forever)
    await idle()
    (task,) = tasks_of(process)
    if outside:
        task.cancel()
    else:
        process.exit(SHUTDOWN)
    await process.wait()
    assert probe_of(process).ended == [SHUTDOWN]
    assert task.cancelled() == (outside or hibernates)


async def test_an_outside_cancellation_ends_the_process_properly_and_is_passed_on(node: Node) -> None:
    process, watcher, linked = (
        await node.start(Probe(), name="target"),
        await node.start(Probe()),
        await node.start(Trapping()),
    )
    monitor = watcher.monitor(process)
    linked.link(process)
    process.cast(forever)
    await idle()
    (task,) = tasks_of(process)
    task.cancel()
    await process.wait()
    await idle()
    assert task.cancelled()
    assert probe_of(process).ended == [SHUTDOWN]
    assert probe_of(watcher).seen == [Down(monitor, SHUTDOWN)]
    assert probe_of(linked).seen == [Exit(process, SHUTDOWN)]


async def test_an_outside_cancellation_of_terminate_is_passed_on(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    process, watcher = await node.start(Stubborn(60.0)), await node.start(Probe())
    monitor = watcher.monitor(process)
    process.exit("why")
    await idle()
    (task,) = tasks_of(process)
    task.cancel()
    await process.wait()
    await idle()
    assert task.cancelled()
    assert probe_of(watcher).seen == [Down(monitor, "why")]
    assert not caplog.records


async def test_a_cancellation_of_what_a_callback_waits_for_is_a_crash(node: Node) -> None:
    process, watcher = await node.start(Probe(), name="target"), await node.start(Probe())
    watcher.monitor(process)
    waited_for = asyncio.get_running_loop().create_future()

    async def wait(_: Probe) -> None:
        await waited_for

    process.cast(wait)
    await idle()
    (task,) = tasks_of(process)
    waited_for.cancel()
    await process.wait()
    await idle()
    (down,) = probe_of(watcher).seen
    assert isinstance(down.reason, asyncio.CancelledError)
    assert task.cancelling() == 0


async def test_a_callback_that_looks_at_what_was_cancelled_has_crashed(node: Node) -> None:
    process, cancelled = await node.start(Probe()), asyncio.get_running_loop().create_future()
    cancelled.cancel()
    process.cast(lambda _: cancelled.result())
    await process.wait()
    (reason,) = probe_of(process).ended
    assert isinstance(reason, asyncio.CancelledError)

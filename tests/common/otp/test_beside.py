"""What a server does beside its loop: calls that are answered later, and work that nobody waits for."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from common.otp.gen_server import GenServer
from common.otp.process import Down
from common.otp.signals import KILLED, NO_REPLY, NORMAL, SHUTDOWN, CallError, Failure, Stop
from tests.common.otp.servers import Boom, Probe, Trapping, crash, forever, probe_of, raising
from tests.virtual_time import idle, now_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.otp.node import Node
    from common.otp.process import Process, ReplyTo

pytestmark = pytest.mark.usefixtures("hibernates")

ENDS: dict[object, Callable[[Process], None]] = {
    SHUTDOWN: lambda process: process.exit(SHUTDOWN),
    KILLED: lambda process: process.kill(),
    NORMAL: lambda process: process.cast(raising(Stop())),
}


class Later(Probe):
    """Answers each call beside: with what the request returns."""

    def handle_call(self, request: Callable[[], Awaitable[Any]], reply_to: ReplyTo) -> object:
        self.reply_later(reply_to, request())
        return NO_REPLY


class Beside(Probe):
    """Has each cast done beside."""

    def handle_cast(self, message: Callable[[], Awaitable[Any]]) -> None:
        self.spawn(message())


class TrappingBeside(Beside, Trapping):
    """The same, but the exits of others are messages."""


async def minute() -> str:
    await asyncio.sleep(60.0)
    return "answer"


async def fail() -> None:
    await asyncio.sleep(1.0)
    raise Boom


def beside(process: Process) -> int:
    return len(process._beside)  # noqa: SLF001  # what must be empty is not for the public


async def test_calls_are_worked_on_side_by_side_and_the_server_is_free(node: Node) -> None:
    process = await node.start(Later())
    calls = [asyncio.create_task(process.call(minute)) for _ in range(10)]
    await idle()
    process.cast("meanwhile")
    await idle()
    assert probe_of(process).seen == ["meanwhile"]
    assert beside(process) == 10
    assert [task.get_name() for task in asyncio.all_tasks()].count("Later, beside") == 10
    assert await asyncio.gather(*calls) == ["answer"] * 10
    assert now_s() == 60.0
    assert beside(process) == 0


async def test_what_the_work_raises_is_raised_by_the_call_and_the_server_goes_on(node: Node) -> None:
    async def refuse() -> Failure:
        return Failure(Boom())

    process = await node.start(Later())
    for work in (fail, refuse):
        with pytest.raises(Boom):
            await process.call(work)
    assert process.alive


async def test_anything_that_can_be_awaited_may_be_the_work(node: Node) -> None:
    process, ready = await node.start(Later()), asyncio.get_running_loop().create_future()
    ready.set_result("ready")
    assert await process.call(lambda: ready) == "ready"


@pytest.mark.parametrize("reason", ENDS)
async def test_the_work_ends_with_the_process(node: Node, reason: object) -> None:
    process = await node.start(Later())
    call = asyncio.create_task(process.call(forever))
    await idle()
    ENDS[reason](process)
    with pytest.raises(CallError) as caught:
        await call
    assert caught.value.reason == reason
    await process.wait()
    assert beside(process) == 0


@pytest.mark.parametrize("way", ["reply_later", "spawn"])
async def test_work_that_has_not_begun_when_the_process_ends_is_no_forgotten_coroutine(node: Node, way: str) -> None:
    class Hasty(Probe):
        def handle_call(self, request: object, reply_to: ReplyTo) -> object:
            if way == "reply_later":
                self.reply_later(reply_to, forever())
            else:
                self.spawn(forever())
            raise Stop

    process = await node.start(Hasty())
    with pytest.raises(CallError):
        await process.call("x")
    await idle()
    gc.collect()
    assert beside(process) == 0


async def test_a_call_whose_work_waits_for_something_that_is_cancelled_fails(node: Node) -> None:
    process, waited_for = await node.start(Later()), asyncio.get_running_loop().create_future()
    call = asyncio.create_task(process.call(lambda: waited_for))
    await idle()
    waited_for.cancel()
    with pytest.raises(CallError) as caught:
        await call
    assert isinstance(caught.value.reason, asyncio.CancelledError)
    assert process.alive


async def test_a_caller_that_no_longer_waits_is_left_in_peace(node: Node) -> None:
    process = await node.start(Later())
    for work in (minute, fail):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.call(work), 0.5)
    await asyncio.sleep(100.0)
    assert process.alive
    assert beside(process) == 0


async def test_the_garbage_collector_does_not_take_the_work(node: Node) -> None:
    """asyncio itself holds its tasks weakly."""

    async def wait_for_who_knows_what() -> str:
        waited_for = asyncio.get_running_loop().create_future()
        known = weakref.ref(waited_for)
        asyncio.get_running_loop().call_later(1.0, lambda: known() and known().set_result("known"))  # type: ignore[union-attr]
        answer: str = await waited_for
        return answer

    process = await node.start(Later())
    call = asyncio.create_task(process.call(wait_for_who_knows_what))
    await idle()
    gc.collect()
    assert await call == "known"


@pytest.mark.parametrize("kind", [Beside, TrappingBeside])
async def test_a_crash_beside_ends_the_process(node: Node, kind: type[Probe], caplog: pytest.LogCaptureFixture) -> None:
    process, watcher = await node.start(kind()), await node.start(Probe())
    watcher.monitor(process)
    process.cast(fail)
    await process.wait()
    await idle()
    assert now_s() == 1.0
    (down,) = probe_of(watcher).seen
    assert isinstance(down.reason, Boom)
    assert [record.message for record in caplog.records] == [f"{kind.__name__} crashed"]


async def test_a_stop_beside_ends_the_process(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    async def stop() -> None:
        raise Stop("enough")

    process, watcher = await node.start(Beside()), await node.start(Probe())
    monitor = watcher.monitor(process)
    process.cast(stop)
    await idle()
    assert probe_of(watcher).seen == [Down(monitor, "enough")]
    assert not caplog.records


async def test_what_is_done_beside_ends_with_the_process(node: Node) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            ended.append("beside")

    process = await node.start(Beside())
    process.cast(work)
    await idle()
    process.exit(SHUTDOWN)
    await process.wait()
    assert ended == ["beside"]
    assert beside(process) == 0


async def test_what_is_done_beside_may_end_and_may_be_cancelled_from_outside(node: Node) -> None:
    process = await node.start(Beside())
    process.cast(minute)
    process.cast(forever)
    await idle()
    await asyncio.sleep(60.0)
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "Beside, beside")
    task.cancel()
    await idle()
    assert process.alive
    assert beside(process) == 0


async def test_the_server_may_begin_in_init(node: Node) -> None:
    class Early(GenServer):
        def init(self) -> None:
            self.spawn(fail())

    process = await node.start(Early())
    await process.wait()
    assert now_s() == 1.0


async def test_a_crash_of_the_server_is_told_to_who_waits_for_work_beside(node: Node) -> None:
    process = await node.start(Later())
    call = asyncio.create_task(process.call(forever))
    await idle()
    process.cast(crash)
    with pytest.raises(CallError) as caught:
        await call
    assert isinstance(caught.value.reason, Boom)

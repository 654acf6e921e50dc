"""Calls, casts and other messages; postponed replies, failures and timeouts."""

import asyncio

import pytest

from common.otp.gen_server import GenServer
from common.otp.node import Node
from common.otp.process import ReplyTo, reply
from common.otp.signals import NO_PROCESS, NO_REPLY, SHUTDOWN, CallError, Failure, Reason, Stop
from tests.common.otp.servers import Boom, Probe, crash, forever, probe_of, raising
from tests.virtual_time import idle, now_s

pytestmark = pytest.mark.usefixtures("hibernates")


class Postponing(Probe):
    """Answers no call of itself; a test does."""

    def __init__(self) -> None:
        super().__init__()
        self.callers: list[ReplyTo] = []

    def handle_call(self, request: object, reply_to: ReplyTo) -> object:
        self.seen.append(request)
        self.callers.append(reply_to)
        return NO_REPLY


class Slow(Probe):
    """Takes as many seconds for a call as the call says."""

    async def handle_call(self, request: float, reply_to: ReplyTo) -> float:
        await asyncio.sleep(request)
        return request


async def test_a_call_is_answered(node: Node) -> None:
    process = await node.start(Probe())
    assert await process.call("hello") == ("answer", "hello")


async def test_a_call_may_be_answered_by_a_coroutine(node: Node) -> None:
    process = await node.start(Slow())
    assert await process.call(2.0) == 2.0
    assert now_s() == 2.0


async def test_casts_and_messages_arrive_in_order(node: Node) -> None:
    process = await node.start(Probe())
    process.cast("a")
    process.send("b")
    process.cast("c")
    await idle()
    assert probe_of(process).seen == ["a", "b", "c"]


async def test_a_callback_runs_alone(node: Node) -> None:
    process = await node.start(Probe())

    async def take_a_minute(server: Probe) -> None:
        server.seen.append("begin")
        await asyncio.sleep(60.0)
        server.seen.append("end")

    process.cast(take_a_minute)
    process.cast("next")
    await asyncio.sleep(30.0)
    assert probe_of(process).seen == ["begin"]
    await asyncio.sleep(31.0)
    assert probe_of(process).seen == ["begin", "end", "next"]


async def test_a_full_mailbox_does_not_keep_the_loop_from_others(node: Node) -> None:
    process = await node.start(Probe())
    for number in range(1000):
        process.cast(number)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < process.handled < 1000
    assert process.queued == 1000 - process.handled
    await idle()
    assert probe_of(process).seen == list(range(1000))


async def test_a_postponed_reply_leaves_the_server_free(node: Node) -> None:
    server = Postponing()
    process = await node.start(server)
    first, second = asyncio.create_task(process.call("first")), asyncio.create_task(process.call("second"))
    await idle()
    assert server.seen == ["first", "second"]
    reply(server.callers[1], 2)
    reply(server.callers[0], 1)
    assert (await first, await second) == (1, 2)


async def test_none_is_an_answer(node: Node) -> None:
    process = await node.start(Probe())
    assert await process.call(lambda *_: None) is None


async def test_only_the_first_reply_counts(node: Node) -> None:
    server = Postponing()
    process = await node.start(server)
    call = asyncio.create_task(process.call("once"))
    await idle()
    reply(server.callers[0], 1)
    reply(server.callers[0], 2)
    assert await call == 1


async def test_a_failure_is_raised_by_the_call_and_the_server_goes_on(node: Node) -> None:
    process = await node.start(Probe())
    with pytest.raises(Boom):
        await process.call(lambda *_: Failure(Boom()))
    assert await process.call("still there") == ("answer", "still there")


async def test_a_failure_may_come_later(node: Node) -> None:
    server = Postponing()
    process = await node.start(server)
    call = asyncio.create_task(process.call("x"))
    await idle()
    reply(server.callers[0], Failure(Boom()))
    with pytest.raises(Boom):
        await call


async def test_the_late_reply_to_a_caller_that_waits_no_longer_is_dropped(node: Node) -> None:
    process = await node.start(Slow())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.call(3.0), 2.0)
    assert await process.call(0.5) == 0.5
    assert now_s() == 3.5


async def test_a_call_waits_as_long_as_it_takes(node: Node) -> None:
    process = await node.start(Slow())
    assert await process.call(86400.0) == 86400.0


async def test_a_timeout_error_of_the_server_is_its_own_word(node: Node) -> None:
    process = await node.start(Probe())
    with pytest.raises(TimeoutError, match="redis"):
        await process.call(lambda *_: Failure(TimeoutError("redis")))


async def test_a_crash_fails_the_calls_in_progress_in_the_mailbox_and_postponed(node: Node) -> None:
    server = Postponing()
    process = await node.start(server)
    postponed = asyncio.create_task(process.call("postponed"))
    await idle()

    async def crash_soon(_: Probe) -> None:
        await asyncio.sleep(1.0)
        raise Boom

    process.cast(crash_soon)
    queued = asyncio.create_task(process.call("in the mailbox"))
    for call in (postponed, queued):
        with pytest.raises(CallError, match="Postponing ended before it answered") as caught:
            await call
        assert isinstance(caught.value.reason, Boom)
    assert server.seen == ["postponed"]


async def test_a_call_that_crashes_the_server_fails_with_the_crash(node: Node) -> None:
    process = await node.start(Probe())
    with pytest.raises(CallError) as caught:
        await process.call(crash)
    assert isinstance(caught.value.reason, Boom)


async def test_a_call_that_stops_the_server_fails_with_the_reason(node: Node) -> None:
    process = await node.start(Probe())
    with pytest.raises(CallError) as caught:
        await process.call(raising(Stop("done")))
    assert caught.value.reason == "done"


async def test_a_server_may_reply_and_stop(node: Node) -> None:
    process = await node.start(Probe())

    def answer_and_stop(_: Probe, reply_to: ReplyTo) -> None:
        reply(reply_to, "bye")
        raise Stop

    assert await process.call(answer_and_stop) == "bye"
    await process.wait()


async def test_a_call_while_the_server_terminates_fails(node: Node) -> None:
    server = Probe()
    process = await node.start(server)
    calls: list[asyncio.Task[object]] = []

    async def terminate(reason: Reason) -> None:
        del reason
        calls.append(asyncio.create_task(process.call("late")))
        await asyncio.sleep(1.0)

    server.terminate = terminate  # type: ignore[method-assign]  # this one server's own
    process.exit(SHUTDOWN)
    await process.wait()
    with pytest.raises(CallError) as caught:
        await calls[0]
    assert caught.value.reason == SHUTDOWN


async def test_a_call_to_the_dead_fails_and_messages_are_dropped(node: Node) -> None:
    process = await node.start(Probe())
    process.exit(SHUTDOWN)
    process.cast("too late")
    await process.wait()
    assert process.queued == 0
    with pytest.raises(CallError) as caught:
        await process.call("hello")
    assert caught.value.reason == NO_PROCESS
    process.cast("dropped")
    process.send("dropped")
    assert process.queued == 0


async def test_a_caller_that_is_cancelled_leaves_the_server_in_peace(node: Node) -> None:
    server = Postponing()
    process = await node.start(server)
    call = asyncio.create_task(process.call("x"))
    await idle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    reply(server.callers[0], "nobody waits")
    process.cast("next")
    await idle()
    assert server.seen == ["x", "next"]


async def test_a_linked_caller_ends_with_the_server_it_calls(node: Node) -> None:
    callee = await node.start(Probe())
    caller = await node.start(Probe())
    caller.link(callee)
    callee.cast(forever)

    async def call(_: Probe) -> None:
        await callee.call("x")

    caller.cast(call)
    await idle()
    callee.exit(SHUTDOWN)
    await caller.wait()
    assert probe_of(caller).ended == [SHUTDOWN]


@pytest.mark.parametrize("way", ["call", "cast", "send"])
async def test_a_server_without_the_callback_crashes_and_says_so(node: Node, way: str) -> None:
    process = await node.start(GenServer())
    if way == "call":
        with pytest.raises(CallError, match="GenServer does not take calls"):
            await process.call("x")
    else:
        getattr(process, way)("x")
        await process.wait()
    assert not process.alive


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("answer", [7, None])
async def test_a_stop_may_answer_the_call_that_it_ends_over(node: Node, waits: bool, answer: int | None) -> None:
    async def wait() -> None:
        await asyncio.sleep(1.0)
        raise Stop("done", reply=answer)

    def last(*_: object) -> object:
        if waits:
            return wait()
        raise Stop("done", reply=answer)

    process = await node.start(Probe())
    assert await process.call(last) == answer
    await process.wait()
    assert probe_of(process).ended == ["done"]


@pytest.mark.parametrize("waits", [False, True])
async def test_the_answer_of_a_stop_may_be_a_failure_and_does_not_wait_for_the_end(node: Node, waits: bool) -> None:
    class SlowToEnd(Probe):
        async def terminate(self, reason: Reason) -> None:
            await asyncio.sleep(60.0)
            super().terminate(reason)

    async def wait() -> None:
        raise Stop(reply=Failure(Boom()))

    def stop(*_: object) -> object:
        if waits:
            return wait()
        raise Stop(reply=Failure(Boom()))

    process = await node.start(SlowToEnd())
    with pytest.raises(Boom):
        await process.call(stop)
    assert now_s() == 0.0
    await process.wait()
    assert probe_of(process).ended == ["normal"]


async def test_nobody_is_answered_by_a_stop_over_a_cast(node: Node) -> None:
    process = await node.start(Probe())

    async def stop(_: Probe) -> None:
        raise Stop(reply=7)

    process.cast(stop)
    await process.wait()
    assert probe_of(process).ended == ["normal"]

"""Properties that hold for any order of things, and whoever of those involved hibernates."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from common.otp.gen_server import GenServer
from common.otp.node import AlreadyStartedError, Node
from common.otp.signals import SHUTDOWN, CallError, Stop
from common.otp.supervisor import ChildSpec, Restart, SimpleOneForOne, StartChild, Supervisor
from tests.common.otp.servers import Probe, Sleepy, SleepyTrapping, Trapping, crash, raising
from tests.virtual_time import idle, run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from common.otp.process import Process

NAMES = "abc"
ENDS: dict[str, Callable[[Process], None]] = {
    "exit": lambda process: process.exit(SHUTDOWN),
    "kill": lambda process: process.kill(),
    "stop": lambda process: process.cast(raising(Stop())),
    "crash": lambda process: process.cast(crash),
}

KINDS = {(False, False): Probe, (False, True): Sleepy, (True, False): Trapping, (True, True): SleepyTrapping}
"""By whether it traps exits, and whether it hibernates."""

few = settings(max_examples=60, deadline=None)


async def end_all(node: Node) -> None:
    for server in list(node.servers(GenServer)):
        server.process.kill()
    await idle()
    assert not node.processes()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@few
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["cast", "send"]), st.integers(0, 2)), max_size=150),
    st.booleans(),
)
def test_the_messages_of_each_sender_arrive_in_order_and_none_is_lost(
    sends: list[tuple[int, str, int]], sleepy: bool
) -> None:
    """Several senders that pause between their messages, to a server that pauses as well, or does not."""

    class Pausing(Probe):
        hibernates = sleepy

        def handle_cast(self, message: tuple[int, int]) -> Coroutine[None, None, None] | None:
            self.seen.append(message)
            return asyncio.sleep(0.5 * (message[1] % 3)) if message[0] else None

    async def send(process: Process, sender: int) -> None:
        for number, (who, way, pause) in enumerate(sends):
            if who == sender:
                getattr(process, way)((sender, number))
                await asyncio.sleep(pause)

    async def main() -> list[tuple[int, int]]:
        node, server = Node(), Pausing()
        process = await node.start(server)
        await asyncio.gather(*(send(process, sender) for sender in range(4)))
        await process.call("all before this are handled")
        await end_all(node)
        return server.seen

    seen = run_virtual(main())
    for sender in range(4):
        assert [number for who, number in seen if who == sender] == [
            number for number, (who, _, _) in enumerate(sends) if who == sender
        ]


@few
@given(
    st.lists(st.tuples(st.sampled_from(["start", *ENDS]), st.sampled_from(NAMES), st.booleans()), max_size=40),
    st.booleans(),
    st.sets(st.sampled_from(NAMES)),
)
def test_any_sequence_of_starts_and_ends_leaves_the_registry_consistent(
    steps: list[tuple[str, str, bool]], trapping: bool, sleepy: set[str]
) -> None:
    """Checked against a set of the names that should be there, at each point where things come to rest."""

    async def main() -> None:
        node, expected = Node(), set[str]()
        for action, name, rest in steps:
            process = node.whereis(name)
            if action != "start":
                if process is not None:
                    ENDS[action](process)
                    expected.discard(name)
            elif process is None:
                await node.start(KINDS[trapping, name in sleepy](), name=name)
                expected.add(name)
            if rest:
                await idle()
                assert {each for each in NAMES if node.whereis(each) is not None} == expected
                assert len(node.processes()) == len(expected)
                for each in expected:
                    assert await node[each].call("hello") == ("answer", "hello")
        await end_all(node)

    run_virtual(main())


@few
@given(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(Restart), min_size=1),
    st.lists(st.tuples(st.sampled_from(sorted(ENDS)), st.sampled_from(NAMES)), max_size=12),
    st.sets(st.sampled_from(NAMES)),
)
def test_a_supervisor_keeps_those_alive_that_it_should(
    kinds: dict[str, Restart], ends: list[tuple[str, str]], sleepy: set[str]
) -> None:
    async def main() -> None:
        node = Node()
        specs = [ChildSpec(id_, KINDS[False, id_ in sleepy], restart) for id_, restart in kinds.items()]
        supervisor = await node.start(Supervisor(specs, intensity=len(ends)))
        expected = set(kinds)
        for end, id_ in ends:
            process = node.whereis(id_)
            if process is None:
                continue
            ENDS[end](process)
            await idle()
            restart = kinds[id_]
            if restart is Restart.TEMPORARY or (restart is Restart.TRANSIENT and end in ("exit", "stop")):
                expected.discard(id_)
            assert {id_ for id_ in NAMES if node.whereis(id_) is not None} == expected
        supervisor.exit(SHUTDOWN)
        await supervisor.wait()
        await end_all(node)

    run_virtual(main())


@few
@given(
    st.lists(st.tuples(st.sampled_from(["start", *ENDS]), st.integers(0, 3)), max_size=40),
    st.integers(0, 40),
    st.booleans(),
)
def test_every_start_and_call_is_answered_whenever_the_supervisor_ends(
    steps: list[tuple[str, int]], stop_at: int, sleepy: bool
) -> None:
    """All at once, without rest: each call gets an answer or an error, and nothing survives the supervisor."""

    async def main() -> None:
        node = Node()
        supervisor = await node.start(SimpleOneForOne(KINDS[False, sleepy], Restart.TRANSIENT))
        pending: list[asyncio.Task[object]] = []
        for number, (action, who) in enumerate(steps):
            name = f"child-{who}"
            if number == stop_at:
                supervisor.exit(SHUTDOWN)
            process = node.whereis(name)
            if action == "start":
                pending.append(asyncio.create_task(supervisor.call(StartChild((), name))))
            elif process is not None:
                pending.append(asyncio.create_task(process.call("x")))
                ENDS[action](process)
            await asyncio.sleep(0)
        supervisor.exit(SHUTDOWN)
        await supervisor.wait()
        for outcome in await asyncio.gather(*pending, return_exceptions=True):
            assert not isinstance(outcome, BaseException) or isinstance(outcome, CallError | AlreadyStartedError)
        assert not node.processes()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())


@few
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30),
    st.integers(0, 9),
    st.sampled_from(["crash", "kill"]),
    st.sets(st.integers(0, 9)),
)
def test_a_crash_ends_exactly_those_who_are_linked_to_it_directly_or_not(
    links: list[tuple[int, int]], victim: int, end: str, sleepy: set[int]
) -> None:
    async def main() -> set[int]:
        node = Node()
        processes = [await node.start(KINDS[False, number in sleepy]()) for number in range(10)]
        for one, other in links:
            processes[one].link(processes[other])
        ENDS[end](processes[victim])
        await idle()
        ended = {number for number, process in enumerate(processes) if not process.alive}
        await end_all(node)
        return ended

    reached, grown = {victim}, True
    while grown:
        more = {number for link in links if reached & set(link) for number in link}
        grown = not more <= reached
        reached |= more
    assert run_virtual(main()) == reached

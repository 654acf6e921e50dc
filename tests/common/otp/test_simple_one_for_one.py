"""The supervisor of many children of one kind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from common.otp.node import AlreadyStartedError
from common.otp.signals import SHUTDOWN, CallError, Stop
from common.otp.supervisor import Restart, SimpleOneForOne, StartChild
from tests.common.otp.servers import Boom, Probe, Stubborn, crash, forever, probe_of, raising
from tests.virtual_time import idle, now_s

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from common.otp.node import Node
    from common.otp.process import Process

pytestmark = pytest.mark.usefixtures("hibernates")


class Child(Probe):
    """Does not start for the user `nobody`, nor for one who is in `banned`."""

    banned: frozenset[str] = frozenset()

    def __init__(self, user: str) -> None:
        super().__init__()
        self.user = user

    async def init(self) -> None:
        if self.user == "nobody" or self.user in self.banned:
            raise Boom


class Quick(Probe):
    """Starts at once."""

    def __init__(self, user: str) -> None:
        super().__init__()
        self.user = user


async def start(supervisor: Process, user: str, name: str | None = None) -> Process:
    process: Process = await supervisor.call(StartChild((user,), name))
    return process


def children(supervisor: Process) -> int:
    assert isinstance(supervisor.server, SimpleOneForOne)
    return len(supervisor.server._children)  # noqa: SLF001  # what must be empty is not for the public


async def test_a_child_is_started_with_its_arguments(node: Node) -> None:
    supervisor = await node.start(SimpleOneForOne(Child))
    child = await start(supervisor, "ana", "user-ana")
    assert isinstance(child.server, Child)
    assert child.server.user == "ana"
    assert node["user-ana"] is child
    assert child.parent is supervisor


async def test_a_name_that_is_taken_is_the_starters_error(node: Node) -> None:
    supervisor = await node.start(SimpleOneForOne(Child))
    child = await start(supervisor, "ana", "user-ana")
    with pytest.raises(AlreadyStartedError) as caught:
        await start(supervisor, "ana", "user-ana")
    assert caught.value.process is child
    assert children(supervisor) == 1


async def test_what_init_raises_is_the_starters_error(node: Node) -> None:
    supervisor = await node.start(SimpleOneForOne(Child, Restart.PERMANENT))
    with pytest.raises(Boom):
        await start(supervisor, "nobody")
    with pytest.raises(TypeError):
        await supervisor.call(StartChild(("too", "many")))
    await idle()
    assert supervisor.alive
    assert children(supervisor) == 0


async def test_ended_children_are_forgotten(node: Node) -> None:
    supervisor = await node.start(SimpleOneForOne(Child))
    for end in (crash, raising(Stop())):
        child = await start(supervisor, "ana", "user-ana")
        child.cast(end)
        await idle()
        assert children(supervisor) == 0
        assert node.whereis("user-ana") is None


@pytest.mark.parametrize("kind", [Child, Quick])
@pytest.mark.parametrize(
    ("restart", "end", "restarted"),
    [
        (Restart.TEMPORARY, crash, False),
        (Restart.TRANSIENT, crash, True),
        (Restart.TRANSIENT, raising(Stop()), False),
        (Restart.PERMANENT, raising(Stop()), True),
    ],
)
async def test_a_child_is_restarted_by_its_restart(
    node: Node, kind: type[Child | Quick], restart: Restart, end: object, restarted: bool
) -> None:
    supervisor = await node.start(SimpleOneForOne(kind, restart))
    before = await start(supervisor, "ana", "user-ana")
    for _ in range(2):  # who was restarted once is so again
        before.cast(end)
        await idle()
        assert (node.whereis("user-ana") is not None) == restarted
        assert children(supervisor) == restarted
        if restarted:
            assert node["user-ana"] is not before
            before = node["user-ana"]
            assert isinstance(before.server, kind)
            assert before.server.user == "ana"


async def test_a_restart_that_fails_counts(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = await node.start(SimpleOneForOne(Child, Restart.TRANSIENT), name="children")
    child, other = await start(supervisor, "ana"), await start(supervisor, "bea")
    monkeypatch.setattr(Child, "banned", frozenset({"ana"}))
    child.cast(crash)
    await idle()
    assert not supervisor.alive
    assert probe_of(other).ended == [SHUTDOWN]
    assert caplog.messages.count("a child of children could not be restarted") == 5


@pytest.mark.parametrize("slow", [1, 2])
async def test_one_that_is_killed_while_a_child_starts_leaves_none(node: Node, slow: int) -> None:
    starts = 0

    class SlowOnce(Probe):
        async def init(self) -> None:
            nonlocal starts
            starts += 1
            if starts == slow:
                await forever()
            self.process.cast(crash)

    supervisor = await node.start(SimpleOneForOne(SlowOnce, Restart.PERMANENT))
    asking = asyncio.create_task(supervisor.call(StartChild(())))
    await idle()
    assert starts == slow
    supervisor.kill()
    await asyncio.wait([supervisor.gone(), asking])
    assert isinstance(asking.exception(), CallError) == (slow == 1)
    await idle()
    assert not node.processes()


async def test_crashes_of_many_children_count_together_and_spread_out_they_do_not(node: Node) -> None:
    supervisor = await node.start(SimpleOneForOne(Child, Restart.TRANSIENT, intensity=2, period_s=10.0))
    crowd = [await start(supervisor, str(number)) for number in range(6)]
    for child in crowd[:3]:
        child.cast(crash)
        await asyncio.sleep(6.0)
    assert supervisor.alive
    for child in crowd[3:]:
        child.cast(crash)
    await idle()
    assert not supervisor.alive


async def test_one_that_was_started_anew_meanwhile_is_not_restarted(node: Node) -> None:
    """The name is free before the supervisor has handled the exit, and a start may be before it in the mailbox."""
    supervisor = await node.start(SimpleOneForOne(Child, Restart.TRANSIENT))
    first = await start(supervisor, "ana", "user-ana")

    def crash_behind_a_start(_: object) -> None:
        supervisor.send("awake")  # or else it would answer at once
        asking.append(start(supervisor, "ana", "user-ana"))
        answer.append(asking[0].send(None))  # it is in the mailbox now, and the supervisor has not looked
        raise Boom

    asking: list[Coroutine[Any, Any, Process]] = []
    answer: list[asyncio.Future[Process]] = []
    first.cast(crash_behind_a_start)
    await idle()
    second = await answer[0]
    asking[0].close()
    assert node["user-ana"] is second
    assert children(supervisor) == 1


async def test_a_crowd_is_shut_down_side_by_side(node: Node) -> None:
    servers: list[Stubborn] = []

    def make() -> Stubborn:
        servers.append(Stubborn(3.0))
        return servers[-1]

    supervisor = await node.start(SimpleOneForOne(make))
    for _ in range(2000):
        await supervisor.call(StartChild(()))
    supervisor.exit(SHUTDOWN)
    await supervisor.wait()
    assert now_s() == 3.0
    assert len(servers) == 2000
    assert all(server.ended == [SHUTDOWN] for server in servers)
    assert not node.processes()


async def test_those_that_do_not_stop_in_time_are_killed(node: Node) -> None:
    quick, slow = Stubborn(1.0), Stubborn(60.0)
    supervisor = await node.start(SimpleOneForOne(lambda server: server, shutdown_s=2.0))
    for server in (quick, slow):
        await supervisor.call(StartChild((server,)))
    supervisor.exit(SHUTDOWN)
    await supervisor.wait()
    assert now_s() == 2.0
    assert (quick.ended, slow.ended) == ([SHUTDOWN], [])


async def test_an_empty_one_stops_at_once(node: Node) -> None:
    supervisor = await node.start(SimpleOneForOne(Child))
    supervisor.exit(SHUTDOWN)
    await supervisor.wait()
    assert now_s() == 0.0


async def test_starts_that_wait_in_its_mailbox_fail_when_it_ends(node: Node) -> None:
    supervisor = await node.start(SimpleOneForOne(Child))
    supervisor.exit(SHUTDOWN)
    with pytest.raises(CallError):
        await start(supervisor, "ana")


async def test_the_exit_of_a_stranger_and_other_messages_are_passed_over(node: Node) -> None:
    supervisor, stranger = await node.start(SimpleOneForOne(Child)), await node.start(Probe())
    stranger.link(supervisor)
    stranger.cast(crash)
    supervisor.send("hello")
    await idle()
    assert supervisor.alive

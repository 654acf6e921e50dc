"""The one_for_one supervisor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from common.otp.process import Down
from common.otp.signals import KILLED, NO_PROCESS, NORMAL, SHUTDOWN, CallError, Stop
from common.otp.supervisor import ChildSpec, Restart, Supervisor, TerminateChild
from tests.common.otp.servers import Boom, Probe, Stubborn, crash, forever, probe_of, raising
from tests.virtual_time import idle, now_s

if TYPE_CHECKING:
    from common.otp.node import Node
    from common.otp.process import Process
    from common.otp.signals import Reason

pytestmark = pytest.mark.usefixtures("hibernates")

INTENSITY = "reached_max_restart_intensity"


class Diary:
    """Makes children that note when they start and stop; `failing` lists the ids that cannot start, and how often."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.failing: dict[str, int] = {}

    def spec(self, id_: str, restart: Restart = Restart.PERMANENT, shutdown_s: float = 5.0) -> ChildSpec:
        return ChildSpec(id_, lambda: Noted(self, id_), restart, shutdown_s)

    def note(self, what: str) -> None:
        self.entries.append(what)


class Noted(Probe):
    def __init__(self, diary: Diary, id_: str) -> None:
        super().__init__()
        self._diary, self._id = diary, id_

    async def init(self) -> None:
        if self._diary.failing.get(self._id, 0):
            self._diary.failing[self._id] -= 1
            self._diary.note(f"x{self._id}")
            raise Boom
        self._diary.note(f"+{self._id}")

    async def terminate(self, reason: Reason) -> None:
        super().terminate(reason)
        self._diary.note(f"-{self._id}")


@pytest.fixture
def diary() -> Diary:
    return Diary()


async def stop(process: Process) -> None:
    process.exit(SHUTDOWN)
    await process.wait()


async def crash_child(node: Node, id_: str) -> None:
    node[id_].cast(crash)
    await idle()


async def test_a_child_that_is_terminated_ends_and_is_not_started_again(node: Node, diary: Diary) -> None:
    supervisor = await node.start(Supervisor([diary.spec(id_) for id_ in "ab"]))
    for _ in range(2):  # the second time it has ended already
        await supervisor.call(TerminateChild("a"))
        assert node.whereis("a") is None
    await idle()
    await stop(supervisor)
    assert diary.entries == ["+a", "+b", "-a", "-b"]


async def test_children_start_in_order_and_stop_in_reverse(node: Node, diary: Diary) -> None:
    supervisor = await node.start(Supervisor([diary.spec(id_) for id_ in "abc"]))
    assert diary.entries == ["+a", "+b", "+c"]
    await stop(supervisor)
    assert diary.entries == ["+a", "+b", "+c", "-c", "-b", "-a"]
    assert not node.processes()


async def test_a_restart_does_not_change_the_order_of_stop(node: Node, diary: Diary) -> None:
    supervisor = await node.start(Supervisor([diary.spec(id_) for id_ in "abc"]))
    await crash_child(node, "a")
    diary.entries.clear()
    await stop(supervisor)
    assert diary.entries == ["-c", "-b", "-a"]


async def test_a_child_stops_only_when_the_one_after_it_has(node: Node) -> None:
    first, last = Stubborn(0.0), Stubborn(3.0)
    supervisor = await node.start(Supervisor([ChildSpec("first", lambda: first), ChildSpec("last", lambda: last)]))
    supervisor.exit(SHUTDOWN)
    await asyncio.sleep(2.0)
    assert node.whereis("first") is not None
    await supervisor.wait()
    assert first.ended == last.ended == [SHUTDOWN]


async def test_a_child_that_cannot_start_stops_those_before_it(node: Node, diary: Diary) -> None:
    diary.failing["c"] = 1
    with pytest.raises(Boom):
        await node.start(Supervisor([diary.spec(id_) for id_ in "abcd"]))
    assert diary.entries == ["+a", "+b", "xc", "-b", "-a"]
    assert not node.processes()


async def test_a_crashed_child_is_restarted_under_its_name_and_the_others_go_on(node: Node, diary: Diary) -> None:
    await node.start(Supervisor([diary.spec("a"), diary.spec("b")]))
    before, other = node["a"], node["b"]
    await crash_child(node, "a")
    assert node["a"] is not before
    assert node["b"] is other
    assert diary.entries == ["+a", "+b", "-a", "+a"]
    assert await node["a"].call("hello") == ("answer", "hello")


@pytest.mark.parametrize(
    ("restart", "reason", "restarted"),
    [
        (Restart.PERMANENT, NORMAL, True),
        (Restart.PERMANENT, SHUTDOWN, True),
        (Restart.PERMANENT, "why", True),
        (Restart.TRANSIENT, NORMAL, False),
        (Restart.TRANSIENT, SHUTDOWN, False),
        (Restart.TRANSIENT, "why", True),
        (Restart.TEMPORARY, NORMAL, False),
        (Restart.TEMPORARY, "why", False),
    ],
)
async def test_a_child_is_restarted_by_its_spec(
    node: Node, diary: Diary, restart: Restart, reason: str, restarted: bool
) -> None:
    supervisor = await node.start(Supervisor([diary.spec("a", restart)]))
    node["a"].cast(raising(Stop(reason)))
    await idle()
    assert (node.whereis("a") is not None) == restarted
    await stop(supervisor)
    assert diary.entries == ["+a", "-a", "+a", "-a"] if restarted else ["+a", "-a"]


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT])
async def test_a_killed_child_is_restarted(node: Node, diary: Diary, restart: Restart) -> None:
    await node.start(Supervisor([diary.spec("a", restart)]))
    node["a"].kill()
    await idle()
    assert node.whereis("a") is not None


async def test_the_sixth_restart_in_ten_seconds_ends_the_supervisor(node: Node, diary: Diary) -> None:
    watcher, supervisor = await node.start(Probe()), await node.start(Supervisor([diary.spec("a"), diary.spec("b")]))
    monitor = watcher.monitor(supervisor)
    for _ in range(5):
        await crash_child(node, "a")
        await asyncio.sleep(1.0)
    assert supervisor.alive
    await crash_child(node, "a")
    assert probe_of(watcher).seen == [Down(monitor, INTENSITY)]
    assert diary.entries[-2:] == ["-a", "-b"]
    assert len(node.processes()) == 1


async def test_restarts_that_are_spread_out_do_not_end_it(node: Node, diary: Diary) -> None:
    supervisor = await node.start(Supervisor([diary.spec("a")]))
    for _ in range(20):
        await crash_child(node, "a")
        await asyncio.sleep(2.01)
    assert supervisor.alive


async def test_intensity_and_period_can_be_set(node: Node, diary: Diary) -> None:
    supervisor = await node.start(Supervisor([diary.spec("a")], intensity=1, period_s=60.0))
    await crash_child(node, "a")
    await asyncio.sleep(59.0)
    assert supervisor.alive
    await crash_child(node, "a")
    assert not supervisor.alive


async def test_a_restart_whose_init_fails_counts_and_is_tried_again(
    node: Node, diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = await node.start(Supervisor([diary.spec("a")]))
    diary.failing["a"] = 4
    await crash_child(node, "a")
    assert diary.entries == ["+a", "-a", "xa", "xa", "xa", "xa", "+a"]
    assert supervisor.alive
    assert caplog.messages == ["a crashed", *["a could not be restarted"] * 4]
    await crash_child(node, "a")
    assert not supervisor.alive


async def test_a_restart_that_never_works_ends_the_supervisor(node: Node, diary: Diary) -> None:
    supervisor = await node.start(Supervisor([diary.spec("a"), diary.spec("b")]))
    diary.failing["b"] = 100
    await crash_child(node, "b")
    assert not supervisor.alive
    assert diary.entries == ["+a", "+b", "-b"] + ["xb"] * 5 + ["-a"]


async def test_a_supervisor_of_supervisors_restarts_one_that_gave_up(node: Node, diary: Diary) -> None:
    inner = ChildSpec("inner", lambda: Supervisor([diary.spec("a")], intensity=0))
    outer = await node.start(Supervisor([inner, diary.spec("b")]))
    before = node["inner"]
    await crash_child(node, "a")
    assert node["inner"] is not before
    assert diary.entries == ["+a", "+b", "-a", "+a"]
    await stop(outer)
    assert diary.entries[-2:] == ["-b", "-a"]
    assert not node.processes()


async def test_a_child_that_does_not_stop_in_time_is_killed(node: Node) -> None:
    server = Stubborn(60.0)
    supervisor = await node.start(Supervisor([ChildSpec("a", lambda: server, shutdown_s=2.0)]))
    watcher = await node.start(Probe())
    monitor = watcher.monitor(node["a"])
    await stop(supervisor)
    await idle()
    assert now_s() == 2.0
    assert server.ended == []
    assert probe_of(watcher).seen == [Down(monitor, KILLED)]


async def test_a_killed_supervisor_takes_its_children_along_and_they_terminate(node: Node, diary: Diary) -> None:
    inner = ChildSpec("inner", lambda: Supervisor([diary.spec("a"), diary.spec("b")]))
    supervisor = await node.start(Supervisor([inner]))
    supervisor.kill()
    await idle()
    assert diary.entries == ["+a", "+b", "-b", "-a"]
    assert not node.processes()


async def test_a_supervisor_that_is_stopped_while_a_child_starts_leaves_none(node: Node, diary: Diary) -> None:
    starts = 0

    class SlowOnceMore(Probe):
        async def init(self) -> None:
            nonlocal starts
            starts += 1
            if starts > 1:
                await forever()

    inner = ChildSpec("inner", lambda: Supervisor([diary.spec("a"), ChildSpec("slow", SlowOnceMore)]))
    supervisor = await node.start(Supervisor([inner]))
    await crash_child(node, "slow")
    await stop(supervisor)
    assert starts == 2
    assert now_s() == 5.0
    assert diary.entries == ["+a", "-a"]
    assert not node.processes()


async def test_a_child_that_ends_right_after_its_start_is_restarted(node: Node, diary: Diary) -> None:
    class Impatient(Noted):
        async def init(self) -> None:
            await super().init()
            if diary.entries.count("+a") == 1:
                self.process.cast(crash)

    await node.start(Supervisor([ChildSpec("a", lambda: Impatient(diary, "a"))]))
    await idle()
    assert diary.entries == ["+a", "-a", "+a"]
    assert node.whereis("a") is not None


async def test_the_exit_of_a_stranger_and_other_messages_are_passed_over(node: Node, diary: Diary) -> None:
    supervisor, stranger = await node.start(Supervisor([diary.spec("a")])), await node.start(Probe())
    stranger.link(supervisor)
    stranger.cast(crash)
    supervisor.send("hello")
    await idle()
    assert supervisor.alive
    assert diary.entries == ["+a"]


async def test_a_supervisor_whose_parent_is_gone_does_not_start(node: Node, diary: Diary) -> None:
    parent = await node.start(Probe())
    await stop(parent)
    supervisor = await node.start(Supervisor([diary.spec("a")]), parent=parent)
    await supervisor.wait()
    assert diary.entries == ["+a", "-a"]
    with pytest.raises(CallError) as caught:
        await supervisor.call("x")
    assert caught.value.reason == NO_PROCESS

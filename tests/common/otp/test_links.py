"""Links, exit signals and monitors."""

import asyncio
from collections.abc import Collection
from itertools import pairwise

import pytest

from common.otp.node import Node
from common.otp.process import Down, Exit, Monitor, Process
from common.otp.signals import KILLED, NO_PROCESS, NORMAL, SHUTDOWN, Stop
from tests.common.otp.servers import Boom, Probe, Trapping, crash, probe_of, raising
from tests.virtual_time import idle

pytestmark = pytest.mark.usefixtures("hibernates")


async def pair(node: Node, left: Probe, right: Probe) -> tuple[Process, Process]:
    one, other = await node.start(left), await node.start(right)
    one.link(other)
    return one, other


async def ended(node: Node) -> Process:
    process = await node.start(Probe())
    process.exit(SHUTDOWN)
    await process.wait()
    return process


async def test_a_crash_ends_the_linked_process_with_the_same_reason(node: Node) -> None:
    one, other = await pair(node, Probe(), Probe())
    other.cast(crash)
    await one.wait()
    (reason,) = probe_of(one).ended
    assert isinstance(reason, Boom)


async def test_a_link_works_from_both_ends(node: Node) -> None:
    one, other = await pair(node, Probe(), Probe())
    one.cast(raising(Stop("why")))
    await other.wait()
    assert probe_of(other).ended == ["why"]


async def test_exits_go_through_a_chain_of_links(node: Node) -> None:
    chain = [await node.start(Probe()) for _ in range(5)]
    for one, other in pairwise(chain):
        one.link(other)
    chain[0].cast(crash)
    await asyncio.gather(*(process.wait() for process in chain))
    assert [len(probe_of(process).ended) for process in chain] == [1] * 5


async def test_a_crash_is_logged_where_it_happened_only(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    one, other = await pair(node, Probe(), Probe())
    other.cast(crash)
    await one.wait()
    assert [record.message for record in caplog.records] == ["Probe crashed"]
    assert "in crash" in caplog.text, "the traceback tells where"


async def test_a_stop_is_not_logged_as_a_crash(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    process = await node.start(Probe())
    process.cast(raising(Stop(Boom())))
    await process.wait()
    assert not caplog.records


async def test_a_normal_end_leaves_the_linked_process_alone(node: Node) -> None:
    one, other = await pair(node, Probe(), Probe())
    other.cast(raising(Stop()))
    await other.wait()
    assert await one.call("there?") == ("answer", "there?")


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, "why"])
async def test_a_trapping_process_gets_every_exit_as_a_message(node: Node, reason: str) -> None:
    one, other = await pair(node, Trapping(), Probe())
    other.cast(raising(Stop(reason)))
    await idle()
    assert probe_of(one).seen == [Exit(other, reason)]
    assert one.alive


async def test_two_links_are_one(node: Node) -> None:
    one, other = await pair(node, Trapping(), Probe())
    other.link(one)
    other.exit(SHUTDOWN)
    await idle()
    assert probe_of(one).seen == [Exit(other, SHUTDOWN)]


async def test_an_unlinked_process_is_not_told(node: Node) -> None:
    one, other = await pair(node, Trapping(), Probe())
    one.unlink(other)
    one.unlink(other)
    other.exit(SHUTDOWN)
    await idle()
    assert probe_of(one).seen == []


async def test_a_link_to_the_dead_signals_noproc(node: Node) -> None:
    dead = await ended(node)
    trapping, plain = await node.start(Trapping()), await node.start(Probe())
    trapping.link(dead)
    plain.link(dead)
    await plain.wait()
    assert probe_of(trapping).seen == [Exit(dead, NO_PROCESS)]
    assert probe_of(plain).ended == [NO_PROCESS]


async def test_a_link_by_the_dead_signals_noproc_to_the_living(node: Node) -> None:
    dead, living = await ended(node), await node.start(Trapping())
    dead.link(living)
    await idle()
    assert probe_of(living).seen == [Exit(dead, NO_PROCESS)]


async def test_a_process_may_link_and_monitor_itself(node: Node) -> None:
    process = await node.start(Probe())
    process.link(process)
    process.monitor(process)
    process.exit(SHUTDOWN)
    await process.wait()
    assert probe_of(process).ended == [SHUTDOWN]


async def test_a_killed_process_is_seen_as_killed_and_that_is_not_a_kill(node: Node) -> None:
    """`kill` skips the `terminate` of one process; what is linked to it still closes what it holds."""
    one, other = await pair(node, Probe(), Probe())
    trapping = await node.start(Trapping())
    trapping.link(other)
    other.kill()
    await one.wait()
    assert probe_of(other).ended == []
    assert probe_of(one).ended == [KILLED]
    assert probe_of(trapping).seen == [Exit(other, KILLED)]


async def test_a_monitor_tells_the_reason_once(node: Node) -> None:
    watcher, target = await node.start(Probe()), await node.start(Probe())
    monitor = watcher.monitor(target)
    target.cast(raising(Stop("why")))
    await idle()
    assert probe_of(watcher).seen == [Down(monitor, "why")]
    assert (monitor.watcher, monitor.process) == (watcher, target)


async def test_the_down_of_a_crash_carries_the_exception(node: Node) -> None:
    watcher, target = await node.start(Probe()), await node.start(Probe())
    watcher.monitor(target)
    target.cast(crash)
    await idle()
    (down,) = probe_of(watcher).seen
    assert isinstance(down.reason, Boom)
    assert watcher.alive


async def test_each_monitor_is_its_own(node: Node) -> None:
    watcher, target = await node.start(Probe()), await node.start(Probe())
    first, second = watcher.monitor(target), watcher.monitor(target)
    watcher.demonitor(first)
    target.exit(SHUTDOWN)
    await idle()
    assert probe_of(watcher).seen == [Down(second, SHUTDOWN)]
    watcher.demonitor(second)


async def test_all_watchers_are_told_and_one_watches_many(node: Node) -> None:
    watchers = [await node.start(Probe()) for _ in range(3)]
    targets = [await node.start(Probe()) for _ in range(3)]
    monitors = {watcher: [watcher.monitor(target) for target in targets] for watcher in watchers}
    watchers[0].exit(SHUTDOWN)
    await idle()
    assert [len(monitors_at(target)) for target in targets] == [2, 2, 2]
    for target in targets:
        target.exit(SHUTDOWN)
    await idle()
    for watcher in watchers[1:]:
        assert probe_of(watcher).seen == [Down(monitor, SHUTDOWN) for monitor in monitors[watcher]]


async def test_a_monitor_that_is_undone_is_held_at_neither_end(node: Node) -> None:
    watcher, target = await node.start(Probe()), await node.start(Probe())
    watcher.demonitor(watcher.monitor(target))
    assert not monitors_at(target)
    assert not watcher._watching  # noqa: SLF001  # what must be empty is not for the public


async def test_a_monitor_of_the_dead_says_noproc(node: Node) -> None:
    watcher, dead = await node.start(Probe()), await ended(node)
    monitor = watcher.monitor(dead)
    await idle()
    assert probe_of(watcher).seen == [Down(monitor, NO_PROCESS)]


def monitors_at(target: Process) -> Collection[Monitor]:
    return target._monitors  # noqa: SLF001  # what must be empty is not for the public


async def test_a_dead_watcher_leaves_nothing_at_the_target(node: Node) -> None:
    target, watcher = await node.start(Probe()), await node.start(Probe())
    watcher.monitor(target)
    assert len(monitors_at(target)) == 1
    watcher.exit(SHUTDOWN)
    await watcher.wait()
    assert not monitors_at(target)
    watcher.monitor(target)
    assert not monitors_at(target)

"""The state machine: which state takes a message, and its timeouts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from common.otp.gen_fsm import GenFsm, StateTimeout
from common.otp.signals import SHUTDOWN, Stop
from tests.virtual_time import idle, now_s

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from common.otp.gen_fsm import State
    from common.otp.node import Node
    from common.otp.process import Process

pytestmark = pytest.mark.usefixtures("hibernates")


class Door(GenFsm):
    """Is `closed` or `open`; a pair of a state's name and seconds (or None) has it go there."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self.seen: list[tuple[str, Any, float]] = []
        self._timeout_s = timeout_s

    def init(self) -> None:
        self.next_state(self.closed, self._timeout_s)

    def closed(self, message: Any) -> Awaitable[None] | None:
        if message == "slow":
            return asyncio.sleep(100.0)
        self._take("closed", message)
        return None

    async def opened(self, message: Any) -> None:
        await asyncio.sleep(0)
        self._take("opened", message)

    def _take(self, state: str, message: Any) -> None:
        if isinstance(message, StateTimeout):
            self.seen.append((state, "timeout", now_s()))
        elif isinstance(message, tuple):
            name, timeout_s = message
            target: State = getattr(self, name)
            self.next_state(target, timeout_s)
        elif message == "stop":
            raise Stop
        else:
            self.seen.append((state, message, now_s()))


async def start(node: Node, timeout_s: float | None = None) -> tuple[Process, Door]:
    door = Door(timeout_s)
    return await node.start(door), door


def timers() -> int:
    """Count the timers that the loop still has, apart from cancelled ones."""
    loop: Any = asyncio.get_running_loop()
    return sum(not handle.cancelled() for handle in loop._scheduled)  # noqa: SLF001  # there is no public way to see them


async def test_the_current_state_takes_casts_and_other_messages(node: Node) -> None:
    process, door = await start(node)
    process.cast("a")
    process.cast(("opened", None))
    process.send("b")
    process.cast(("closed", None))
    process.send("c")
    await idle()
    assert door.seen == [("closed", "a", 0.0), ("opened", "b", 0.0), ("closed", "c", 0.0)]


async def test_a_timeout_comes_once_and_on_time(node: Node) -> None:
    _, door = await start(node, 60.0)
    await asyncio.sleep(1000.0)
    assert door.seen == [("closed", "timeout", 60.0)]


async def test_messages_do_not_renew_a_timeout(node: Node) -> None:
    process, door = await start(node, 60.0)
    for _ in range(6):
        process.send("a byte")
        await asyncio.sleep(11.0)
    assert [(message, at_s) for _, message, at_s in door.seen][-1] == ("timeout", 60.0)


async def test_a_state_that_is_left_has_no_timeout(node: Node) -> None:
    process, door = await start(node, 60.0)
    process.cast(("opened", None))
    await asyncio.sleep(1000.0)
    assert door.seen == []
    assert timers() == 0


async def test_each_stay_has_its_own_timeout(node: Node) -> None:
    process, door = await start(node, 60.0)
    await asyncio.sleep(30.0)
    process.cast(("closed", 60.0))
    await asyncio.sleep(1000.0)
    assert door.seen == [("closed", "timeout", 90.0)]


@pytest.mark.parametrize("target", ["opened", "closed"])
async def test_a_late_timeout_of_a_state_that_was_left_is_dropped(node: Node, target: str) -> None:
    """It is in the mailbox, behind the message on which the state is left, or left and entered again."""
    process, door = await start(node, 60.0)
    process.cast("slow")
    process.cast((target, 1000.0))
    process.cast("last")
    await asyncio.sleep(500.0)
    assert door.seen == [(target, "last", 100.0)]


async def test_a_zero_timeout_comes_at_once_after_what_is_in_the_mailbox(node: Node) -> None:
    process, door = await start(node, 0.0)
    process.send("first")
    await idle()
    assert door.seen == [("closed", "first", 0.0), ("closed", "timeout", 0.0)]


async def test_the_timer_is_stopped_at_the_end(node: Node) -> None:
    for end in ("stop", None):
        process, _ = await start(node, 60.0)
        assert timers() == 1
        if end is None:
            process.exit(SHUTDOWN)
        else:
            process.cast(end)
        await process.wait()
        assert timers() == 0


async def test_the_timeout_of_a_killed_one_goes_nowhere(node: Node) -> None:
    process, door = await start(node, 60.0)
    process.kill()
    await asyncio.sleep(1000.0)
    assert door.seen == []

"""The run queue: it is fair to processes, and to the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from common.otp.scheduler import SLICE, TURN, RunQueue
from common.otp.signals import SHUTDOWN
from tests.common.otp.servers import Sleepy, raising
from tests.virtual_time import VirtualTimeLoop, idle

if TYPE_CHECKING:
    from collections.abc import Callable

    from common.otp.node import Node

MANY = 500


async def test_a_flood_to_one_lets_the_others_have_their_turns(node: Node) -> None:
    flooded, other = await node.start(Sleepy()), await node.start(Sleepy())
    handled: list[int] = []
    for number in range(100 * TURN):
        flooded.cast(number)
    other.cast(lambda _: handled.append(flooded.handled))
    await idle()
    assert handled == [TURN]
    assert flooded.handled == 100 * TURN


async def test_an_end_is_work_as_well(node: Node) -> None:
    processes = [await node.start(Sleepy()) for _ in range(2 * SLICE)]
    for process in processes:
        process.exit(SHUTDOWN)
    await asyncio.sleep(0)
    assert sum(not process.alive for process in processes) == SLICE


async def test_many_with_mail_let_the_loop_go_on(node: Node) -> None:
    processes = [await node.start(Sleepy()) for _ in range(MANY)]
    for process in processes:
        for number in range(10):
            process.cast(number)
    seen = 0
    while any(process.queued for process in processes):
        await asyncio.sleep(0)
        handled = sum(process.handled for process in processes)
        assert handled - seen <= SLICE + TURN
        seen = handled
    assert seen == 10 * MANY


def test_a_keyboard_interrupt_in_one_turn_leaves_the_others_theirs() -> None:
    turns: list[str] = []

    class Turn:
        def __init__(self, do: Callable[[], None]) -> None:
            self._do = do

        def turn(self) -> int:
            self._do()
            return 1

    loop, queue = VirtualTimeLoop(), RunQueue()
    loop.call_soon(queue.add, Turn(raising(KeyboardInterrupt())))
    loop.call_soon(queue.add, Turn(lambda: turns.append("other")))
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert turns == ["other"]

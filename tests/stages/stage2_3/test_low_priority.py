"""Messages of low priority: they wait for a crowd, but not for ever, and none is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from common.otp import SHUTDOWN, GenServer, Node
from common.otp.scheduler import SLICE, TURN
from stages.stage2_3.low_priority import AT_REST, CROWD, IDLE, LOW, REST_S, PriorityRunQueue
from tests.virtual_time import idle, run_virtual


@dataclass
class Heard:
    """What all processes have handled, in order."""

    messages: list[Any] = field(default_factory=list)


class Listener(GenServer):
    def __init__(self, heard: Heard, *, sends_on: int = 0, a_turn: bool = False) -> None:
        self._heard = heard
        self._sends_on = sends_on
        self._a_turn = a_turn

    def handle_info(self, message: Any) -> None:
        self._heard.messages.append(message)
        if self._sends_on:
            self._sends_on -= 1
            if self._a_turn:
                asyncio.get_running_loop().call_soon(self.process.send, "normal")
            else:
                self.process.send("normal")


class Hibernating(Listener):
    hibernates = True


async def crowded(low: int, normal: int, *, a_turn: bool = False) -> list[Any]:
    """Return what was handled of so many messages of low priority, and of one that brings on `normal` more.

    `a_turn`: of those comes one in each turn of the loop.
    """
    queue, heard = PriorityRunQueue(), Heard()
    node = Node(queue)
    busy = await node.start(Hibernating(heard, sends_on=normal, a_turn=a_turn))
    other = await node.start(Hibernating(heard))
    for number in range(low):
        queue.send_low(other, number)
    busy.send("normal")
    await idle()
    for process in (busy, other):
        process.exit(SHUTDOWN)
        await process.wait()
    return heard.messages


def test_one_is_delivered_for_so_many_of_normal_priority() -> None:
    messages = run_virtual(crowded(low=100, normal=10_000))
    places = [place for place, message in enumerate(messages) if message != "normal"]
    assert [messages[place] for place in places] == list(range(100))
    for number, place in enumerate(places):
        due = (number + 1) * LOW
        assert due <= place - number <= due + SLICE + TURN


def test_nor_are_they_forgotten_when_each_turn_of_the_loop_has_few_others() -> None:
    messages = run_virtual(crowded(low=10, normal=10_000, a_turn=True))
    places = [place for place, message in enumerate(messages) if message != "normal"]
    assert len(places) == 10
    assert places[-1] <= CROWD + 11 * LOW + 10


def test_all_are_delivered_when_nobody_else_has_mail() -> None:
    count = 100 * AT_REST
    messages = run_virtual(crowded(low=count, normal=0))
    assert messages == ["normal", *range(count)]


def test_what_is_more_urgent_comes_first() -> None:
    messages = run_virtual(crowded(low=1000, normal=LOW))
    assert messages[: LOW + 1] == ["normal"] * (LOW + 1)


class Urgent:
    """What has handled so many urgent messages when it has had its turn."""

    def __init__(self, messages: int) -> None:
        self._messages = messages

    def turn(self) -> int:
        return self._messages


async def delivered(*urgent: int, pause_s: float = 0.0) -> list[int]:
    """Return how many of low priority are delivered in each turn of the loop in which so many urgent ones are handled.

    `pause_s`: so long is nothing sent after the first turn, and nothing of low priority before it.
    """
    queue, heard = PriorityRunQueue(), Heard()
    process = await Node(queue).start(Hibernating(heard))
    counts = []
    for number, messages in enumerate((*urgent, 0)):
        if messages:
            queue.add(Urgent(messages))
        if number == 1 and pause_s:
            await asyncio.sleep(pause_s)
        if number == (1 if pause_s else 0):
            for low in range(1000):
                queue.send_low(process, low)
        before = len(heard.messages)
        await asyncio.sleep(0)
        counts.append(len(heard.messages) - before)
    process.kill()
    await process.wait()
    return counts[1:]  # what is delivered in a turn is handled in the next


def test_a_crowd_is_over_after_some_turns_without_an_urgent_message() -> None:
    some, few, at_rest = CROWD // LOW, [0] * (IDLE // 2), [AT_REST] * 3
    assert run_virtual(delivered(CROWD, *[0] * (IDLE + 3))) == [some, *[0] * IDLE, *at_rest]
    assert run_virtual(delivered(CROWD, *few, 1, *[0] * (IDLE + 3))) == [some, *few, 0, *[0] * IDLE, *at_rest]


def test_a_crowd_may_come_bit_by_bit() -> None:
    assert run_virtual(delivered(CROWD - 1, 1, LOW - 2, 1, LOW)) == [AT_REST, 0, 0, 1, 1]
    rest = [0] * (IDLE + 1)
    assert run_virtual(delivered(CROWD, *rest, CROWD - 1, 1))[-2:] == [AT_REST, 0]


@pytest.mark.parametrize(("pause_s", "first"), [(REST_S * 0.9, 0), (REST_S * 1.1, AT_REST)])
def test_a_crowd_is_over_after_some_time_without_an_urgent_message(pause_s: float, first: int) -> None:
    assert run_virtual(delivered(CROWD, 0, pause_s=pause_s))[-1] == first


def test_a_process_with_a_task_of_its_own_gets_them_too_and_the_dead_get_none() -> None:
    async def main() -> None:
        queue, heard = PriorityRunQueue(), Heard()
        node = Node(queue)
        process, dead = [await node.start(Listener(heard)) for _ in range(2)]
        queue.send_low(dead, "too late")
        queue.send_low(process, "in time")
        dead.exit(SHUTDOWN)
        await idle()
        process.exit(SHUTDOWN)
        await process.wait()
        assert heard.messages == ["in time"]

    run_virtual(main())

"""Messages of low priority: they wait for a crowd, but not for ever, and none is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from common.otp.gen_server import GenServer
from common.otp.node import Node
from common.otp.scheduler import AT_REST, CROWD, LOW, SLICE, TURN
from common.otp.signals import SHUTDOWN
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
    node, heard = Node(), Heard()
    busy = await node.start(Hibernating(heard, sends_on=normal, a_turn=a_turn))
    other = await node.start(Hibernating(heard))
    for number in range(low):
        other.send_low(number)
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


def test_a_process_with_a_task_of_its_own_gets_them_too_and_the_dead_get_none() -> None:
    async def main() -> None:
        node, heard = Node(), Heard()
        process, dead = [await node.start(Listener(heard)) for _ in range(2)]
        dead.send_low("too late")
        process.send_low("in time")
        dead.exit(SHUTDOWN)
        await idle()
        process.exit(SHUTDOWN)
        await process.wait()
        assert heard.messages == ["in time"]

    run_virtual(main())

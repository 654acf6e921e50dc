"""The event manager and its handlers, supervised and not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from common.otp.gen_event import REMOVE_HANDLER, AddHandler, DeleteHandler, GenEvent, HandlerExit
from common.otp.gen_server import DONE
from common.otp.process import Exit
from common.otp.signals import KILLED, NO_PROCESS, SHUTDOWN
from tests.common.otp.servers import Boom, Probe, Trapping, probe_of
from tests.virtual_time import idle

if TYPE_CHECKING:
    from common.otp.node import Node
    from common.otp.process import Process

pytestmark = pytest.mark.usefixtures("hibernates")


@dataclass
class Noting:
    """Notes each event with its own name; crashes at the event `boom`."""

    name: str
    seen: list[tuple[str, str]] = field(default_factory=list)

    def handle_event(self, event: str) -> None:
        if event == "boom":
            raise Boom
        self.seen.append((self.name, event))


class Waiting(Noting):
    """Takes a minute for each event."""

    async def handle_event(self, event: str) -> None:  # type: ignore[override]  # the protocol takes either
        await asyncio.sleep(60.0)
        super().handle_event(event)


@pytest.fixture
async def manager(node: Node) -> Process:
    return await node.start(GenEvent())


def handlers(manager: Process) -> int:
    assert isinstance(manager.server, GenEvent)
    return manager.server.handlers


def is_linked(one: Process, other: Process) -> bool:
    return other in one._links  # noqa: SLF001  # what must be undone is not for the public


async def test_every_handler_gets_every_event_in_order_of_adding(manager: Process) -> None:
    seen: list[tuple[str, str]] = []
    for name in "abc":
        assert await manager.call(AddHandler(name, Noting(name, seen))) is True
    manager.cast("goal")
    manager.cast("stop")
    await idle()
    assert seen == [(name, event) for event in ("goal", "stop") for name in "abc"]
    assert handlers(manager) == 3


async def test_a_handler_that_waits_keeps_the_order(manager: Process) -> None:
    seen: list[tuple[str, str]] = []
    await manager.call(AddHandler("a", Waiting("a", seen)))
    await manager.call(AddHandler("b", Noting("b", seen)))
    manager.cast("goal")
    await idle()
    assert seen == []
    await asyncio.sleep(60.0)
    assert seen == [("a", "goal"), ("b", "goal")]


async def test_a_deleted_handler_gets_nothing_more(manager: Process) -> None:
    handler = Noting("a")
    await manager.call(AddHandler("a", handler))
    manager.cast("goal")
    assert await manager.call(DeleteHandler("a")) is True
    manager.cast("stop")
    assert await manager.call(DeleteHandler("a")) is False
    assert handler.seen == [("a", "goal")]


async def test_a_handler_takes_the_place_of_one_with_its_id(manager: Process) -> None:
    old, new = Noting("old"), Noting("new")
    await manager.call(AddHandler("a", old))
    await manager.call(AddHandler("a", new))
    manager.cast("goal")
    await idle()
    assert (old.seen, new.seen) == ([], [("new", "goal")])


@pytest.mark.parametrize("kind", [Noting, Waiting])
async def test_a_handler_that_crashes_goes_alone_and_its_owner_is_told(
    node: Node, manager: Process, kind: type[Noting], caplog: pytest.LogCaptureFixture
) -> None:
    owner, good = await node.start(Probe()), Noting("good")
    await manager.call(AddHandler("bad", kind("bad"), owner))
    await manager.call(AddHandler("good", good))
    for event in ("goal", "boom", "stop"):
        manager.cast(event)
    await asyncio.sleep(300.0)
    assert manager.alive
    assert good.seen == [("good", "goal")]
    assert handlers(manager) == 0, "the good one crashed as well, and nobody owns it"
    (exit_,) = probe_of(owner).seen
    assert isinstance(exit_, HandlerExit)
    assert (exit_.manager, exit_.id) == (manager, "bad")
    assert isinstance(exit_.reason, Boom)
    assert not is_linked(manager, owner)
    assert [record.message for record in caplog.records] == [
        "handler 'bad' of GenEvent crashed",
        "handler 'good' of GenEvent crashed",
    ]
    assert "in handle_event" in caplog.text, "the traceback tells where"


async def test_the_others_get_the_event_that_crashes_one(manager: Process) -> None:
    class Deaf(Noting):
        def handle_event(self, event: str) -> None:
            raise Boom

    good = Noting("good")
    await manager.call(AddHandler("bad", Deaf("bad")))
    await manager.call(AddHandler("good", good))
    manager.cast("goal")
    await idle()
    assert good.seen == [("good", "goal")]
    assert handlers(manager) == 1


@pytest.mark.parametrize("waits", [False, True])
async def test_a_handler_may_remove_itself(
    node: Node, manager: Process, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Once(Noting):
        def handle_event(self, event: str) -> object:  # type: ignore[override]  # the protocol takes either
            super().handle_event(event)
            return self.leave() if waits else REMOVE_HANDLER

        async def leave(self) -> object:
            await asyncio.sleep(1.0)
            return REMOVE_HANDLER

    once, always, owner = Once("once"), Noting("always"), await node.start(Probe())
    await manager.call(AddHandler("once", once, owner))
    await manager.call(AddHandler("always", always))
    for event in ("goal", "stop"):
        manager.cast(event)
    await asyncio.sleep(10.0)
    assert once.seen == [("once", "goal")]
    assert always.seen == [("always", "goal"), ("always", "stop")]
    assert not is_linked(manager, owner)
    assert probe_of(owner).seen == []
    assert not caplog.records


async def test_a_handler_that_removes_itself_does_not_remove_who_has_taken_its_place(manager: Process) -> None:
    good = Noting("good")

    class Replaced(Noting):
        def handle_event(self, event: str) -> object:  # type: ignore[override]  # the protocol takes either
            assert isinstance(manager.server, GenEvent)
            manager.server.handle_call(AddHandler("a", good), asyncio.get_running_loop().create_future())
            return REMOVE_HANDLER

    await manager.call(AddHandler("a", Replaced("bad")))
    manager.cast("goal")
    manager.cast("stop")
    await idle()
    assert good.seen == [("good", "stop")]


async def test_no_coroutine_is_made_for_handlers_that_need_not_wait(manager: Process) -> None:
    assert isinstance(manager.server, GenEvent)
    for name in "abc":
        await manager.call(AddHandler(name, Noting(name)))
    assert manager.server.handle_cast("goal") is DONE


async def test_a_coroutine_of_a_subclass_can_await_the_fan_out(node: Node) -> None:
    class Counting(GenEvent):
        events = 0

        async def handle_cast(self, message: str) -> None:
            await super().handle_cast(message)
            self.events += 1

    server, seen = Counting(), list[tuple[str, str]]()
    manager = await node.start(server)
    for handler in (Noting("a", seen), Waiting("b", seen)):
        await manager.call(AddHandler(handler.name, handler))
        manager.cast("goal")
        await asyncio.sleep(61.0)
    assert server.events == 2
    assert seen == [("a", "goal"), ("a", "goal"), ("b", "goal")]


async def test_any_number_of_handlers_may_wait(manager: Process) -> None:
    class Yielding(Noting):
        async def handle_event(self, event: str) -> None:  # type: ignore[override]  # the protocol takes either
            await asyncio.sleep(0)
            super().handle_event(event)

    seen: list[tuple[str, str]] = []
    for number in range(3000):
        await manager.call(AddHandler(number, Yielding(str(number), seen)))
    manager.cast("goal")
    await idle()
    assert [int(name) for name, _ in seen] == list(range(3000))


async def test_the_handlers_of_an_owner_that_ends_go_with_it(node: Node, manager: Process) -> None:
    owner, other = await node.start(Probe()), await node.start(Probe())
    for id_, who in (("a", owner), ("b", owner), ("c", other), ("d", None)):
        await manager.call(AddHandler(id_, Noting(id_), who))
    owner.exit(SHUTDOWN)
    await idle()
    assert handlers(manager) == 2
    assert await manager.call(DeleteHandler("c")) is True
    assert await manager.call(DeleteHandler("d")) is True


async def test_a_handler_of_a_dead_owner_does_not_stay(node: Node, manager: Process) -> None:
    owner = await node.start(Probe())
    owner.kill()
    await owner.wait()
    await manager.call(AddHandler("a", Noting("a"), owner))
    await idle()
    assert handlers(manager) == 0


async def test_the_last_handler_of_an_owner_unlinks_it(node: Node, manager: Process) -> None:
    owner = await node.start(Trapping())
    for id_ in "ab":
        await manager.call(AddHandler(id_, Noting(id_), owner))
    await manager.call(DeleteHandler("a"))
    assert is_linked(manager, owner)
    await manager.call(DeleteHandler("b"))
    assert not is_linked(manager, owner)
    manager.exit(SHUTDOWN)
    await idle()
    assert probe_of(owner).seen == [], "a handler that was deleted is not news"


async def test_an_owner_whose_last_handler_is_replaced_is_unlinked(node: Node, manager: Process) -> None:
    old, new = await node.start(Trapping()), await node.start(Trapping())
    for owner in (old, new, new):
        await manager.call(AddHandler("a", Noting("a"), owner))
    assert not is_linked(manager, old)
    assert is_linked(manager, new)
    await manager.call(AddHandler("a", Noting("a")))
    assert not is_linked(manager, new)


@pytest.mark.parametrize("reason", [SHUTDOWN, KILLED])
async def test_owners_that_trap_exits_are_told_of_the_managers_end(node: Node, manager: Process, reason: str) -> None:
    trapping, plain = await node.start(Trapping()), await node.start(Probe())
    for owner in (trapping, plain):
        await manager.call(AddHandler(owner, Noting("x"), owner))
    if reason == KILLED:
        manager.kill()
    else:
        manager.exit(reason)
    await plain.wait()
    assert probe_of(trapping).seen == [Exit(manager, reason)]
    assert probe_of(plain).ended == [reason]


async def test_the_exit_of_who_owns_nothing_and_other_messages_are_passed_over(node: Node, manager: Process) -> None:
    stranger, dead = await node.start(Probe()), await node.start(Probe())
    await manager.call(AddHandler("a", Noting("a")))
    stranger.link(manager)
    stranger.kill()
    dead.kill()
    await dead.wait()
    manager.link(dead)
    manager.send(Exit(dead, NO_PROCESS))
    manager.send("hello")
    await idle()
    assert manager.alive
    assert handlers(manager) == 1

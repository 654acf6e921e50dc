"""Processes of a stage crash, or are killed: they are supervised as in OTP, and everybody else goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from common.otp import AddHandler
from stages.stage0.client import Client
from stages.stage0.user import Subscription
from stages.traffic import Drop
from tests.stages.in_process.running import are_subscribed, play_on, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from common.otp import Process
    from stages.stage0.messages import Notification
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running


def kill(process: Process) -> None:
    process.kill()


def crash(process: Process) -> None:
    """Have a process meet messages that it cannot handle."""
    process.cast(None)
    process.send(object())


injected = pytest.mark.parametrize("end", [kill, crash])


class Broken:
    """A handler that crashes at its first event."""

    def __init__(self, user: Process, client: Process) -> None:
        del user, client

    def handle_event(self, event: Notification) -> None:
        raise RuntimeError(f"injected: {event!r}")


class Lossy:
    """A handler that loses its first event."""

    def __init__(self, user: Process, client: Process) -> None:
        self._next = Subscription(user, client)
        self._lost = False

    def handle_event(self, event: Notification) -> None:
        if self._lost:
            self._next.handle_event(event)
        self._lost = True


# With monitors, from stage 2.2 on, nobody supervises a handler or is told of its crash; what it did must not crash.
@pytest.mark.parametrize(
    ("stage", "handler"), [("0", Broken), ("0", Lossy), ("2.2", Lossy), ("2.5", Lossy)], indirect=["stage"]
)
async def test_a_handler_crashes_or_loses_an_event(
    running: Running, connect: Connect, game: Game, handler: type[Broken | Lossy]
) -> None:
    is_supervised = not running.stage.has("monitors")
    async with connect() as unlucky:
        await unlucky.watch("one", game.id)
        await are_subscribed(game, [unlucky])
        (client,) = running.node.servers(Client)
        (manager,) = (manager for manager in running.event_managers(game) if manager.handlers)
        user = running.node["user-one"]
        async with watching(connect, game, "one", "two") as others:
            id_ = (game.id, "one", client.process)
            owner = user if is_supervised else None
            await manager.process.call(AddHandler(id_, handler(user, client.process), owner))
            await play_on(game, [unlucky], others)


async def test_a_match_stops_right_after_an_event_that_was_lost(running: Running, connect: Connect, game: Game) -> None:
    async with connect() as unlucky:
        await unlucky.watch("one", game.id)
        await are_subscribed(game, [unlucky])
        (client,) = running.node.servers(Client)
        (manager,) = (manager for manager in running.event_managers(game) if manager.handlers)
        user = running.node["user-one"]
        owner = None if running.stage.has("monitors") else user
        id_ = (game.id, "one", client.process)
        await manager.process.call(AddHandler(id_, Lossy(user, client.process), owner))
        await game.foul("lost")
        await game.stop()
        await unlucky.read_to_end()
    assert unlucky.kinds == ["status", "foul", "foul", "stop"]
    assert unlucky.told()[-1] == "lost"


async def test_who_goes_takes_its_handler_along_and_leaves_its_users_other_one(
    running: Running, connect: Connect, game: Game
) -> None:
    def handlers() -> int:
        return sum(manager.handlers for manager in running.event_managers(game))

    async with watching(connect, game, "one") as (stays,):
        async with watching(connect, game, "one") as (goes,):
            await are_subscribed(game, [stays, goes])
            assert handlers() == 2
            goes.reset()
        await eventually(lambda: handlers() == 1, "the handler of who has gone is removed")
        await game.stop()
        await stays.read_to_end()
    assert stays.kinds == ["status", "foul", "stop"]


async def test_a_client_is_killed_and_its_connection_ends(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, "one") as (unlucky,):
        (client,) = running.node.servers(Client)
        client.process.kill()
        await unlucky.read_to_end()
    async with watching(connect, game, "two") as (other,):
        await play_on(game, [other])


@injected
async def test_a_user_crashes(running: Running, connect: Connect, game: Game, end: Callable[[Process], None]) -> None:
    async with (
        watching(connect, game, "one", "one") as unlucky,
        watching(connect, game, "two", "three") as others,
    ):
        await game.foul("before")
        end(running.node["user-one"])
        for fan in unlucky:
            await fan.read_to_end()
        drops = (await game.api.statistics()).drops
        assert {reason: count for reason, count in drops.items() if count} == {Drop.CRASH: len(unlucky)}
        async with watching(connect, game, "one") as again:
            await play_on(game, others, again)


@injected
@pytest.mark.parametrize("kind", ["dispatcher", "match"])
async def test_the_dispatcher_or_its_match_crashes(
    running: Running, connect: Connect, game: Game, kind: str, end: Callable[[Process], None]
) -> None:
    async with watching(connect, game, "one", "one", "two") as fans:
        await game.foul("before")
        match = running.node[f"match-{game.id}"]
        end(running.dispatcher(game) if kind == "dispatcher" else match)
        async with watching(connect, game, "late") as late:
            await play_on(game, fans, late)
    assert not match.alive


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("db", crash),  # killed, it would leave its connection to the garbage collector, which complains
        ("client_listener-{port}", crash),
        ("client_listener-{port}", kill),
        ("web", crash),
        ("web", kill),
        ("match_sup", crash),
        ("match_sup", kill),
    ],
)
async def test_a_process_that_everybody_needs_crashes(
    running: Running, connect: Connect, game: Game, name: str, end: Callable[[Process], None]
) -> None:
    name = name.format(port=running.addresses.fans[0])
    async with watching(connect, game, "one", "two") as fans:
        await game.foul("before")
        ended = running.node[name]
        end(ended)
        await running.replaced(name, ended)
        async with watching(connect, game, "late") as late:
            await play_on(game, fans, late)


@injected
@pytest.mark.parametrize("name", ["client_sup", "user_sup"])
async def test_a_supervisor_of_fans_crashes(
    running: Running, connect: Connect, game: Game, name: str, end: Callable[[Process], None]
) -> None:
    """As in OTP its children end with it; fans connect anew."""
    async with watching(connect, game, "one", "two") as fans:
        ended = running.node[name]
        end(ended)
        for fan in fans:
            await fan.read_to_end()
        await running.replaced(name, ended)
    async with watching(connect, game, "one", "two") as fans:
        await play_on(game, fans)


async def test_a_match_that_keeps_crashing_takes_its_supervisor_along_and_no_fan(
    running: Running, connect: Connect, game: Game
) -> None:
    supervisor, name = running.node["match_sup"], f"match-{game.id}"
    async with watching(connect, game, "one", "two") as fans:
        while supervisor.alive:
            match = running.node.whereis(name)
            if match is None:
                await asyncio.sleep(0)
            else:
                match.kill()
                await match.wait()
        await running.replaced("match_sup", supervisor)
        await play_on(game, fans)

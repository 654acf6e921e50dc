"""Handlers without supervision: who ends is noticed all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.catalogue import find_stage
from tests.stages.in_process.running import play_on, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running


@pytest.fixture(params=[(), ("repeaters",)], ids=["alone", "with repeaters"])
def stage(request: pytest.FixtureRequest) -> Stage:
    repeaters: tuple[str, ...] = request.param
    return find_stage("0", added=["monitors", *repeaters])


def handlers(running: Running, game: Game) -> int:
    return sum(manager.handlers for manager in running.event_managers(game))


async def test_the_handlers_of_a_user_that_crashed_go_at_the_next_event(
    running: Running, connect: Connect, game: Game
) -> None:
    async with watching(connect, game, "one", "one") as unlucky, watching(connect, game, "two") as fans:
        assert handlers(running, game) == 3
        running.node["user-one"].kill()
        for fan in unlucky:
            await fan.read_to_end()
        assert handlers(running, game) == 3
        await game.foul("next")
        await fans[0].read_events(1)
        await eventually(lambda: handlers(running, game) == 1, "one handler is left")
        await play_on(game, [], [])
        await fans[0].read_to_end()
        assert fans[0].told() == ["next", "after-0", "after-1", "after-2"]


async def test_the_handler_of_a_fan_that_leaves_goes_at_once(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, "one", "two") as fans:
        async with watching(connect, game, "one") as (fan,):
            assert handlers(running, game) == 3
            fan.reset()  # one that only closed its side might still listen
        await eventually(lambda: handlers(running, game) == 2, "the handler is gone")
        assert running.node.whereis("user-one") is not None  # it has another fan
        await play_on(game, fans)


async def test_a_user_without_fans_ends(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, "one") as (fan,):
        fan.reset()
    await eventually(lambda: running.node.whereis("user-one") is None, "the user ends")
    assert handlers(running, game) == 0


async def test_a_dispatcher_that_ends_is_subscribed_to_anew(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, "one", "one", "two") as fans:
        await game.foul("before")
        for round_ in range(3):
            (manager, *_) = (manager for manager in running.event_managers(game) if manager.handlers)
            match = running.match(game).process
            manager.process.kill()
            await running.replaced(match.name, match)
            await eventually(lambda: handlers(running, game) == 3, "all subscribe anew")
            await game.insist(f"round {round_}")
        await play_on(game, fans)

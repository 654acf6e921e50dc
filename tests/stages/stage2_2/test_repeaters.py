"""Repeaters have their share of the users each, and lose nothing on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.catalogue import find_stage
from stages.stage0.dispatcher import Dispatcher
from stages.stage2_2 import REPEATERS
from tests.stages.in_process.running import play_on, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.otp import Process
    from stages.stage import Stage
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running

CROWD = [f"user-{number}" for number in range(2 * REPEATERS)]


@pytest.fixture(params=[(), ("monitors",)], ids=["alone", "with monitors"])
def stage(request: pytest.FixtureRequest) -> Stage:
    monitors: tuple[str, ...] = request.param
    return find_stage("0", added=["repeaters", *monitors])


def end_of(process: Process, how: str) -> None:
    if how == "kill":
        process.kill()
    else:
        process.send(object())
        process.cast(None)


async def test_users_are_placed_on_the_repeaters_evenly(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, *CROWD) as fans:
        managers = running.event_managers(game)
        assert [manager.handlers for manager in managers] == [2] * REPEATERS
        dispatcher = running.dispatcher(game)
        assert dispatcher.server not in managers
        assert isinstance(dispatcher.server, Dispatcher)
        assert dispatcher.server.handlers == REPEATERS
        await play_on(game, fans)


async def test_the_end_comes_after_the_last_event(running: Running, connect: Connect, game: Game) -> None:
    """The match ends right after it has sent the last event, and its repeaters with it."""
    async with watching(connect, game, *CROWD) as fans:
        match = running.match(game).process
        repeaters = [manager.process for manager in running.event_managers(game)]
        assert len(repeaters) == REPEATERS
        for number in range(20):
            await game.foul(f"{number}")
        await game.stop()
        for fan in fans:
            await fan.read_to_end()
            assert fan.told() == [f"{number}" for number in range(20)]
            assert fan.kinds[-1] == "stop"
        await match.wait()
        for repeater in repeaters:
            await repeater.wait()
        await eventually(lambda: not any(running.node.servers(Dispatcher)), "none is left")


@pytest.mark.parametrize("how", ["kill", "crash"])
async def test_a_repeater_crashes(running: Running, connect: Connect, game: Game, how: str) -> None:
    async with watching(connect, game, *CROWD) as fans:
        await game.foul("before")
        match = running.match(game).process
        end_of(running.event_managers(game)[3].process, how)
        await running.replaced(match.name, match)
        async with watching(connect, game, *(f"late-{number}" for number in range(REPEATERS))) as late:
            await play_on(game, fans, late)

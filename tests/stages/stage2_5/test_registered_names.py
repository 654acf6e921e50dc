"""Dispatchers by name: a user finds its own by the hash of its id, and the names end with the match."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from stages.catalogue import find_stage
from stages.stage0.match_sup import MatchSup
from stages.stage0.user_sup import UserSup
from stages.stage2_2 import REPEATERS
from stages.stage2_5.registered_names import event_manager
from tests.stages.in_process.running import are_subscribed, play_on, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.otp import Node, Process
    from stages.stage import Stage
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running

USERS = [f"user-{number}" for number in range(20)]


@pytest.fixture(params=["2.5", "0"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """Return a stage with repeaters, and one without."""
    return find_stage(request.param, added=[] if request.param == "2.5" else ["registered-names"])


def names(running: Running, game: Game) -> list[str]:
    """Return the names that the match's dispatchers may have."""
    many = REPEATERS if running.stage.has("repeaters") else 1
    return [event_manager(game.id, number) for number in range(many)]


async def test_users_are_where_their_hash_says(running: Running, connect: Connect, game: Game) -> None:
    expected = names(running, game)
    async with watching(connect, game, *USERS) as fans:
        await are_subscribed(game, fans)
        managers = running.event_managers(game)
        assert [running.node.whereis(name) for name in expected] == [manager.process for manager in managers]
        assert running.node.whereis(event_manager(game.id, len(expected))) is None
        placed = Counter(crc32(user.encode()) % len(expected) for user in USERS)
        assert [manager.handlers for manager in managers] == [placed[number] for number in range(len(expected))]
        await play_on(game, fans)


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_the_names_end_with_the_match(running: Running, connect: Connect, game: Game, how: str) -> None:
    async with watching(connect, game, "one") as fans:
        assert all(running.node.whereis(name) for name in names(running, game))
        await (game.stop() if how == "stop" else game.api.cancel_match(game.id))
        await fans[0].read_to_end()
    gone = [f"match-{game.id}", "user-one", *names(running, game)]
    await eventually(lambda: not any(map(running.node.whereis, gone)), "no name is left")
    if how == "cancel":
        await game.api.create_match(game.new)
        await game.start()
        async with watching(connect, game, "one") as fans:
            await play_on(game, fans)


async def test_nobody_who_is_there_is_asked_for(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(node: Node, name: str) -> Process:
        raise AssertionError(f"{name} is registered on {node}")

    async with watching(connect, game, "one") as fans:
        with monkeypatch.context() as patch:
            patch.setattr(UserSup, "start_user", refuse)
            patch.setattr(MatchSup, "start_match", refuse)
            async with watching(connect, game, "one") as late:
                await game.foul("next")
                for fan in (*fans, *late):
                    await fan.read_events(1)
        await play_on(game, [], [])

"""A fan who has closed its side, and then is gone: nobody reads from it, so it has to be looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.stage0.client import Client
from stages.traffic import Drop
from tests.stages.in_process.running import are_subscribed, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    import pytest

    from common.http.client import ReporterClient
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running


async def test_who_is_gone_is_found_out_though_nothing_happens(
    running: Running, connect: Connect, game: Game, api: ReporterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.stage0.client.CHECK_S", 0.01)

    def clients() -> int:
        return sum(1 for _ in running.node.servers(Client))

    async with watching(connect, game, "gone", "there") as fans:
        gone, there = fans
        for fan in fans:
            fan.say_no_more()
        await are_subscribed(game, fans)
        gone.reset()
        await eventually(lambda: clients() == 1, "one fan is left")
        await game.foul("to who is there")
        await there.read_events(2)
    assert (await api.statistics()).drops[Drop.BROKEN] == 0

"""The log of the baseline says what every process was asked, the database by the name of each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.domain.posts import Stop
from common.http.client import ReporterClient
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_database_logs_what_it_is_asked_for(tmp_path: Path) -> None:
    with ServerProcess("0", tmp_path) as server:
        async with ReporterClient(server.url, TOKEN) as api, Fan(next(server.fan_addresses())) as fan:
            game = await Game.announced(api, "logged")
            await game.start()
            await fan.watch("one", game.id)
            await api.checkin()
            await api.matches()
            await api.history(game.id)
            for _ in range(2):
                await api.post_event(game.id, Stop(), key="the-end")
            for _ in range(2):
                await api.cancel_match(game.id, key="gone")
        lines = server.log().splitlines()
    asked = [name for line in lines if (name := line.partition("matchstream.messages:db <- ")[2])]
    assert asked[:5] == ["PutTeam", "PutTeam", "TeamOf", "TeamOf", "CreateMatch"]
    assert set(asked) == {
        *("Ping", "MatchOf", "VersionOf", "StatusOf", "MatchesAfter", "HistoryAfter", "AcceptedUnder"),
        *("CancelledUnder", "TeamOf", "PutTeam", "CreateMatch", "AppendEvent", "CancelMatch", "CountVisit"),
    }

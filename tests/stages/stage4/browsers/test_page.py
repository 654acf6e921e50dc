"""The page of a match, in Chromium."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from common.domain.posts import Card, Goal, Shot, Substitution
from common.http.client import ReporterClient
from tests.stages.chromium import MARKUP, TOO_WIDE, Shown, chromium, needs_chromium
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.stage4.workers import WorkersProcess, serving, workers

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = needs_chromium


class Watched(Shown):
    """A page of a match."""

    async def score(self) -> tuple[str, str]:
        return await self.text("#home-score"), await self.text("#visit-score")


async def open_page(browser: Browser, server: ServerProcess, match_id: str, width: int = 1100) -> Watched:
    watched = Watched(await browser.new_page(viewport={"width": width, "height": 800}))
    await watched.page.goto(f"http://{server.host}:{server.browser_ports[0]}/match/{match_id}")
    return watched


async def test_a_match_in_two_browsers_and_by_telnet_while_a_worker_is_killed(tmp_path: Path) -> None:
    with WorkersProcess(tmp_path, "--browser-port", "0") as server:
        async with ReporterClient(server.url, TOKEN) as api, chromium() as browser:
            game = await Game.announced(api, "page")
            await game.start()
            await serving(api)
            pages = [await open_page(browser, server, game.id, width) for width in (1100, 320)]
            async with Fan(next(server.fan_addresses())) as fan:
                await fan.watch("fan", game.id)
                for watched in pages:
                    await watched.says("#link", "live")
                    assert await watched.score() == ("0", "0")
                await game.post(Goal(team=game.new.home, player=7, comment=MARKUP))
                for watched in pages:
                    await watched.says("#goal", f"Goal for {game.new.home}, Luna (7), {MARKUP}: {game.new.home} 1, ")
                    assert await watched.score() == ("1", "0")
                for worker in (await workers(api)).values():
                    os.kill(worker.pid, signal.SIGKILL)
                await game.post(Substitution(team=game.new.home, player_in=10, player_out=7))
                await game.post(Card(team=game.new.visit, player=10, card="red"))
                await game.post(Shot(team=game.new.home))
                for watched in pages:
                    await watched.says("#events", "Shot")
                    assert await watched.events() == [
                        f"Shot, {game.new.home}",
                        f"Red card, Ñandú (10), {game.new.visit}",
                        f"Substitution, Luna (7) off, Ñandú (10) on, {game.new.home}",
                        f"Goal for {game.new.home}, Luna (7), {MARKUP}",
                    ]
                    assert await watched.text("#home-players") == "1 Casals 10 Ñandú"
                    assert await watched.text("#visit-players") == "12 Ba (7)"
                    await watched.says("#link", "live")
                await game.stop()
                for watched in pages:
                    await watched.says("#link", "the match is over")
                    assert await watched.text("#period") == "full time"
                    assert await watched.page.title() == f"{game.new.home} 1 : 0 {game.new.visit}"
                    assert watched.complaints == []
                    assert watched.asked == {f"http://{server.host}:{server.browser_ports[0]}"}
                    assert await watched.page.evaluate(TOO_WIDE) == 0


async def test_it_says_what_it_waits_for_and_that_it_is_delayed(tmp_path: Path) -> None:
    async with chromium() as browser:
        with ServerProcess("4", tmp_path, "--workers", "0", "--browser-port", "0") as server:
            async with ReporterClient(server.url, TOKEN) as api:
                nobody = await open_page(browser, server, "nobody")
                await nobody.says("#link", "nobody")
                game = await Game.announced(api, "late")
                watched = await open_page(browser, server, game.id)
                await watched.says("#link", "waiting for the kick-off")
                await game.start()
                await watched.says("#link", "live")
        await watched.says(".delayed", "delayed: ")

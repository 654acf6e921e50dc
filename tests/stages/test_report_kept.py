"""The page of a reporter where the browser keeps nothing for it: it works, and says what that means."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from common.http.client import ReporterClient
from tests.stages.chromium import FLAGS, needs_chromium
from tests.stages.game import Game
from tests.stages.reporting import Reporter, kinds, reported
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_chromium

BLOCKED = {"profile": {"default_content_setting_values": {"cookies": 2}}}
"""A profile whose owner has set that sites may keep nothing: whoever says sessionStorage there gets a SecurityError."""
LOST = "the token, and what waits, are lost when it is closed or loaded anew"


async def goes_through(reporter: Reporter, game: Game) -> None:
    """Report while the server is away, and see it come."""
    await reporter.page.route("**/1/**", lambda route: route.abort())
    await reporter.goal(7)
    await reporter.says("#waiting-posts", "tried")
    await reporter.says("#fleeting", LOST)
    await reporter.page.unroute("**/1/**")
    await reporter.answered()
    assert await kinds(game) == ["start", "goal"]
    assert reporter.complaints == []


async def test_a_browser_that_keeps_nothing(tmp_path: Path) -> None:
    from playwright.async_api import async_playwright  # noqa: PLC0415  # only where there is a browser

    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(BLOCKED))
    with ServerProcess("4", tmp_path, "--nodes", "1", "--workers", "0") as server:
        async with async_playwright() as playwright, ReporterClient(server.url, TOKEN) as api:
            game = await Game.announced(api, "blocked")
            await game.start()
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=shutil.which("chromium"), args=FLAGS
            )
            try:
                reporter = await Reporter.opened(await context.new_page(), server.url, game.id)
                await reporter.says("#fleeting", LOST)
                await reporter.sign_in()
                await goes_through(reporter, game)
                await reporter.page.locator("#sign-out").click()
                await reporter.page.locator("#sign-in").wait_for()
                await reporter.sign_in()
                await reporter.page.reload()
                await reporter.page.locator("#sign-in").wait_for()
            finally:
                await context.close()


async def test_a_browser_that_keeps_no_more(tmp_path: Path) -> None:
    async with reported(tmp_path, "full") as (reporter, game):
        assert not await reporter.page.locator("#fleeting").is_visible()
        fill = """() => { for (let size = 2 ** 22; size >= 1; ) {
            try { sessionStorage.setItem("x" + Math.random(), "x".repeat(size)); } catch { size /= 2; }
        } }"""
        await reporter.page.evaluate(fill)
        await goes_through(reporter, game)

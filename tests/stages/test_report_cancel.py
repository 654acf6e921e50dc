"""A reporter cancels a match, on a phone and by keyboard: not by accident, once, and not another one than was shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from common.http.client import ApiError
from tests.stages.chromium import needs_chromium
from tests.stages.reporting import kinds, reported

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Route

    from tests.stages.game import Game
    from tests.stages.reporting import Reporter

pytestmark = needs_chromium


async def cancel(reporter: Reporter) -> None:
    """Tap on what cancels, and confirm that."""
    await reporter.tap(reporter.page.locator("#cancel"))
    await reporter.choose("Cancel the match")


async def is_gone(reporter: Reporter, game: Game) -> None:
    """Wait until the page says that the match is cancelled, and see that it is."""
    await reporter.says("#said", f"Accepted: Cancel the match {game.id}")
    await reporter.says("#wrong", f"There is no match {game.id} here")
    await reporter.says("#title", "Report a match")
    with pytest.raises(ApiError, match="404"):
        await game.api.match(game.id)


async def test_it_is_confirmed_on_a_phone_and_shown_as_any_post(tmp_path: Path) -> None:
    async with reported(tmp_path, "phone") as (reporter, game):
        page, button = reporter.page, reporter.page.locator("#cancel")
        await button.tap()
        await reporter.says("#choice-title", f"Cancel {game.id}? It is deleted with its event, for good")
        await reporter.rested()
        await page.locator("#back").tap()
        await page.locator("#choice").wait_for(state="hidden")
        await page.route("**/1/**", lambda route: route.abort())
        await reporter.rested()
        await cancel(reporter)
        await reporter.says("#waiting-posts", f"Cancel the match {game.id} tried")
        assert not await page.locator("#playing").is_visible()
        assert not await button.is_visible()
        await reporter.button("Remove: Cancel the match").click()
        await reporter.player(7).wait_for()
        await page.unroute("**/1/**")
        assert await kinds(game) == ["start"]
        await cancel(reporter)
        await is_gone(reporter, game)
        await page.locator("#announcing").wait_for()
        assert not await button.is_visible()
        assert reporter.complaints == []


async def test_by_keyboard_one_has_to_go_from_the_way_back_to_it(tmp_path: Path) -> None:
    async with reported(tmp_path, "keys") as (reporter, game):
        focused, keyboard = "document.activeElement.id || document.activeElement.textContent", reporter.page.keyboard
        await reporter.page.locator("#cancel").focus()
        await keyboard.press("Enter")
        await reporter.page.locator("#choice").wait_for()
        assert await reporter.page.evaluate(focused) == "back"
        await reporter.rested()
        await keyboard.press("Enter")
        await reporter.page.locator("#choice").wait_for(state="hidden")
        assert await reporter.page.evaluate(focused) == "cancel"
        assert await kinds(game) == ["start"]
        await reporter.rested()
        await keyboard.press("Enter")
        await reporter.rested()
        await keyboard.press("Shift+Tab")
        assert await reporter.page.evaluate(focused) == "Cancel the match"
        await keyboard.press("Enter")
        await is_gone(reporter, game)
        assert reporter.complaints == []


async def test_where_the_answer_is_lost_it_is_asked_for_again_under_its_key(tmp_path: Path) -> None:
    async with reported(tmp_path, "lost") as (reporter, game):
        keys: list[str] = []

        async def lose_one(route: Route) -> None:
            if route.request.method != "DELETE":
                await route.continue_()
                return
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) == 1:
                await route.fetch()
                await route.abort()
                return
            await route.continue_()

        await reporter.page.route("**/1/match/*", lose_one)
        await cancel(reporter)
        await is_gone(reporter, game)
        assert keys[0] == keys[1]
        assert not await reporter.page.locator("#refused").is_visible()
        assert reporter.complaints == []


async def test_what_was_not_shown_is_not_deleted(tmp_path: Path) -> None:
    async with reported(tmp_path, "shown") as (reporter, game):
        await reporter.goal(7)
        await reporter.says("#said", "Accepted: Goal")
        await reporter.tap(reporter.page.locator("#cancel"))
        await reporter.says("#choice-title", "with its 2 events")
        await game.foul("unseen")
        await reporter.choose("Cancel the match")
        await reporter.says("#refused-posts .reason", "it has 3 events now")
        await reporter.player(7).wait_for()
        assert await kinds(game) == ["start", "goal", "foul"]
        await reporter.rested()
        await reporter.button("Send all the same").click()
        await is_gone(reporter, game)
        assert reporter.complaints == []

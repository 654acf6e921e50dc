"""A reporter at the page `/report/<id>`, on a phone unless told otherwise."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from common.http.client import ReporterClient
from tests.stages.chromium import Shown, chromium
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from playwright.async_api import Browser, Locator, Page

PHONE = (360, 640)


async def kinds(game: Game) -> Sequence[str]:
    """Return what was accepted of a match."""
    return [event.kind for event in await game.api.history(game.id)]


@asynccontextmanager
async def reported(directory: Path, prefix: str) -> AsyncIterator[tuple[Reporter, Game]]:
    """Serve a match that has begun, and give who is signed in to report it."""
    with ServerProcess("4", directory, "--nodes", "1", "--workers", "0") as server:
        async with chromium() as browser, ReporterClient(server.url, TOKEN) as api:
            game = await Game.announced(api, prefix)
            await game.start()
            reporter = await Reporter.at(browser, server.url, game.id)
            await reporter.sign_in()
            yield reporter, game


class Reporter(Shown):
    """Taps what there is to be tapped; each time it waits until the page takes the next tap."""

    @classmethod
    async def at(cls, browser: Browser, url: str, match_id: str = "", size: tuple[int, int] = PHONE) -> Self:
        """Open the page, in a browser that has nothing of others."""
        context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=True)
        return await cls.opened(await context.new_page(), url, match_id)

    @classmethod
    async def opened(cls, page: Page, url: str, match_id: str = "") -> Self:
        """Go there in a page that is there."""
        reporter = cls(page)
        await page.goto(f"{url}/report/{match_id}".rstrip("/"))
        return reporter

    async def beside(self) -> Self:
        """Return another reporter of the same match, who has signed in on another phone."""
        browser = self.page.context.browser
        assert browser is not None
        url, match_id = self.page.url.split("/report/")
        other = await self.at(browser, url, match_id)
        await other.sign_in()
        return other

    async def stops_its_clock(self) -> None:
        """Have the page's clock stand still but for `clock.run_for`: nothing is read by itself, and a tap is a rest."""
        await self.page.clock.install()
        await self.page.reload()
        await self.page.locator(".players li:visible").first.wait_for()
        await self.page.locator("#events li").first.wait_for()
        await self.page.clock.pause_at(await self.page.evaluate("Date.now()") + 1000)

    async def sign_in(self, token: str = TOKEN) -> None:
        """Say a token, which is right."""
        await self.try_token(token)
        await self.page.locator("#sign-out").wait_for()

    async def try_token(self, token: str) -> None:
        """Say a token."""
        await self.page.locator("#token").fill(token)
        await self.page.locator("#sign-in button").click()

    async def line_up(self, home: tuple[int, ...], visit: tuple[int, ...]) -> None:
        """Choose who is on the field, and kick off."""
        for side, numbers in (("home", home), ("visit", visit)):
            for box in await self.page.locator(f"#{side}-squad input").all():
                await box.set_checked(int(await box.get_attribute("value") or "") in numbers)
        await self.tap(self.page.locator("#line-ups button"))

    async def show(self, side: str) -> None:
        """Turn to a team, where there is room for one only."""
        await self.rested()
        await self.page.locator(f"#show-{side}").click()

    def player(self, number: int) -> Locator:
        """Return the row of a player of the team that is shown."""
        return self.page.locator(".players li:visible").filter(has=self.page.get_by_text(str(number), exact=True))

    def button(self, name: str) -> Locator:
        """Return the button with that name, or the only one whose name begins so."""
        return self.page.get_by_role("button", name=name)

    async def goal(self, number: int) -> None:
        """Tap on a player's goal."""
        await self.tap(self.player(number).locator(".goal"))

    async def substitute(self, number: int, comes: int) -> None:
        """Tap on who leaves, and on who comes in."""
        await self.rested()
        await self.player(number).get_by_role("button", name="Substitute").click()
        await self.choose(str(comes))

    async def more(self, number: int, words: str) -> None:
        """Tap on a player, and on what it did."""
        await self.rested()
        await self.player(number).locator(".who").click()
        await self.choose(words)

    async def choose(self, words: str) -> None:
        """Tap on one of those that are offered."""
        await self.tap(self.page.locator("#choices button", has_text=words))

    async def tap(self, what: Locator) -> None:
        """Tap on a button, and wait until the page takes another tap."""
        await self.rested()
        await what.click()
        await self.rested()

    async def rested(self) -> None:
        """Wait until the page takes a tap."""
        await self.page.locator("body:not(.resting)").wait_for()

    async def answered(self) -> None:
        """Wait until nothing waits any more."""
        await self.page.locator("#queue").wait_for(state="hidden")

    async def waiting(self) -> list[str]:
        """Return what waits, as it is listed."""
        return await self.page.locator("#waiting-posts strong").all_inner_texts()

    async def squads(self) -> list[str]:
        """Return who is on the field of the team that is shown."""
        return [
            " ".join(text.split()) for text in await self.page.locator(".players li:visible .who").all_inner_texts()
        ]

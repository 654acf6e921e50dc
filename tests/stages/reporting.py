"""A reporter at the page `/report/<id>`, on a phone unless told otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tests.stages.chromium import Shown
from tests.stages.serving import TOKEN

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

PHONE = (360, 640)


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

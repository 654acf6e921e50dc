"""Chromium, as the machine has it, and one of its pages with what its console said and whom it asked."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from tests.needs import needs
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Browser, Page

needs_chromium = needs("chromium", "chromium")

FLAGS: Final = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""What it is started with."""
MARKUP: Final = "<img src=x onerror=document.title='hacked'>"
"""A name, or a remark, that must be shown as it is written."""
TOO_WIDE: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""How many pixels a page has to be scrolled sideways, as a script."""


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Run it until the end."""
    from playwright.async_api import async_playwright  # noqa: PLC0415  # only where there is a browser

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


class Shown:
    """A page as a person has it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        page.set_default_timeout(DEADLINE_S * 1000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.add("/".join(request.url.split("/")[:3])))

    async def text(self, selector: str) -> str:
        """Return what an element says, in one line."""
        return " ".join((await self.page.locator(selector).inner_text()).split())

    async def says(self, selector: str, text: str) -> None:
        """Wait until an element has that in its text."""
        await self.page.locator(selector, has_text=text).first.wait_for()

    async def events(self) -> Sequence[str]:
        """Return the events that are listed, the last one first."""
        return [text.strip() for text in await self.page.locator("#events .what").all_inner_texts()]

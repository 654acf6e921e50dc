"""The lab's page in Chromium, at an API whose statistics are made up: each look at them is a second after the last."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import chain, count, cycle, repeat
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from common.http.page_files import POLICY
from common.http.statistics import Histogram, LessonTold, StageTold, Statistics, StatisticsQuery, WriterStatistics
from common.otp import KindStatistics, ProcessStatistics
from common.store.errors import StoreUnavailableError
from tests.common.http.conftest import serving
from tests.common.http.memory_backend import MemoryBackend
from tests.common.http.samples import WORKER
from tests.stages.chromium import MARKUP, TOO_WIDE, Shown, chromium, needs_chromium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Page

pytestmark = needs_chromium

WIDTHS: Final = (320, 700, 1100)


class Growing(MemoryBackend):
    """A server whose counts grow by the same from look to look; `changes` says of each look what else it tells."""

    def __init__(self, changes: Iterator[dict[str, Any]] | None = None) -> None:
        super().__init__()
        self.looks = 0
        self._changes = cycle([{}]) if changes is None else changes

    async def statistics(self, query: StatisticsQuery) -> Statistics:
        """Tell the next look."""
        seen = await super().statistics(query)
        self.looks += 1
        n = self.looks
        grown = msgspec.structs.replace(
            seen,
            uptime_s=3600.0 + n,
            cpu_s=0.25 * n,
            accepted=10 * n,
            deliveries=400 * n,
            drops={"greeting": 2 * n, "broken": 7},
            response=Histogram((0.01, 0.1), (8 * n, 2 * n, 0), 0.2 * n),
            fan_out=Histogram((0.01, 0.1), (98 * n, n, n), 3.0 * n),
        )
        return msgspec.structs.replace(grown, **next(self._changes))


class Lab(Shown):
    """The page, and what of its console is about the policy."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        page.on("console", lambda said: self.complaints.append(said.text) if "policy" in said.text.lower() else None)

    async def figures(self, chart: str) -> list[str]:
        """Return the figures above a chart."""
        return await self.page.locator(f"#{chart} output").all_inner_texts()

    async def rows(self, caption: str) -> list[dict[str, str]]:
        """Return the rows of a table, by the titles of its columns."""
        table = self.page.get_by_role("table", name=caption)
        titles = await table.locator("thead th").all_inner_texts()
        rows = [await row.locator("th, td").all_inner_texts() for row in await table.locator("tbody tr").all()]
        return [dict(zip(titles, row, strict=True)) for row in rows]


@asynccontextmanager
async def lab(url: str, *, width: int = 1100, time_stands: bool = False) -> AsyncIterator[Lab]:
    """Open the page; where time stands, it goes on by `page.clock` alone."""
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": width, "height": 800})
        if time_stands:
            await page.clock.install(time=0)
            await page.clock.pause_at(1000)
        found = Lab(page)
        answer = await page.goto(f"{url}/lab")
        assert answer is not None
        assert answer.headers["content-security-policy"] == POLICY
        yield found
        assert found.complaints == []
        assert found.asked == {url}


async def test_its_figures_are_those_of_the_statistics() -> None:
    async with serving(Growing(cycle([{"workers": (WORKER,)}]))) as url, lab(url) as found:
        await found.says("#accepts output", "10")  # from the second look on
        assert await found.figures("fans") == ["9"]
        assert await found.figures("accepts") == ["10"]
        assert await found.figures("sent") == ["400"]
        assert await found.figures("drops") == ["2.0"]
        assert await found.figures("cpu") == ["25%"]
        assert await found.figures("art") == ["20.0 ms", "≤ 100 ms"]
        assert await found.figures("fan-out") == ["≤ 10 ms", "≤ 100 ms", "> 100 ms"]
        assert await found.figures("lag") == ["250 ms"]
        assert await found.figures("queues") == ["3", "3", "2"]
        (node,) = await found.rows("Nodes")
        assert node["up"].startswith("1h00")
        told = ("node", "writer", "fans", "accepts/s", "sent/s", "lag", "CPU", "RSS", "files")
        shown = ["host:8888", "yes", "9", "10", "400", "250 ms", "25%", "47.7 MiB", "30 of 1,024"]
        assert [node[title] for title in told] == shown
        (parts,) = await found.rows("Their parts")
        assert parts == {
            "node": "host:8888",
            "API": "2",
            "calls/s": "0",
            "done/s": "0",
            "failed": "2",
            "waits": "3",
            "no reply": "4",
            "channels": "5",
            "msgs/s": "0",
        }
        (worker,) = await found.rows("Workers")
        of_worker = ("worker", "restarts", "fans", "accepts/s", "behind", "lag", "PSS")
        assert [worker[title] for title in of_worker] == ["0", "1", "5", "0", "2", "2.00 ms", "8.58 MiB"]
        assert [row["reason"] for row in await found.rows("Drops by reason")] == ["greeting", "broken"]
        (door,) = await found.rows("Browsers by door")
        assert door == {"door": "event-source", "watching": "4", "greetings": "5", "sent": "8"}
        await found.says("#link", "live")
        await found.says("#whom", "Node host:8888, the writer of its system.")
        await found.says("#whom", "Fans are served by one worker.")


async def test_the_lessons_are_those_that_the_server_tells() -> None:
    async with serving(Growing()) as url, lab(url) as found:
        await found.says("#lessons h2", "Lessons of this server, stage 3")
        await found.says(
            "#changes", "Lessons that it has: 1. It goes without nodes. Of later stages it has fd-plane, drain."
        )
        assert await found.page.locator("#lessons dt").all_inner_texts() == ["backlog"]
        assert await found.page.locator("#lessons dd").all_inner_texts() == ["fans wait"]


async def test_of_a_server_that_tells_no_more_than_it_must_the_rest_is_left_out() -> None:
    less: dict[str, Any] = {
        "api": None,
        "writer": None,
        "requests": None,
        "subscriptions": None,
        "doors": {},
        "stage": None,
    }
    async with serving(Growing(cycle([{**less, "loop_lag": None}]))) as url, lab(url) as found:
        await found.says("#whom", "Node host:8888, a server by itself.")
        await found.says("#changes", "This server is of a version that does not tell them.")
        assert await found.figures("queues") == ["3", "-", "-"]
        assert await found.figures("lag") == ["-"]
        captions = await found.page.locator("caption:visible").all_inner_texts()
        assert captions == ["Nodes", "Drops by reason", "Longest mailboxes"]
        assert "writer" not in (await found.rows("Nodes"))[0]


async def test_what_is_markup_is_text() -> None:
    told: dict[str, Any] = {
        "node": MARKUP,
        "actors": (ProcessStatistics(MARKUP, MARKUP, 5, 7, 0, 1000),),
        "kinds": (KindStatistics(MARKUP, 1, 1, 5, 7, 0, 1000),),
        "drops": {MARKUP: 1},
        "stage": StageTold(MARKUP, (LessonTold(MARKUP, MARKUP),), (MARKUP,), (MARKUP,)),
    }
    async with serving(Growing(cycle([told]))) as url, lab(url) as found:
        await found.says("#whom", f"Node {MARKUP}")
        await found.says("#lessons h2", MARKUP)
        await found.says("#lessons dt", MARKUP)
        await found.says("#lessons dd", MARKUP)
        (actor,) = await found.rows("Longest mailboxes")
        assert (actor["actor"], actor["kind"], actor["mailbox"]) == (MARKUP, MARKUP, "5")
        assert (await found.rows("Drops by reason"))[0]["reason"] == MARKUP
        assert await found.page.locator("img").count() == 0
        assert await found.page.title() == "Match Stream Lab"


async def test_one_of_several_nodes_says_so() -> None:
    other = {"writer": WriterStatistics(False, 0, 0, 0, 0)}
    async with serving(Growing(cycle([other]))) as url, lab(url) as found:
        await found.says("#whom", "Node host:8888, one of several: another is the writer.")


async def test_nodes_that_take_turns_at_one_address_are_told_together() -> None:
    nodes: list[dict[str, Any]] = [{"node": name, "connections": fans} for name, fans in (("a:1", 40), ("b:1", 2))]
    async with serving(Growing(cycle(nodes))) as url, lab(url) as found:
        await found.says("#whom", "2 nodes answer: counts and rates are those of all.")
        await found.says("#accepts output", "20")  # ten a second each
        assert await found.figures("fans") == ["42"]
        assert [(row["node"], row["fans"]) for row in await found.rows("Nodes")] == [("a:1", "40"), ("b:1", "2")]


async def test_a_server_that_was_started_anew_has_no_past() -> None:
    seen: list[dict[str, Any]] = [
        {"connections": 1, "uptime_s": 100.0},
        {"connections": 2, "uptime_s": 101.0},
        {"connections": 3, "uptime_s": 1.0, "accepted": 5_000},
    ]
    async with serving(Growing(chain(seen, repeat(seen[-1])))) as url, lab(url, time_stands=True) as found:
        for fans, accepts in (("1", "-"), ("2", "10"), ("3", "-")):
            await found.says("#fans output", fans)
            assert await found.figures("accepts") == [accepts]
            await found.page.clock.run_for(1000)


async def test_a_refusal_is_told_and_it_goes_on_by_itself() -> None:
    backend = Growing()
    async with serving(backend) as url, lab(url, time_stands=True) as found:
        await found.says("#link", "live")
        backend.failures.append(StoreUnavailableError("Redis is away"))
        await found.page.clock.run_for(1000)
        await found.says("#link", "no answer")
        await found.says("#since", "the server cannot reach its store now")
        await found.page.clock.run_for(1000)
        await found.says("#link", "live")
        assert await found.page.locator("#since").inner_text() == ""


async def test_who_looks_asks_once_a_second_and_who_does_not_asks_for_nothing() -> None:
    backend = Growing({"connections": number} for number in count(1))
    async with serving(backend) as url, lab(url, time_stands=True) as found:
        await found.says("#fans output", "1")
        for number in range(2, 6):
            await found.page.clock.run_for(999)
            assert backend.looks == number - 1
            await found.page.clock.run_for(1)
            await found.says("#fans output", str(number))
        await hide(found.page, hidden=True)
        await found.page.clock.run_for(60_000)
        assert backend.looks == 5
        await hide(found.page, hidden=False)
        await found.says("#fans output", "6")
        await found.page.get_by_role("button", name="Pause").press("Enter")
        await found.says("#link", "paused")
        await found.page.clock.run_for(60_000)
        assert backend.looks == 6
        await found.page.get_by_role("button", name="Go on").press("Enter")
        await found.says("#fans output", "7")
        assert await found.figures("accepts") == ["-"]  # what came while nobody looked is not of now
        await found.says("#link", "live")


async def hide(page: Page, *, hidden: bool) -> None:
    """Have a page find itself hidden, or seen again."""
    await page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


async def test_what_a_chart_keeps_is_of_five_minutes_at_most() -> None:
    async with serving(Growing()) as url, lab(url) as found:
        kept = await found.page.evaluate(
            "async () => { const { LastMinutes } = await import('/site/lab-charts.js');"
            " const chart = new LastMinutes(document.body.appendChild(document.createElement('div')), 1, String);"
            " for (let at = 1; at <= 2000; at += 1) chart.add(at, [at]);"
            " return [chart.data[0].length, chart.data[0][0], chart.data[1].at(-1)]; }"
        )
        assert kept == [301, 1700, 2000]


@pytest.mark.parametrize("width", WIDTHS)
async def test_it_is_as_wide_as_the_screen(width: int) -> None:
    async with (
        serving(Growing(cycle([{"node": "n" * 80, "workers": (WORKER,)}]))) as url,
        lab(url, width=width) as found,
    ):
        await found.says("#link", "live")
        assert await found.page.evaluate(TOO_WIDE) == 0

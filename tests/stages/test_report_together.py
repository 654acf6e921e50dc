"""Two reporters of one match: what both tap is one event unless one says otherwise, and nothing else is held up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.domain.posts import Corner, Goal
from tests.stages.chromium import needs_chromium
from tests.stages.reporting import kinds, reported

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Request, Route

pytestmark = needs_chromium

LATER_MS = 4000
"""When the same again is another tap."""
NOTICED_MS = 21_000
"""When what another has reported was seen."""


async def test_a_goal_that_both_tap_counts_once_until_one_says_that_it_is_another(tmp_path: Path) -> None:
    async with reported(tmp_path, "both") as (first, game):
        second = await first.beside()
        await second.stops_its_clock()
        await first.goal(7)
        await first.says("#said", "Accepted: Goal")
        await second.player(1).locator(".goal").click()  # not sure who it was
        await second.says("#said", f"Refused: posted meanwhile: Goal for {game.new.home}, Luna (7)")
        await second.says("#refused-posts .reason", "if yours is the same, dismiss it; if not, send it all the same")
        await second.says("#title", f"{game.new.home} 1 : 0 {game.new.visit}")
        assert await kinds(game) == ["start", "goal"]
        await second.page.clock.run_for(LATER_MS)
        await second.button("Send all the same").click()
        await second.says("#said", "Accepted: Goal")
        assert not await second.page.locator("#refused").is_visible()
        assert await kinds(game) == ["start", "goal", "goal"]
        await first.says("#said", f"Another reporter: Goal for {game.new.home}, Casals (1)")
        assert await first.page.locator("#events li:has(.by) .what").all_inner_texts() == [
            f"Goal for {game.new.home}, Casals (1)"
        ]
        assert [*first.complaints, *second.complaints] == []


async def test_what_is_not_the_same_is_posted_on_what_the_other_has_posted(tmp_path: Path) -> None:
    async with reported(tmp_path, "differ") as (first, game):
        second = await first.beside()
        await second.stops_its_clock()
        await first.goal(7)
        await first.tap(first.button(f"Corner, {game.new.home}"))
        await first.answered()
        sent: list[tuple[str, str]] = []

        def note(request: Request) -> None:
            if request.method == "POST":
                sent.append((request.headers["idempotency-key"], request.headers["if-match"].partition("-")[0]))

        second.page.on("request", note)
        await second.player(7).locator(".yellow").click()
        await second.says("#said", "Accepted: Yellow card")
        assert await kinds(game) == ["start", "goal", "corner", "card"]
        (key, before), (again, after) = sent
        assert (key, before, after) == (again, '"1', '"3')
        assert second.complaints == []


async def test_what_another_has_just_reported_is_said_and_asked_about(tmp_path: Path) -> None:
    async with reported(tmp_path, "just") as (reporter, game):
        clock = reporter.page.clock
        await reporter.stops_its_clock()
        await game.post(Goal(team=game.new.home, player=7))
        await clock.run_for(LATER_MS)
        await reporter.says("#said", f"Another reporter: Goal for {game.new.home}, Luna (7)")
        await clock.run_for(LATER_MS)
        await reporter.player(7).locator(".goal").click()
        await reporter.says("#said", "Refused: posted meanwhile: Goal")
        await clock.run_for(LATER_MS)
        await reporter.button("Dismiss").click()
        await clock.run_for(NOTICED_MS)
        await reporter.player(7).locator(".goal").click()
        await reporter.says("#said", "Accepted: Goal")
        assert await kinds(game) == ["start", "goal", "goal"]
        assert await reporter.page.locator("#events .by").count() == 1
        assert reporter.complaints == []


async def test_posts_of_ones_own_that_waited_do_not_speak_against_each_other(tmp_path: Path) -> None:
    async with reported(tmp_path, "own") as (reporter, game):
        page = reporter.page
        await reporter.stops_its_clock()
        await page.route("**/1/**", lambda route: route.abort())
        for _ in range(2):
            await reporter.player(7).locator(".goal").click()
            await page.clock.run_for(LATER_MS)
        assert len(await reporter.waiting()) == 2
        await game.post(Corner(team=game.new.home))
        await page.unroute("**/1/**")
        await reporter.button("Try now").click()
        await reporter.answered()
        assert await kinds(game) == ["start", "corner", "goal", "goal"]
        assert not await page.locator("#refused").is_visible()
        assert reporter.complaints == []


async def test_an_event_of_ones_own_of_which_the_answer_was_lost_is_nobody_elses(tmp_path: Path) -> None:
    async with reported(tmp_path, "mine") as (reporter, game):
        lost: list[Route] = []

        async def lose(route: Route) -> None:
            if not lost:
                await route.fetch()
            lost.append(route)
            await route.abort()

        await reporter.page.route("**/events", lose)
        await reporter.goal(7)
        await reporter.says("#events", f"Goal for {game.new.home}, Luna (7)")  # as it was read
        assert await reporter.text("#open-posts") == "1 waiting"
        await reporter.page.unroute("**/events")
        await reporter.says("#said", "Accepted: Goal")
        assert await reporter.page.locator("#events .by").count() == 0
        assert await kinds(game) == ["start", "goal"]
        assert reporter.complaints == []


async def test_what_waited_for_a_match_that_is_another_now_is_asked_about(tmp_path: Path) -> None:
    async with reported(tmp_path, "another") as (reporter, game):
        await reporter.page.route("**/1/**", lambda route: route.abort())
        await reporter.goal(7)
        await game.api.cancel_match(game.id)
        await game.announce()
        await game.start()
        await reporter.page.unroute("**/1/**")
        await reporter.says("#refused-posts .reason", "it was announced anew, or set back, meanwhile")
        assert await kinds(game) == ["start"]
        await reporter.rested()
        await reporter.button("Send all the same").click()
        await reporter.says("#said", "Accepted: Goal")
        assert await kinds(game) == ["start", "goal"]
        assert reporter.complaints == []

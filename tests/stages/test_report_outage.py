"""The page of a reporter while the server, its store or an answer is lost: what was tapped comes, in order, once."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from common.domain.posts import Card
from common.http.client import ReporterClient
from harness.targets.free_ports import free_endpoints
from tests.loopback import OWN_ADDRESS
from tests.redis_server import RedisServer
from tests.stages.chromium import chromium, needs_chromium
from tests.stages.game import Game
from tests.stages.reporting import Reporter, kinds, reported
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Route

pytestmark = needs_chromium


async def test_a_server_is_killed_and_what_is_tapped_meanwhile_comes_when_it_is_back(tmp_path: Path) -> None:
    (at,) = free_endpoints(OWN_ADDRESS, 1)
    async with RedisServer() as redis, chromium() as browser:
        options = ("--redis", redis.url, "--host", at.host, "--http-port", str(at.port))
        with ServerProcess("2.5", tmp_path, *options) as server:
            async with ReporterClient(server.url, TOKEN) as api:
                game = await Game.announced(api, "killed")
                await game.start()
            reporter = await Reporter.at(browser, server.url, game.id)
            await reporter.sign_in()
            await reporter.goal(1)
            await reporter.says("#said", "Accepted: Goal")
            server.send_signal(signal.SIGKILL)
            server.wait()
        await reporter.goal(7)
        await reporter.says("#waiting-posts", "no answer from the server")
        await reporter.substitute(7, 10)
        await reporter.tap(reporter.player(10).locator(".yellow"))  # who will be on the field then
        await reporter.tap(reporter.button(f"Foul, {game.new.home}"))
        await reporter.tap(reporter.player(10).locator(".red"))
        assert await reporter.squads() == ["1 Casals"]
        assert await reporter.text("#open-posts") == "5 waiting"
        await reporter.page.locator("#waiting-posts li", has_text="Foul").get_by_role("button").click()
        assert [words.partition(",")[0] for words in await reporter.waiting()] == [
            f"Goal for {game.new.home}",
            "Substitution",
            "Yellow card",
            "Red card",
        ]
        assert await reporter.text("#title") == f"{game.new.home} 1 : 0 {game.new.visit}"  # of what is accepted
        with ServerProcess("2.5", tmp_path, *options) as server:
            async with ReporterClient(server.url, TOKEN) as api:
                await reporter.answered()
                game = Game(api, game.new)
                assert await kinds(game) == ["start", "goal", "goal", "substitution", "card", "card"]
                await reporter.says("#title", f"{game.new.home} 2 : 0 {game.new.visit}")
                assert (await reporter.events())[0] == f"Red card, Ñandú (10), {game.new.home}"
        assert reporter.complaints == []


async def test_while_the_store_is_away_posts_wait_also_in_a_page_that_is_loaded_anew(tmp_path: Path) -> None:
    async with RedisServer() as redis, chromium() as browser:
        with ServerProcess("4", tmp_path, "--redis", redis.url, "--nodes", "1", "--workers", "0") as server:
            async with ReporterClient(server.url, TOKEN) as api:
                game = await Game.announced(api, "away")
                await game.start()
                reporter = await Reporter.at(browser, server.url, game.id)
                await reporter.sign_in()
                await reporter.player(7).wait_for()
                await redis.stop()
                await reporter.goal(7)
                await reporter.tap(reporter.player(7).locator(".yellow"))
                await reporter.tap(reporter.player(1).locator(".yellow"))
                await reporter.says("#waiting-posts", "the server cannot reach its store now")
                waiting = await reporter.waiting()
                assert len(waiting) == 3
                await reporter.page.reload()
                await reporter.says("#waiting-posts", waiting[-1])
                assert await reporter.waiting() == waiting
                await redis.start()
                await reporter.answered()
                assert await kinds(game) == ["start", "goal", "card", "card"]
                told = [event.details["player"] for event in (await api.history(game.id))[1:]]
                assert [getattr(player, "number", None) for player in told] == [7, 7, 1]
                assert reporter.complaints == []


async def test_pauses_between_tries_grow_and_one_may_be_made_at_once(tmp_path: Path) -> None:
    async with reported(tmp_path, "pauses") as (reporter, game):
        page = reporter.page
        await reporter.stops_its_clock()
        await page.route("**/1/**", lambda route: route.abort())
        await reporter.player(7).locator(".goal").click()
        for ms, tried in ((0, "once"), (240, "once"), (260, "2 times"), (490, "2 times"), (510, "3 times")):
            await page.clock.run_for(ms)
            await reporter.says("#waiting-posts", f"tried {tried}; no answer from the server")
        await page.clock.run_for(900)
        await reporter.says("#waiting-posts", "tried 3 times")
        await reporter.button("Try now").click()
        await reporter.says("#waiting-posts", "tried 4 times")
        await page.unroute("**/1/**")
        await reporter.button("Try now").click()
        await reporter.answered()
        assert await kinds(game) == ["start", "goal"]


async def test_an_answer_that_is_lost_is_asked_for_again_and_what_has_become_impossible_is_refused(
    tmp_path: Path,
) -> None:
    async with reported(tmp_path, "lost") as (reporter, game):
        keys: list[str] = []

        async def lose_two(route: Route) -> None:
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) == 1:
                await route.fetch()
                await route.abort()
                return
            if len(keys) == 2:  # a network that wants one to sign in first
                await route.fulfill(status=200, body="<p>Welcome to our hotel</p>")
                return
            if "yellow" in (route.request.post_data or "") and keys.count(keys[-1]) == 1:
                await game.api.post_event(game.id, Card(team=game.new.home, player=1, card="red"))
            await route.continue_()

        await reporter.page.route("**/events", lose_two)
        await reporter.goal(7)
        await reporter.answered()
        await reporter.tap(reporter.player(1).locator(".yellow"))
        await reporter.tap(reporter.button(f"Corner, {game.new.home}"))
        await reporter.says("#refused-posts", f"number 1 of {game.new.home} is not on the field; on it: 7")
        await reporter.answered()
        assert await kinds(game) == ["start", "goal", "card", "corner"]
        assert keys[2] == keys[1] == keys[0]
        assert len(set(keys)) == 3
        assert reporter.complaints == []


async def test_who_is_not_known_any_more_signs_in_again_and_nothing_is_lost(tmp_path: Path) -> None:
    async with reported(tmp_path, "token") as (reporter, game):
        await reporter.page.evaluate("sessionStorage.setItem('matchstream-token', 'another')")
        await reporter.page.reload()
        await reporter.goal(7)
        await reporter.says("#doubt", "the token is wrong")
        assert await reporter.text("#open-posts") == "1 waiting"
        await reporter.sign_in()
        await reporter.answered()
        assert await kinds(game) == ["start", "goal"]
        assert reporter.complaints == []

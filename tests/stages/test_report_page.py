"""The page of a reporter, in Chromium: signing in, and what becomes of a tap."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from common.domain.match import NewMatch, Player, Team
from common.http.client import ReporterClient
from common.http.page_files import POLICY
from tests.stages.chromium import MARKUP, TOO_WIDE, chromium, needs_chromium
from tests.stages.game import Game
from tests.stages.reporting import Reporter
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser, Route

pytestmark = needs_chromium

PLAYS = ["Shot", "Save", "Corner", "Goal kick", "Offside", "Foul", "Penalty", "Free kick", "Throw-in"]
KINDS_OF_PLAY = ["shot", "save", "corner", "goalkick", "offside", "foul", "penalty", "freekick", "throwin"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess("4", tmp_path_factory.mktemp("server"), "--nodes", "1", "--workers", "0") as server:
        yield server


@pytest.fixture
async def api(server: ServerProcess) -> AsyncIterator[ReporterClient]:
    async with ReporterClient(server.url, TOKEN) as client:
        yield client


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def kicked_off(api: ReporterClient, prefix: str) -> Game:
    game = await Game.announced(api, prefix)
    await game.start()
    return game


async def told(game: Game) -> list[dict[str, Any]]:
    """Return what is stored of a match, as what was posted: players by their numbers."""

    def posted(detail: Any) -> Any:
        if isinstance(detail, tuple):
            return tuple(map(posted, detail))
        return detail.number if isinstance(detail, Player) else detail

    events = await game.api.history(game.id)
    return [{"kind": event.kind, **{key: posted(value) for key, value in event.details.items()}} for event in events]


async def test_who_has_the_token_signs_in_for_this_tab_only(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    game = await kicked_off(api, "sign")
    reporter = await Reporter.at(browser, server.url, game.id)
    urls: list[str] = []
    page = reporter.page
    page.on("request", lambda request: urls.append(request.url))
    await page.locator("#events li").wait_for()
    for token, why in (("no token", "a token has only letters"), ("wrong", "the token is wrong: use the one this")):
        await reporter.try_token(token)
        await reporter.says("#doubt", why)
        assert not await page.locator("#playing").is_visible()
    await reporter.sign_in()
    assert not await page.locator("#doubt").is_visible()
    await reporter.player(7).wait_for()
    await page.reload()
    await reporter.player(7).wait_for()
    kept = (
        "[localStorage.length, document.cookie, Object.values({...sessionStorage}).filter((one) => one === %r).length]"
    )
    assert await page.evaluate(kept % TOKEN) == [0, "", 1]
    assert await page.locator("#token").input_value() == ""
    assert not any(TOKEN in url for url in (page.url, *urls))
    other = await Reporter.opened(await page.context.new_page(), server.url, game.id)
    await other.page.locator("#sign-in").wait_for()
    await reporter.page.locator("#sign-out").click()
    await reporter.page.locator("#sign-in").wait_for()
    assert not await page.locator("#playing").is_visible()
    assert TOKEN not in await page.evaluate("Object.values({...sessionStorage}).join()")
    assert reporter.complaints == []


async def test_each_kind_of_event_is_a_tap(browser: Browser, server: ServerProcess, api: ReporterClient) -> None:
    game = await Game.announced(api, "taps")
    home, visit = game.new.home, game.new.visit
    reporter = await Reporter.at(browser, server.url, game.id)
    await reporter.sign_in()
    await reporter.line_up((1, 7, 10), (10, 12))
    await reporter.goal(7)
    await reporter.tap(reporter.player(1).locator(".yellow"))
    await reporter.more(10, "Own goal")
    await reporter.substitute(7, 12)
    for words in PLAYS:
        await reporter.tap(reporter.button(f"{words}, {home}"))
        await reporter.more(12, words)
    await reporter.show("visit")
    await reporter.tap(reporter.player(10).locator(".red"))
    assert await reporter.squads() == ["12 Ba (7)"]
    for words in ("Half-time", "Break over", "Extra time", "Half-time", "Break over", "Penalty shoot-out"):
        await reporter.tap(reporter.button(words).and_(reporter.page.locator("#turns button")))
    await reporter.page.locator("#remark").fill("a remark")
    await reporter.goal(12)
    await reporter.tap(reporter.button("Full time"))
    assert (await told(game))[-1]["kind"] == "goal"  # that it is over has to be said twice
    await reporter.choose("Full time")
    await reporter.answered()
    plays: list[dict[str, Any]] = []
    for kind in KINDS_OF_PLAY:
        plays += [{"kind": kind, "team": home}, {"kind": kind, "player": 12, "team": home}]
    assert await told(game) == [
        {"kind": "start", "home_players": (1, 7, 10), "visit_players": (10, 12)},
        {"kind": "goal", "player": 7, "team": home},
        {"kind": "card", "player": 1, "card": "yellow", "team": home},
        {"kind": "goal", "player": 10, "team": visit, "player_team": home},
        {"kind": "substitution", "player_out": 7, "team": home, "player_in": 12},
        *plays,
        {"kind": "card", "player": 10, "card": "red", "team": visit},
        *({"kind": kind} for kind in ("halftime_start", "halftime_stop", "extratime", "halftime_start")),
        *({"kind": kind} for kind in ("halftime_stop", "penalties")),
        {"kind": "goal", "player": 12, "team": visit, "comment": "a remark"},
        {"kind": "stop"},
    ]
    await reporter.says("#when", "full time")
    await reporter.says("#title", f"{home} 1 : 2 {visit}")
    await reporter.says("#events", "Full time")
    assert len(await reporter.events()) == 30
    assert not await reporter.page.locator("#playing").is_visible()
    assert reporter.complaints == []
    assert reporter.asked == {server.url}


async def test_a_double_tap_is_one_event_and_hits_nobody_else(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    game = await kicked_off(api, "twice")
    reporter = await Reporter.at(browser, server.url, game.id)
    await reporter.page.clock.install()
    await reporter.page.reload()
    await reporter.sign_in()
    await reporter.page.clock.pause_at(await reporter.page.evaluate("Date.now()") + 1000)
    await reporter.player(7).locator(".goal").dblclick()
    await reporter.page.clock.run_for(1000)
    await reporter.player(7).locator(".goal").click()  # by who saw nothing happen
    await reporter.says("#said", "Tapped already: Goal")
    await reporter.page.clock.run_for(4000)
    await reporter.player(7).locator(".goal").click()  # another goal
    await reporter.page.clock.run_for(1000)
    await reporter.player(1).locator(".red").dblclick()  # where the row of 7 is a moment later
    await reporter.page.clock.run_for(1000)
    await reporter.says("#said", "Accepted: Red card")
    assert [event.kind for event in await api.history(game.id)] == ["start", "goal", "goal", "card"]
    assert await reporter.squads() == ["7 Luna"]


async def test_what_is_refused_is_told_with_its_reason_and_the_rest_goes_on(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    game = await Game.announced(api, "refused")
    reporter = await Reporter.at(browser, server.url, game.id)
    await reporter.sign_in()
    await reporter.line_up((), (10, 12))
    await reporter.says("#said", "Refused: ")
    await reporter.says("#refused-posts .reason", "home_players")
    assert await reporter.text("#open-posts") == "1 refused"
    await reporter.page.reload()
    await reporter.says("#refused-posts .reason", "home_players")
    await reporter.line_up((1, 7), (10, 12))
    await reporter.player(7).wait_for()
    await reporter.button("Dismiss").click()
    await reporter.page.locator("#refused").wait_for(state="hidden")
    assert [event.kind for event in await api.history(game.id)] == ["start"]
    assert reporter.complaints == []


async def test_names_and_remarks_that_are_markup_are_shown_as_they_are_written(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    for team in ("markh", "markv"):
        await api.put_team(Team(team, MARKUP, (Player(1, MARKUP), Player(2, MARKUP))))
    new = NewMatch("markh", "markv", date(2031, 1, 3))
    await api.create_match(new)
    reporter = await Reporter.at(browser, server.url, new.id)
    await reporter.sign_in()
    await reporter.says("#home-squad", MARKUP)
    await reporter.line_up((1,), (1,))
    await reporter.page.locator("#remark").fill(MARKUP)
    await reporter.goal(1)
    await reporter.says("#said", f"Accepted: Goal for markh, {MARKUP} (1), {MARKUP}")
    await reporter.says("#events", f"Goal for markh, {MARKUP} (1), {MARKUP}")
    await reporter.rested()
    await reporter.player(1).get_by_role("button", name="Substitute").click()
    await reporter.says("#choices", f"2 {MARKUP}")
    assert await reporter.page.locator("img").count() == 0
    assert await reporter.page.title() == "markh 1 : 0 markv"
    assert reporter.complaints == []


async def test_a_team_is_put_and_a_match_announced_and_chosen(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    reporter = await Reporter.at(browser, server.url)
    await reporter.sign_in()
    page = reporter.page
    for field, value in (("home", "neu"), ("visit", "alt"), ("date", "2031-01-02")):
        await page.locator(f"#announce [name={field}]").fill(value)
    await page.locator("#announce button").click()
    await reporter.says("#said", "refused: there is no team neu")
    for team in ("neu", "alt"):
        for field, value in (("id", team), ("name", team), ("players", " 1 Ann\n\n22 Bo  de Ho ")):
            await page.locator(f"#team [name={field}]").fill(value)
        await page.locator("#team button").click()
        await reporter.says("#said", f"team {team} is known, with 2 players")
    await page.locator("#announce button").click()
    await page.wait_for_url(f"{server.url}/report/neu-alt-2031-01-02")
    await reporter.says("#home-line-up", "neu: 2 of 11")
    assert (await api.match("neu-alt-2031-01-02")).home_squad == (Player(1, "Ann"), Player(22, "Bo de Ho"))
    await page.get_by_role("link", name="All matches").click()
    await page.locator("#matches a", has_text="neu").click()
    await page.wait_for_url(f"{server.url}/report/neu-alt-2031-01-02")
    assert reporter.complaints == []


async def test_what_cannot_be_shown_is_told_in_a_line(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    game = await kicked_off(api, "line")
    reporter = await Reporter.at(browser, server.url, "nobody")
    await reporter.says("#wrong", "There is no match nobody here: choose one, or announce it")
    await reporter.page.locator("#matches a", has_text=game.new.home).wait_for()

    async def of_another_version(route: Route) -> None:
        await route.fulfill(json={"id": game.id, "teams": []})

    await reporter.page.route(f"**/1/match/{game.id}", of_another_version)
    await reporter.page.goto(f"{server.url}/report/{game.id}")
    await reporter.says("#wrong", "is not the server that this page is of: load the page anew")
    assert reporter.complaints == []


async def test_a_match_that_is_announced_anew_is_shown_anew(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    game = await kicked_off(api, "anew")
    await game.foul("before")
    reporter = await Reporter.at(browser, server.url, game.id)
    await reporter.sign_in()
    await reporter.says("#events", "before")
    await api.cancel_match(game.id)
    await reporter.says("#wrong", f"There is no match {game.id} here")
    assert not await reporter.page.locator("#playing").is_visible()
    await game.announce()
    await reporter.line_up((1, 10), (7, 12))
    await reporter.tap(reporter.button(f"Corner, {game.new.home}"))
    await reporter.says("#events", "Corner")
    await reporter.page.route("**/1/match/*", lambda route: route.abort())  # so that it does not see what is between
    await api.cancel_match(game.id)
    await game.announce()
    await game.start()
    await game.goal()
    await game.foul("after")
    await reporter.page.unroute("**/1/match/*")
    await reporter.says("#events", "after")
    assert [event.partition(",")[0] for event in await reporter.events()] == [
        "Foul",
        f"Goal for {game.new.visit}",
        "Kick-off",
    ]
    assert await reporter.squads() == ["1 Casals", "7 Luna"]
    assert reporter.complaints == []


async def test_over_plain_http_it_works_and_says_that_the_token_can_be_read(
    browser: Browser, server: ServerProcess, api: ReporterClient
) -> None:
    game = await kicked_off(api, "plain")
    near = await Reporter.at(browser, server.url, game.id)
    await near.says("#title", game.new.home)
    assert not await near.page.locator("#open").is_visible()
    async with chromium(f"--host-resolver-rules=MAP far.test {server.host}") as elsewhere:
        reporter = await Reporter.at(elsewhere, f"http://far.test:{server.http_ports[0]}", game.id)
        await reporter.says("#open", "the token")
        await reporter.sign_in()
        await reporter.goal(7)
        await reporter.says("#said", "Accepted: Goal")
        assert reporter.complaints == []


async def test_it_is_worked_by_keyboard(browser: Browser, server: ServerProcess, api: ReporterClient) -> None:
    game = await kicked_off(api, "keys")
    reporter = await Reporter.at(browser, server.url, game.id)
    keyboard = reporter.page.keyboard
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
    await reporter.page.locator("#token").focus()
    await keyboard.type(TOKEN)
    await keyboard.press("Enter")
    await reporter.player(1).locator(".who").focus()
    for key in ("ArrowRight", "ArrowDown"):
        await keyboard.press(key)
    assert await reporter.page.evaluate(focused) == "Goal, 7 Luna"
    await keyboard.press("Enter")
    await reporter.says("#said", "Accepted: Goal")
    await reporter.rested()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Space"):
        await keyboard.press(key)
    await reporter.says("#choice-title", "Who comes in for 7 Luna?")
    await keyboard.press("Escape")
    assert await reporter.page.evaluate(focused) == "Substitute, 7 Luna"
    await keyboard.press("Enter")
    await reporter.page.locator("#choices button").first.wait_for()
    await keyboard.press("Enter")
    await reporter.player(10).wait_for()
    assert await reporter.page.evaluate(focused) == "Substitute, 10 Ñandú"
    await reporter.answered()
    assert [event.kind for event in await api.history(game.id)] == ["start", "goal", "substitution"]


SMALL = """() => [...document.querySelectorAll("button, a, input, textarea, label:has(> [type=checkbox])")]
    .filter((one) => one.checkVisibility() && one.type !== "checkbox")
    .filter((one) => { const { width, height } = one.getBoundingClientRect(); return width < 44 || height < 44; })
    .map((one) => one.outerHTML)"""
"""What is too small for a thumb (WCAG 2.2, 2.5.5)."""
FAINT = """() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (one) => {
    const found = parts(getComputedStyle(one).backgroundColor);
    return found[3] === 0 ? behind(one.parentElement) : found;
  };
  return [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility())
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((one) => {
      const [dark, bright] = [light(parts(getComputedStyle(one).color)), light(behind(one))].sort((a, b) => a - b);
      return [(bright + 0.05) / (dark + 0.05), one.outerHTML];
    }).filter(([ratio]) => ratio < 4.5);
}"""
"""What is too faint to be read (WCAG 2.2, 1.4.3)."""


@pytest.mark.parametrize("width", [320, 700, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_is_large_enough_for_a_thumb_and_can_be_read(
    browser: Browser, server: ServerProcess, api: ReporterClient, width: int, scheme: Any
) -> None:
    game = await Game.announced(api, "fits")
    reporter = await Reporter.at(browser, server.url, game.id, (width, 640))
    page = reporter.page
    await page.emulate_media(color_scheme=scheme)

    async def fits() -> None:
        await reporter.rested()
        for script in (SMALL, FAINT):
            assert await page.evaluate(script) == []
        assert await page.evaluate(TOO_WIDE) == 0

    await page.locator("#title", has_text=game.new.home).wait_for()
    await fits()
    await reporter.try_token("wrong")
    await page.locator("#doubt").wait_for()
    await fits()
    await reporter.sign_in()
    await reporter.line_up((), (10, 12))
    await page.locator("#refused").wait_for()
    await fits()
    await reporter.line_up((1, 7), (10, 12))
    await reporter.says("#said", "Accepted")
    await fits()
    await game.goal()
    await reporter.more(7, "Own goal")
    await reporter.says("#refused-posts", "Send all the same")
    await fits()
    await page.route("**/events", lambda route: route.abort())
    await reporter.goal(7)
    await reporter.says("#waiting-posts", "tried")
    await fits()
    await reporter.player(7).locator(".who").click()
    await fits()
    await page.keyboard.press("Escape")
    await page.locator("#cancel").click()
    await fits()


async def test_the_page_is_sent_under_its_policy(server: ServerProcess) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/report") as answer:
        assert answer.headers["Content-Security-Policy"] == POLICY

"""Histories and lists of matches in pages, from a real server and its Redis; another one is told in the same pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.stages.every_stage import turning_points
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from tests.stages.game import Announce, Game
    from tests.stages.serving import ServerProcess

pytestmark = pytest.mark.parametrize("stage", turning_points(), indirect=True, scope="module")


async def pages(server: ServerProcess, path: str, limit: int, *, grows: bool = False) -> list[dict[str, Any]]:
    """Follow `next` to the end, asking the ports of the API in turn; afterwards a page is known, unless it grows."""
    found: list[dict[str, Any]] = []
    timeout = aiohttp.ClientTimeout(DEADLINE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        query: dict[str, str | int] = {"limit": limit}
        while True:
            port = server.http_ports[len(found) % len(server.http_ports)]
            url = f"http://{server.host}:{port}{path}"
            async with session.get(url, params=query) as answer:
                assert answer.status == 200
                found.append(await answer.json())
                known = {"If-None-Match": answer.headers["ETag"]}
            async with session.get(url, params=query, headers=known) as answer:
                assert grows or (answer.status, await answer.read()) == (304, b"")
            if found[-1]["next"] is None:
                return found
            query["after"] = found[-1]["next"]


async def test_a_history_in_pages(server: ServerProcess, game: Game) -> None:
    for number in range(8):
        await game.foul(str(number))
    found = await pages(server, f"/1/match/{game.id}/history", 3)
    assert [[event["seq"] for event in page["events"]] for page in found] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


async def test_a_history_that_grows_while_it_is_read(server: ServerProcess, game: Game) -> None:
    async def report() -> None:
        for number in range(60):
            await game.foul(str(number))

    reporting = asyncio.create_task(report(), name="report")
    while not reporting.done():
        found = await pages(server, f"/1/match/{game.id}/history", 7, grows=True)
        numbers = [event["seq"] for page in found for event in page["events"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert all(len(page["events"]) == 7 for page in found[:-1])
    await reporting


async def test_matches_in_pages(server: ServerProcess, announce: Announce) -> None:
    games = [await announce("p") for _ in range(5)]
    await games[3].start()
    found = await pages(server, "/1/matches", 2)
    told = [match["id"] for page in found for match in page["matches"]]
    assert len(told) == len({*told})
    assert {game.id for game in games} <= {*told}
    assert told.index(games[3].id) == 0

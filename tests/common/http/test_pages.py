"""Pages: who follows `next` has everything once, whatever happens meanwhile; who has a page need not take it again."""

import asyncio
import re
import socket
from collections.abc import Sequence
from datetime import date, timedelta

import aiohttp
import msgspec
import pytest

from common.domain.events import Event
from common.domain.match import NewMatch, Player, Team
from common.domain.posts import Foul, Goal, Stop
from common.domain.script import Script
from common.http.answers import History, Matches
from common.http.client import ReporterClient
from common.http.pages import PAGE_BYTES, PIECE
from common.http.queries import MOST_EVENTS, MOST_MATCHES
from common.store.errors import StoreUnavailableError
from tests.common.http.conftest import MATCH_ID, serving
from tests.common.http.memory_backend import MemoryBackend
from tests.stages.waiting import eventually

PATH = f"/1/match/{MATCH_ID}/history"
DAY = date(2012, 1, 1)


async def played(backend: MemoryBackend, script: Script, fouls: int) -> Sequence[Event]:
    """Start the match and post so many fouls; return the whole history."""
    started = await backend.post_event(MATCH_ID, script.steps[0].post)
    return [
        started,
        *[
            await backend.post_event(MATCH_ID, Foul(team="tig", player=7, comment=str(number)))
            for number in range(fouls)
        ],
    ]


async def page(reader: aiohttp.ClientSession, query: str) -> History:
    async with reader.get(PATH + query) as answer:
        assert answer.status == 200
        return msgspec.json.decode(await answer.read(), type=History)


async def test_a_history_is_told_in_pages_that_fit_together(
    announced: MemoryBackend, reader: aiohttp.ClientSession, client: ReporterClient, script: Script
) -> None:
    events = await played(announced, script, MOST_EVENTS + PIECE)
    for limit in (1, PIECE - 1, PIECE, PIECE + 1, 500, MOST_EVENTS):
        first = await page(reader, f"?limit={limit}")
        assert first == History(MATCH_ID, tuple(events[:limit]), limit)
        assert await page(reader, f"?after={len(events) - limit}&limit={limit}") == (
            History(MATCH_ID, tuple(events[-limit:]), None)
        )
    assert len((await page(reader, "")).events) == 200
    for beyond in (len(events), len(events) + 1, 10**15):
        assert await page(reader, f"?after={beyond}") == History(MATCH_ID, (), None)
    assert await client.history(MATCH_ID) == tuple(events)


async def test_a_page_ends_where_the_match_stood_when_it_was_asked_for(
    announced: MemoryBackend, reader: aiohttp.ClientSession, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await played(announced, script, 2 * PIECE)
    read = announced.history

    async def busy(match_id: str, after_seq: int, limit: int) -> Sequence[Event]:
        await announced.post_event(MATCH_ID, Goal(team="tig", player=7))
        return await read(match_id, after_seq, limit)

    monkeypatch.setattr(announced, "history", busy)
    assert await page(reader, "") == History(MATCH_ID, tuple(events), None)


@pytest.mark.parametrize("query", ["limit=0", f"limit={MOST_EVENTS + 1}", "limit=all", "after=-1", "after=x", "page=2"])
async def test_a_page_of_a_history_that_makes_no_sense_is_refused(
    announced: MemoryBackend, reader: aiohttp.ClientSession, query: str
) -> None:
    async with reader.get(f"{PATH}?{query}") as answer:
        assert (answer.status, (await answer.json())["field"]) == (422, query.split("=", maxsplit=1)[0])
    assert "history" not in announced.calls


@pytest.mark.parametrize(
    "query",
    ["limit=0", f"limit={MOST_MATCHES + 1}", "after=nobody", "after=~", "after=~W10", "after=~WzEsMiwzXQ", "x=1"],
)
@pytest.mark.usefixtures("announced")
async def test_a_page_of_matches_that_makes_no_sense_is_refused(reader: aiohttp.ClientSession, query: str) -> None:
    async with reader.get(f"/1/matches?{query}") as answer:
        assert (answer.status, (await answer.json())["field"]) == (422, query.split("=", maxsplit=1)[0])


async def etag(reader: aiohttp.ClientSession, path: str, known: str | None = None, status: int = 200) -> str:
    headers = {} if known is None else {"If-None-Match": known}
    for method in ("GET", "HEAD"):
        async with reader.request(method, path, headers=headers) as answer:
            assert answer.status == status
            told = answer.headers["ETag"]
            assert (await answer.read() == b"") == (method == "HEAD" or status == 304)
    return told


@pytest.mark.parametrize("fouls", [1, PIECE + 5])
async def test_who_has_a_page_is_not_sent_it_again_until_it_is_another(
    announced: MemoryBackend, reader: aiohttp.ClientSession, script: Script, fouls: int
) -> None:
    await played(announced, script, fouls)
    whole, first, listed = [await etag(reader, path) for path in (PATH, f"{PATH}?limit=1", "/1/matches")]
    for path, known in ((PATH, whole), (f"{PATH}?limit=1", first), ("/1/matches", listed)):
        assert await etag(reader, path, known, 304) == known
        assert await etag(reader, path, known.removeprefix("W/"), 304) == known  # a weak comparison
        assert await etag(reader, path, f'"other", {known}', 304) == known
        assert await etag(reader, path, '"other"') == known
    await announced.post_event(MATCH_ID, Foul(team="tig", player=7, comment="new"))
    assert await etag(reader, f"{PATH}?limit=1", first, 304) == first
    assert await etag(reader, PATH, whole) != whole
    assert await etag(reader, "/1/matches", listed) != listed


async def test_a_match_that_was_played_anew_has_another_history(
    announced: MemoryBackend, reader: aiohttp.ClientSession, script: Script
) -> None:
    await played(announced, script, PIECE)
    before = await etag(reader, PATH)
    await announced.cancel_match(MATCH_ID)
    await announced.create_match(script.match)
    await announced.post_event(MATCH_ID, script.steps[0].post)
    await announced.post_event(MATCH_ID, Goal(team="tig", player=7))
    for number in range(1, PIECE):
        await announced.post_event(MATCH_ID, Foul(team="tig", player=7, comment=str(number)))
    assert await etag(reader, PATH, before) != before


async def test_matches_are_told_in_pages_that_fit_together_while_they_begin_and_end(
    announced: MemoryBackend, reader: aiohttp.ClientSession, client: ReporterClient, script: Script
) -> None:
    await announced.post_event(MATCH_ID, script.steps[0].post)
    for number in range(9):
        await announced.create_match(NewMatch("elp", "tig", DAY + timedelta(number)))
    ids = [match.id for match in await announced.matches(None, 99)]
    told: list[str] = []
    after = ""
    while True:
        async with reader.get("/1/matches", params={"limit": 2, "after": after}) as answer:
            found = msgspec.json.decode(await answer.read(), type=Matches)
        told += [match.id for match in found.matches]
        if found.next is None:
            break
        assert len(found.matches) == 2
        after = found.next
        if len(told) == 2:  # the live one ends, the one that was told last is cancelled, and one to come begins
            await announced.post_event(MATCH_ID, Stop())
            await announced.cancel_match(told[-1])
            await announced.post_event(ids[-1], script.steps[0].post)
    assert told == [*ids[:-1], MATCH_ID]
    assert len({*told}) == len(ids) - 1
    async with reader.get("/1/matches", params={"after": ids[-2]}) as answer:  # by hand
        assert [match["id"] for match in (await answer.json())["matches"]] == [MATCH_ID]
    assert await client.matches() == tuple(await announced.matches(None, 99))


async def test_a_place_in_the_list_is_told_in_the_letters_of_a_url_however_long_the_id_is(
    announced: MemoryBackend, reader: aiohttp.ClientSession
) -> None:
    for length in range(1, 6):
        await announced.put_team(Team("x" * length, "X", (Player(7, "Luna"),)))
        await announced.create_match(NewMatch("x" * length, "elp", DAY))
    ids, told = [match.id for match in await announced.matches(None, 99)], []
    url = "/1/matches?limit=1"
    while True:
        async with reader.get(url) as answer:
            found = msgspec.json.decode(await answer.read(), type=Matches)
        told += [match.id for match in found.matches]
        if found.next is None:
            break
        assert re.fullmatch(r"~[A-Za-z0-9_-]+", found.next)
        url = f"/1/matches?limit=1&after={found.next}"
    assert told == ids


async def test_the_client_follows_all_pages_of_matches(announced: MemoryBackend, client: ReporterClient) -> None:
    for number in range(2 * MOST_MATCHES):
        await announced.create_match(NewMatch("elp", "tig", DAY + timedelta(number)))
    assert await client.matches() == tuple(await announced.matches(None, 3 * MOST_MATCHES))


async def test_a_page_of_large_matches_ends_early(
    announced: MemoryBackend, reader: aiohttp.ClientSession, client: ReporterClient
) -> None:
    squad = tuple(Player(number, "ñ" * 64) for number in range(64))
    for team in ("big", "fat"):
        await announced.put_team(Team(team, team, squad))
    for number in range(30):
        await announced.create_match(NewMatch("big", "fat", DAY + timedelta(number)))
    async with reader.get("/1/matches") as answer:
        raw = await answer.read()
    assert len(msgspec.json.decode(raw, type=Matches).matches) < 30
    assert len(raw) < PAGE_BYTES * 1.2
    assert len(await client.matches()) == 31


async def test_a_history_that_cannot_be_read_to_its_end_does_not_pass_for_complete(
    announced: MemoryBackend, reader: aiohttp.ClientSession, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    await played(announced, script, 3 * PIECE)
    announced.failures.extend([None, None, None, StoreUnavailableError("away")])  # the match, two pieces, then
    with pytest.raises(aiohttp.ClientPayloadError):
        await page(reader, "")
    assert f"the history of {MATCH_ID} is broken off: away" in caplog.text
    announced.failures.extend([None, StoreUnavailableError("away")])
    async with reader.get(PATH) as answer:
        assert answer.status == 503


async def test_who_does_not_read_is_read_no_more_than_fits_its_connection(
    announced: MemoryBackend, script: Script
) -> None:
    await played(announced, script, MOST_EVENTS)
    wide = "x" * 280
    match, events = announced.stored[MATCH_ID]
    long = [msgspec.structs.replace(event, details={f"note-{n}": wide for n in range(100)}) for event in events]
    announced.stored[MATCH_ID] = (match, long)
    async with serving(announced) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(f"GET {PATH}?limit={MOST_EVENTS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await eventually(lambda: announced.calls.count("history") > 1, "it is being read")
            before = -1
            while before != announced.calls.count("history"):
                before = announced.calls.count("history")
                await asyncio.sleep(0.1)
            assert before < MOST_EVENTS / PIECE  # 30 MB in 16 pieces: the kernel takes a few of them
